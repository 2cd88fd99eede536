"""The files of W&B's sweeps: what an agent makes of them is a command line that train.py takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deepret.config import compose, conf_dir, groups
from deepret.errors import UserError
from deepret.programs.shared import prepare

FILES = sorted((conf_dir() / "sweep").glob("*.yaml"))


def lines(sweep: dict[str, Any]) -> list[list[str]]:
    """Command lines at the ends of every range, as an agent writes them without hyphens."""
    fixed = [word for word in sweep["command"] if not word.startswith("${")]
    found = []
    for end in (0, -1):
        values = {
            key: node["values"][end] if "values" in node else node["min" if end == 0 else "max"]
            for key, node in sweep["parameters"].items()
        }
        found.append([*fixed, *(f"{key}={value}" for key, value in values.items())])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_end_of_every_range_is_a_command_line(path: Path) -> None:
    sweep = yaml.safe_load(path.read_text())
    assert sweep["method"] == path.stem
    assert sweep["metric"] == {"name": "mAP", "goal": "maximize"}
    for words in lines(sweep):
        prepare(compose("train", words))


def test_a_parameter_that_there_is_not_is_told() -> None:
    sweep = yaml.safe_load(FILES[0].read_text())
    sweep["parameters"] = {"los.margin": {"values": [0.1]}}
    with pytest.raises(UserError, match=r"los\.margin"):
        compose("train", lines(sweep)[0])


def test_they_are_no_group() -> None:
    assert FILES
    assert not {"sweep", "cluster"} & set(groups())
