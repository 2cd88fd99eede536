"""What every backbone is to the other parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from deepret.errors import UserError

_KNOWN: dict[str, tuple[tuple[int, int, int], set[str]]] = {}
"""Of architectures by name: channels, stride and smallest side, and the parameters that maps do not depend on."""


class Backbone(nn.Module):
    """A feature extractor with what the other parts need to know about it.

    Batch normalisation keeps its running statistics as they came unless ``freeze_batchnorm`` is false: batches of one
    shape and a few classes are no fair sample. Its scales and shifts learn all the same. Parameters that the maps do
    not depend on, such as those of a classifier's norm, are frozen: several processes would wait for their gradients.

    Args:
        body: the model that ``extract`` calls.
        mean: of each colour channel, for values in 0…1.
        std: of each colour channel, for values in 0…1.
        freeze_batchnorm: batch normalisation uses its running statistics, in training too.
        frozen_until: the parameters up to and including those whose names start so do not learn.
        architecture: a name that no other architecture has; what is found out about it once need not be again.

    Attributes:
        channels: C.
        stride: pixels from one cell to the next.
        smallest: the side in pixels of the smallest image that gives a cell; narrower ones are drawn out to it by
            repeating their last pixels.

    Raises:
        UserError: a body that gives no maps or takes one shape only; no parameter is named as ``frozen_until`` says.
    """

    def __init__(
        self,
        body: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        freeze_batchnorm: bool,
        frozen_until: str | None,
        architecture: str | None = None,
    ) -> None:
        super().__init__()
        self.body = body
        self.mean, self.std = list(mean), list(std)
        self.freeze_batchnorm = freeze_batchnorm
        self.frozen_until = frozen_until
        self.smallest = 1
        known = _KNOWN.get(architecture) if architecture else None
        (self.channels, self.stride, self.smallest), self._unused = known or (_measure(self), _unused(self))
        if architecture:
            _KNOWN[architecture] = ((self.channels, self.stride, self.smallest), self._unused)
        self.unfreeze()
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, C, H, W) of normalised images (B, 3, h, w)."""
        down, right = (max(0, self.smallest - side) for side in images.shape[-2:])
        if down or right:
            images = F.pad(images, (0, right, 0, down), mode="replicate")
        return self.extract(images)

    def extract(self, images: Tensor) -> Tensor:
        """What each kind of backbone does: images no smaller than ``smallest`` → maps."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Backbone:
        """Sets training mode, in which batch normalisation that is frozen stays as in evaluation."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm) and (self.freeze_batchnorm or not _learns(module)):
                module.train(False)
        return self

    def unfreeze(self) -> None:
        """Lets every parameter learn except those up to ``frozen_until``."""
        names = [name for name, _ in self.body.named_parameters()]
        first = 0
        if self.frozen_until is not None:
            hits = [i for i, name in enumerate(names) if f"{name}.".startswith(f"{self.frozen_until}.")]
            if not hits:
                blocks = dict.fromkeys(re.match(r"[^.]+(\.\d+)?", name)[0] for name in names)  # type: ignore[index]
                raise UserError(
                    f"backbone.frozen_until={self.frozen_until}: no parameter's name starts so; there are "
                    f"{', '.join(blocks)}."
                )
            first = hits[-1] + 1
        for i, (name, parameter) in enumerate(self.body.named_parameters()):
            parameter.requires_grad_(i >= first and name not in self._unused)


def _measure(backbone: Backbone) -> tuple[int, int, int]:
    """Channels, stride and smallest side, found by running the backbone on shapes alone, or on images where it must."""
    backbone.eval()
    try:
        return _measured(backbone, "meta")
    except (AssertionError, RuntimeError, ValueError):  # some models hold tensors that are no state
        pass
    try:
        return _measured(backbone, "cpu")
    except (AssertionError, RuntimeError, ValueError) as error:
        raise UserError(f"backbone: this model cannot take photographs of any shape ({error}).") from error


@torch.no_grad()
def _measured(backbone: Backbone, device: str) -> tuple[int, int, int]:
    state = {name: value.to(device) for name, value in backbone.state_dict().items()}

    def shape(side: int) -> torch.Size:
        return cast("Tensor", functional_call(backbone, state, (torch.zeros(1, 3, side, side, device=device),))).shape

    small, large = shape(448), shape(896)  # multiples of 14, 16 and 32
    if len(small) != 4:
        raise UserError(
            f"backbone: a map (1, C, H, W) is wanted, and this model gives {tuple(small)}; name another layer."
        )
    smallest = next(side for side in range(16, 449, 16) if _has_cells(shape, side))
    return small[1], 448 // (large[2] - small[2]), smallest


def _unused(backbone: Backbone) -> set[str]:
    """Names of the body's parameters that the maps do not depend on, found by one pass over a small image."""
    backbone.body.requires_grad_(True)
    with torch.inference_mode(False), torch.enable_grad():
        maps = backbone(torch.zeros(1, 3, 112, 112))
        named = list(backbone.body.named_parameters())
        found = torch.autograd.grad(maps.sum(), [parameter for _, parameter in named], allow_unused=True)
    return {name for (name, _), gradient in zip(named, found, strict=True) if gradient is None}


def _has_cells(shape: Callable[[int], torch.Size], side: int) -> bool:
    try:
        return min(shape(side)) > 0
    except (AssertionError, RuntimeError, ValueError):
        return False


def _learns(module: nn.Module) -> bool:
    return all(parameter.requires_grad for parameter in module.parameters())
