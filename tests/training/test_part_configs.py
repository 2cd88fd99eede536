"""Every YAML of the losses, the mining, the optimisers and the schedules lists all settings, and builds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from deepret.config import compose, conf_dir, resolve
from deepret.errors import UserError
from deepret.parts import INJECTED, build, check, signature

GROUPS = ("loss", "mining", "references", "optimizer", "schedule")
FILES = [path for group in GROUPS for path in sorted((conf_dir() / group).glob("*.yaml"))]


def ident(path: Path) -> str:
    return f"{path.parent.name}={path.stem}"


def composed(*overrides: str) -> dict[str, Any]:
    return resolve(compose("train", list(overrides)))


def check_group(*overrides: str) -> None:
    """Checks the group that the last override is about, and no other."""
    group = overrides[-1].split(".")[0]
    check(composed(*overrides)[group], group)


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_lists_every_setting_and_says_why(path: Path) -> None:
    text = path.read_text()
    node: dict[str, Any] = yaml.safe_load(text)
    assert set(node) - {"_target_", "defaults"} == {
        name for name in signature(node["_target_"]) if name not in INJECTED
    }
    assert [line for line in text.splitlines() if " # " not in line and not line.startswith("_target_")] == []


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_builds(path: Path) -> None:
    node = composed(ident(path))[path.parent.name]
    check(node, path.parent.name)
    parameters = [torch.nn.Parameter(torch.zeros(2, 2))]
    rates = torch.optim.SGD(parameters, lr=1.0)
    build(node, params=parameters, optimizer=rates, total_steps=10, class_ids=torch.arange(3), code_length=4)


@pytest.mark.parametrize("mining", ["semi_hard", "pool"])
def test_mines_with_the_margin_of_the_loss(mining: str) -> None:
    assert composed(f"mining={mining}", "loss.margin=0.3")["mining"]["margin"] == 0.3


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("loss.margin=abc", "loss.margin='abc'"),
        ("loss.margin=-1", "loss.margin=-1"),
        ("loss.reduction=median", "loss.reduction='median'"),
        ("optimizer.lr=0", "optimizer.lr=0"),
        ("optimizer.beta1=1.0", "optimizer.beta1=1.0"),
        ("schedule.warm_up=1.5", "schedule.warm_up=1.5"),
        ("schedule.floor=-0.1", "schedule.floor=-0.1"),
    ],
)
def test_names_a_value_that_cannot_be(override: str, named: str) -> None:
    with pytest.raises(UserError, match=named.replace(".", r"\.")):
        check_group(override)


@pytest.mark.parametrize(
    "override", ["mining.size=0", "mining.negatives=2.5", "mining.every=-1", "mining.triplets=many"]
)
def test_names_a_value_that_no_pool_can_have(override: str) -> None:
    with pytest.raises(UserError, match=override.split("=")[0].replace(".", r"\.")):
        check_group("mining=pool", override)
