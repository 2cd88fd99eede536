"""A new loss, region strategy and backbone: one class and one YAML each, from outside the package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

CODE = """
import torch
from torch import nn
from typing import ClassVar
from pydantic import PositiveFloat
from deepret.models.types import Regions


class Apart(nn.Module):
    def __init__(self, margin: PositiveFloat = 0.7) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, anchors, references, positives, negatives, labels=None):
        distances = torch.cdist(anchors, references)
        near = distances[positives].square().mean()
        return near + (self.margin - distances[negatives]).clamp(min=0).square().mean()


class Halves(nn.Module):
    trained: ClassVar[bool] = False

    def forward(self, maps):
        batch, _, height, width = maps.shape
        half = [(0, 0, (width + 1) // 2, height), (width // 2, 0, width, height)]
        return Regions(torch.tensor(half * batch), torch.arange(batch).repeat_interleave(2))


class Patches(nn.Module):
    channels = 24
    stride = 16
    mean = [0.5, 0.5, 0.5]
    std = [0.25, 0.25, 0.25]

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 24, 16, stride=16)

    def forward(self, images):
        return self.layer(images).relu()


def plain(params):
    found = torch.optim.SGD(params, lr=1e-3)
    made.append(found)
    return found


made = []
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "outside_parts.py").write_text(CODE)
    for group, name, text in (
        ("loss", "apart", "_target_: outside_parts.Apart\nmargin: 0.7\n"),
        ("regions", "halves", "_target_: outside_parts.Halves\n"),
        ("optimizer", "plain", "_target_: outside_parts.plain\n"),
        ("backbone", "patches", "_target_: outside_parts.Patches\n"),
    ):
        folder = tmp_path / "conf" / group
        folder.mkdir(parents=True)
        (folder / f"{name}.yaml").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "conf"
    sys.modules.pop("outside_parts", None)


def test_parts_from_outside_train_and_are_checked(program, outside: Path) -> None:
    words = (
        "debug=fast",
        "trainer=cpu",
        "trainer.precision=32-true",
        "loss=apart",
        "regions=halves",
        "backbone=patches",
    )
    flags = ("--config-dir", str(outside))
    ended = program("train", *flags, *words)
    assert ended.code == 0, ended.err
    scored = program("eval", f"checkpoint={ended.json['checkpoint']}")
    assert scored.json["mAP"] == ended.json["mAP"]
    refused = program("train", *flags, *words, "loss.margin=far")
    assert refused.code == 2
    assert "loss.margin='far'" in refused.err


def test_an_optimiser_without_a_learning_rate_of_its_own_trains(program, outside: Path) -> None:
    words = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "optimizer=plain", "schedule=constant")
    ended = program("train", "--config-dir", str(outside), *words, "stages.projection_rate=10.0", "benchmark=none")
    assert ended.code == 0, ended.err
    [optimizer] = sys.modules["outside_parts"].made
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-3, 1e-2])
