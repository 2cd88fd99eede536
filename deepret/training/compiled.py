"""torch.compile, for the passes of a training alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from deepret.errors import UserError, closest


def check_backend(backend: str | None) -> None:
    """Makes sure that torch has a backend.

    Raises:
        UserError: it has none of this name.
    """
    known = torch.compiler.list_backends(exclude_tags=())
    if backend is not None and backend not in known:
        raise UserError(f"compile={backend}: torch has no such backend; {closest(backend, known)}")


def compile_training(backbone: nn.Module, backend: str) -> None:
    """Compiles a backbone where it is in training mode, once for each shape of a batch.

    Photographs that are described have more shapes than it is worth compiling for. Parameters and their names stay.

    Args:
        backbone: the backbone.
        backend: torch's name for what compiles.
    """
    plain = backbone.forward
    fast: Any = torch.compile(plain, backend=backend, dynamic=False)

    def forward(images: Tensor) -> Tensor:
        found: Tensor = fast(images) if backbone.training else plain(images)
        return found

    backbone.forward = forward
