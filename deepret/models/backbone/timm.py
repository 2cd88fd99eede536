"""Any backbone of timm."""

from __future__ import annotations

from typing import Any, cast

import timm
from torch import Tensor, nn

from deepret.errors import UserError, closest
from deepret.models.backbone.base import Backbone
from deepret.models.backbone.weights import fetch, fit_weights, read_weights


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
        UserError: no such model, or one that gives no map; weights that cannot be downloaded, read or fitted.
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
        self.name = name
        full = fetch(name, pretrained and weights is None, lambda fetch: _timm_model(name, fetch))
        spare = set(full.state_dict())
        cast("Any", full).reset_classifier(0)
        if weights is not None:
            fit_weights(full, read_weights(weights), f"backbone.weights={weights}", spare)
        settings = cast("Any", full).pretrained_cfg
        super().__init__(
            full,
            tuple(settings["mean"]),
            tuple(settings["std"]),
            freeze_batchnorm,
            frozen_until,
            architecture=f"timm {name}",
            native=settings["input_size"][-1],
        )

    def extract(self, images: Tensor) -> Tensor:
        """Maps (B, C, H, W) of normalised images (B, 3, h, w)."""
        model = cast("Any", self.body)
        found = model.forward_features(images)
        if not isinstance(found, Tensor):
            raise UserError(
                f"backbone.name={self.name}: this model gives several maps at once, and one is wanted; take another."
            )
        if found.ndim == 3:  # tokens (B, T, C), class tokens first
            if not hasattr(getattr(model, "patch_embed", None), "dynamic_feat_size"):
                raise UserError(
                    f"backbone.name={self.name}: this model gives tokens, and does not say where in the image they "
                    f"lie; take another."
                )
            height, width = model.patch_embed.dynamic_feat_size(images.shape[-2:])
            found = found[:, model.num_prefix_tokens :].reshape(len(found), height, width, -1)
        return found if found.shape[1] == model.num_features else found.permute(0, 3, 1, 2)


def _timm_model(name: str, pretrained: bool) -> nn.Module:
    """A model of timm, which takes images of any shape where it can."""
    # a vision transformer's positions are stretched to the map, its last patches filled up; so are Swin's windows
    choices: list[dict[str, Any]] = [{"dynamic_img_size": True, "dynamic_img_pad": True}, {"strict_img_size": False}]
    for flexible in choices:
        try:
            return timm.create_model(name, pretrained=pretrained, **flexible)
        except TypeError:
            pass
    return timm.create_model(name, pretrained=pretrained)
