"""What every backbone is to the other parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from deepret.errors import UserError


class _Measured(NamedTuple):
    """What running a backbone tells of it."""

    channels: int
    stride: int
    smallest: int
    only: int | None


_KNOWN: dict[str, tuple[_Measured, set[str]]] = {}
"""Of architectures by name: what running them tells, and the parameters that maps do not depend on."""


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
        native: the side in pixels of the square images that the body was made for.

    Attributes:
        channels: C.
        stride: pixels from one cell to the next. Maps that have as many cells whatever the image, such as the one cell
            of a fully connected layer, have that of an image of the native side: one cell's is the whole side.
        smallest: the side in pixels of the smallest image that gives a cell; narrower ones are drawn out to it by
            repeating their last pixels.
        only: the side in pixels of the square images that the body takes, where it takes no others, or None.

    Raises:
        UserError: a body that gives no maps, or takes no images that were tried; no parameter is named as
            ``frozen_until`` says.
    """

    def __init__(
        self,
        body: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        freeze_batchnorm: bool,
        frozen_until: str | None,
        architecture: str | None = None,
        native: int = 224,
    ) -> None:
        super().__init__()
        self.body = body
        self.mean, self.std = list(mean), list(std)
        self.freeze_batchnorm = freeze_batchnorm
        self.frozen_until = frozen_until
        self.smallest = 1
        self.only: int | None = None
        known = _KNOWN.get(architecture) if architecture else None
        measured = known[0] if known else _measure(self, native)
        self.channels, self.stride, self.smallest, self.only = measured
        self._unused = known[1] if known else _unused(self)
        if architecture:
            _KNOWN[architecture] = (measured, self._unused)
        self.unfreeze()
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, C, H, W) of normalised images (B, 3, h, w).

        Raises:
            UserError: images of another shape than the only one that the body takes.
        """
        if self.only is not None and images.shape[-2:] != (self.only, self.only):
            raise UserError(
                f"backbone: this model takes images of {self.only} × {self.only} pixels alone, and these have "
                f"{images.shape[-1]} × {images.shape[-2]}; take input=square input.size={self.only}, and "
                f"batch.size={self.only} in training."
            )
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


def _measure(backbone: Backbone, native: int) -> _Measured:
    """What running the backbone tells: on shapes alone, or on images where it must; on its own size, where it must."""
    backbone.eval()
    said: Exception | None = None
    for sides in ((448, 896), (native,)):  # multiples of 14, 16 and 32; or the one size that it may take
        for device in ("meta", "cpu"):  # some models hold tensors that are no state
            try:
                return _measured(backbone, device, sides, native)
            except (AssertionError, RuntimeError, ValueError) as error:
                said = error
    raise UserError(
        f"backbone: this model takes photographs neither of any shape nor of {native} × {native} pixels ({said})."
    )


@torch.no_grad()
def _measured(backbone: Backbone, device: str, sides: tuple[int, ...], native: int) -> _Measured:
    state = {name: value.to(device) for name, value in backbone.state_dict().items()}

    def shape(side: int) -> torch.Size:
        return cast("Tensor", functional_call(backbone, state, (torch.zeros(1, 3, side, side, device=device),))).shape

    small, large = shape(sides[0]), shape(sides[-1])
    if len(small) != 4:
        raise UserError(
            f"backbone: a map (1, C, H, W) is wanted, and this model gives {tuple(small)}; name another layer."
        )
    grown = large[2] - small[2]
    stride = (sides[-1] - sides[0]) // grown if grown else max(1, native // small[2])
    if len(sides) == 1:
        return _Measured(small[1], stride, native, native)
    smallest = next(side for side in range(16, sides[0] + 1, 16) if _has_cells(shape, side))
    return _Measured(small[1], stride, smallest, None)


def _unused(backbone: Backbone) -> set[str]:
    """Names of the body's parameters that the maps do not depend on, found by one pass over a small image."""
    backbone.body.requires_grad_(True)
    side = backbone.only or 112
    with torch.inference_mode(False), torch.enable_grad():
        maps = backbone(torch.zeros(1, 3, side, side))
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
