"""Every YAML of the network's groups names a part that exists, lists all its settings, and builds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hydra
import pytest
import yaml
from torch import nn

from deepret.config import conf_dir
from deepret.parts import INJECTED, check, signature

GROUPS = ("input", "backbone", "regions", "pooling", "projection", "weighting", "aggregation", "head")
SUPPLIED = {"channels": 1280, "map_channels": 1280, "stride": 32, "mean": [0.5] * 3, "std": [0.5] * 3}
OFFLINE = {"pretrained": False}
CHOSEN = {
    "timm": {"name": "resnet10t"},
    "torchvision": {"name": "resnet18", "layer": "layer4"},
    "parts_pca": {"lengths": [1184, 96]},
    "triangulation": {"centres": 1},
}
"""Settings that a user has to give, or that go with what the backbone gives."""

FILES = [path for group in GROUPS for path in sorted((conf_dir() / group).glob("*.yaml"))]


def read(path: Path) -> dict[str, Any]:
    """What a file sets, on top of the file that it is built on."""
    node: dict[str, Any] = yaml.safe_load(path.read_text())
    for option in node.pop("defaults", []):
        if isinstance(option, str):  # and not an option of another group, which it brings
            node = read(path.with_stem(option)) | node
    return node


def settings(path: Path) -> dict[str, Any]:
    """A part's node, without the values that it takes from elsewhere in the configuration (its defaults stand in)."""
    node = read(path)
    return {key: value for key, value in node.items() if not str(value).startswith("${")} | CHOSEN.get(path.stem, {})


def ident(path: Path) -> str:
    return f"{path.parent.name}={path.stem}"


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_lists_every_setting_with_its_default(path: Path) -> None:
    node = read(path)
    assert set(node) - {"_target_"} == {name for name in signature(node["_target_"]) if name not in INJECTED}
    check(settings(path), ident(path))


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_every_line_says_why(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line[:1] not in ("#", " ", "-", "")]
    silent = [line for line in lines if " # " not in line and not line.startswith(("_target_", "defaults"))]
    assert not silent


@pytest.mark.parametrize("path", [p for p in FILES if p.stem not in ("vgg16", "resnet101")], ids=ident)
def test_builds(path: Path) -> None:
    node = settings(path)
    arguments = signature(node["_target_"])
    node |= {name: value for name, value in OFFLINE.items() if name in arguments}
    part = hydra.utils.instantiate(node, **{name: v for name, v in SUPPLIED.items() if name in arguments})
    assert isinstance(part, nn.Module)
