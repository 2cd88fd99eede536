"""Any backbone of torchvision."""

from __future__ import annotations

from typing import cast

import torchvision
from torch import Tensor
from torchvision.models.feature_extraction import create_feature_extractor

from deepret.errors import UserError, closest
from deepret.models.backbone.base import Backbone
from deepret.models.backbone.weights import fetch, fit_weights, read_weights


class Torchvision(Backbone):
    """Any model of torchvision by its name, up to one of its layers.

    The output (B, D) of a fully connected layer is D maps of one cell.

    Args:
        name: as ``torchvision.models.list_models`` gives it, such as ``resnet101``.
        layer: the module whose output is the map, such as ``layer4`` of a ResNet (after its last ReLU) or ``features``
            of AlexNet and VGG (after their last pooling, as R-MAC takes them; ``features.29`` of VGG16 and
            ``features.11`` of AlexNet come before it, at twice the resolution). Fully connected layers 6 and 7 after
            their ReLU are ``classifier.2`` and ``classifier.5`` of AlexNet, ``classifier.1`` and ``classifier.4`` of
            VGG16.
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
        super().__init__(
            body,
            tuple(settings.mean),
            tuple(settings.std),
            freeze_batchnorm,
            frozen_until,
            architecture=f"torchvision {name} {layer}",
            native=settings.crop_size[0],
        )

    def extract(self, images: Tensor) -> Tensor:
        """Maps (B, C, H, W) of normalised images (B, 3, h, w)."""
        found = cast("Tensor", self.body(images)["map"])
        return found[:, :, None, None] if found.ndim == 2 else found
