"""torch.compile, for the passes of a training alone."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import Any, cast

import torch
import torch._dynamo as dynamo
from torch import Tensor, nn

from deepret.errors import UserError, closest

GRAPHS = 256
"""More than there are shapes of a batch, each with and without a graph, for one image and for more."""


def check_backend(backend: str | None) -> None:
    """Makes sure that torch has a backend, and inductor its compiler.

    Raises:
        UserError: torch has none of this name, or this machine no compiler.
    """
    known = torch.compiler.list_backends(exclude_tags=())
    if backend is not None and backend not in known:
        raise UserError(f"compile={backend}: torch has no such backend; {closest(backend, known)}")
    compiler = shlex.split(os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++"))[0]
    if backend == "inductor" and shutil.which(compiler) is None:
        raise UserError(
            f"compile=inductor: it needs the C++ compiler {compiler}; install it, or have CXX name another."
        )


def compile_training(backbone: nn.Module, backend: str) -> None:
    """Compiles a backbone where it is in training mode, once for each shape of images, however many there are.

    One image, and passes without a graph, are compiled by themselves. Photographs that are described have more shapes
    than it is worth compiling for. Parameters and their names stay.

    Args:
        backbone: the backbone.
        backend: torch's name for what compiles.
    """
    plain = backbone.forward
    fast: Any = torch.compile(plain, backend=backend, dynamic=False)
    for limit in ("recompile_limit", "accumulated_recompile_limit"):  # after which torch would compile no more
        setattr(dynamo.config, limit, max(GRAPHS, getattr(dynamo.config, limit)))

    def forward(images: Tensor) -> Tensor:
        if not backbone.training:
            return cast(Tensor, plain(images))
        dynamo.maybe_mark_dynamic(images, 0)
        return cast(Tensor, fast(images))

    backbone.forward = forward
