from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from deepret.config import compose
from deepret.errors import UserError
from deepret.models.build import build_network
from deepret.models.network import Network
from deepret.programs.shared import prepare
from deepret.runs import checkpoint as checkpoints
from deepret.training.plan import Stage, plan
from deepret.training.proposals.handed_on import hand_on


def composed(*words: str) -> dict[str, Any]:
    return prepare(compose("train", ["trainer=cpu", "regions=rpn", *words]))


def stored(path: Path, *words: str, trained: bool = True) -> Network:
    """A network whose RPN says that it is trained, kept as a stage keeps it."""
    config = composed("seed=7", *words)
    network = build_network(config, weights=False)
    network.regions.is_trained.fill_(trained)  # type: ignore[operator, union-attr]
    checkpoints.save_network(network, checkpoints.header(config, "2-proposals", None), path)
    return network


def test_an_rpn_is_taken_as_it_is_and_nothing_else(tmp_path: Path) -> None:
    theirs = stored(tmp_path / "best.ckpt")
    config = composed(f"regions.weights={tmp_path}/best.ckpt")
    network = build_network(config, weights=False)
    before = network.projection.state_dict()
    hand_on(network, config)
    for key, value in theirs.regions.state_dict().items():
        assert torch.equal(network.regions.state_dict()[key], value)
    assert all(torch.equal(value, before[key]) for key, value in network.projection.state_dict().items())
    maps = torch.rand(1, network.backbone.channels, 6, 8)  # type: ignore[arg-type, call-overload]
    assert len(network.regions(maps).boxes)


def test_what_is_taken_is_not_learned() -> None:
    assert plan(composed("regions.weights=x.ckpt")) == [Stage("1-ranking", "ranking", 3, False)]
    assert len(plan(composed())) == 3
    with pytest.raises(UserError, match=r"stages.detection=1: .*without regions.weights"):
        plan(composed("regions.weights=x.ckpt", "stages.detection=1"))


@pytest.mark.parametrize(
    ("theirs", "own", "trained", "said"),
    [
        (
            ["backbone=resnet18", "backbone.pretrained=false"],
            [],
            True,
            r"of another backbone, Torchvision name",
        ),
        ([], ["regions.scales=[0.5]"], True, r"its RPN has scales \[0.3, 0.55, 0.85\], .*give regions.scales="),
        ([], ["regions.hidden=64"], True, r"has hidden 256, and this one 64"),
        ([], [], False, r"it has no trained RPN"),
    ],
)
def test_what_does_not_fit_is_refused(
    theirs: list[str], own: list[str], trained: bool, said: str, tmp_path: Path
) -> None:
    stored(tmp_path / "best.ckpt", *theirs, trained=trained)
    config = composed(f"regions.weights={tmp_path}/best.ckpt", *own)
    with pytest.raises(UserError, match=said):
        hand_on(build_network(config, weights=False), config)


def test_none_is_named_and_nothing_happens_and_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = composed()
    hand_on(build_network(config, weights=False), config)
    config = composed(f"regions.weights={tmp_path}/none.ckpt")
    with pytest.raises(UserError, match=r"none.ckpt: there is no such checkpoint"):
        hand_on(build_network(config, weights=False), config)
