from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deepret.config import compose, resolve
from deepret.errors import UserError
from deepret.models.build import build_network
from deepret.reports.command import called
from deepret.reports.transfer import BEFORE, transfer
from deepret.runs import checkpoint as checkpoints

pytestmark = pytest.mark.slow

TURNTABLE = ["data=turntable", *(f"data.{split}_classes=3" for split in ("train", "val", "test"))]
TURNTABLE += ["data.images_per_class=2", "data.size=64"]


def finished(folder: Path, cache: Path, seed: int, *words: str) -> Path:
    """A run's folder as one that is finished leaves it, its network's weights moved at random."""
    torch.manual_seed(seed + 1)
    config = resolve(compose("train", ["debug=fast", "projection=none", f"seed={seed}", f"cache={cache}", *words]))
    network = build_network(config, weights=False)
    state = {
        f"network.{name}": value * (1 + 0.05 * torch.rand_like(value)) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    run = folder / f"run{len(list(folder.glob('run*')))}"
    path = run / "1-ranking" / "best.ckpt"
    path.parent.mkdir(parents=True)
    checkpoints.save({"deepret": checkpoints.header(config, "1-ranking", None), "state_dict": state}, path)
    (run / "result.json").write_text(json.dumps({"checkpoint": f"/elsewhere/{run.name}/1-ranking/best.ckpt"}))
    return run


def told(folder: Path, cache: Path, **more: Any) -> dict[str, Any]:
    return transfer(str(folder), cache=str(cache), workers=0, **more)


def test_every_network_is_scored_on_every_kind(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(tmp_path, cache, 0)
    finished(tmp_path, cache, 1)
    finished(tmp_path, cache, 0, *TURNTABLE)
    (tmp_path / "unfinished").mkdir()
    found = told(tmp_path, cache)
    assert set(found) == {BEFORE, "scenes", "turntable"}
    assert all(set(row) == {"scenes", "turntable"} for row in found.values())
    with (tmp_path / "transfer.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 2
    both = [float(row["mAP"]) for row in rows if (row["trained on"], row["scored on"]) == ("scenes", "scenes")]
    assert found["scenes"]["scenes"] == pytest.approx(sum(both) / 2, abs=1e-5)
    assert both[0] != both[1]
    assert "±" in capsys.readouterr().out
    with Image.open(tmp_path / "transfer.png") as picture:
        assert picture.width > 400


@pytest.fixture
def pictures() -> Callable[[Path], Path]:
    """Fills a folder with three pictures of each of four patterns."""

    def filled(folder: Path) -> Path:
        random = np.random.default_rng(0)
        for label in range(4):
            pattern = random.integers(0, 255, (6, 6, 3), np.uint8)
            for number in range(3):
                path = folder / str(label) / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pattern).resize((64, 60 + number), Image.Resampling.NEAREST).save(path)
        return folder

    return filled


def test_photographs_are_scored_too(tmp_path: Path, cache: Path, pictures: Callable[[Path], Path]) -> None:
    finished(tmp_path / "runs", cache, 0)
    words = [f"output={tmp_path / 'runs'}", f"on=[{pictures(tmp_path / 'cups')}]", f"cache={cache}", "workers=0"]
    found: Any = called("deepret.reports.transfer.transfer", words, "output=DIR")
    assert set(found["scenes"]) == {"scenes", "cups"}


def test_runs_that_did_not_begin_alike_are_refused(tmp_path: Path, cache: Path) -> None:
    finished(tmp_path, cache, 0)
    finished(tmp_path, cache, 1, "regions=whole")
    with pytest.raises(UserError, match="differ in regions"):
        told(tmp_path, cache)


def test_two_sets_of_one_kind_are_refused(tmp_path: Path, cache: Path) -> None:
    finished(tmp_path, cache, 0)
    finished(tmp_path, cache, 1, "data.seed=5")
    with pytest.raises(UserError, match="two different sets that are both scenes"):
        told(tmp_path, cache)


def test_a_projection_that_was_fitted_on_each_set_is_refused(tmp_path: Path, cache: Path) -> None:
    finished(tmp_path, cache, 0, "projection=shift_fc")
    with pytest.raises(UserError, match="projection=none"):
        told(tmp_path, cache)


def test_runs_that_differ_in_more_than_data_and_seed_are_refused(tmp_path: Path, cache: Path) -> None:
    finished(tmp_path / "other", cache, 0)
    finished(tmp_path / "other", cache, 1, "loss=classification")
    with pytest.raises(UserError, match="differ in loss"):
        told(tmp_path / "other", cache)
    finished(tmp_path / "twice", cache, 0)
    finished(tmp_path / "twice", cache, 0)
    with pytest.raises(UserError, match="two runs on scenes with seed 0"):
        told(tmp_path / "twice", cache)


def test_folders_of_one_name_stand_apart(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], pictures: Callable[[Path], Path]
) -> None:
    finished(tmp_path / "runs", cache, 0)
    first, second = pictures(tmp_path / "a" / "scenes"), pictures(tmp_path / "b" / "scenes")
    found = told(tmp_path / "runs", cache, on=[str(first), str(second)])
    assert list(found["scenes"]) == ["scenes", str(first), str(second)]


def test_a_folder_without_a_test_split_is_refused(
    tmp_path: Path, cache: Path, pictures: Callable[[Path], Path]
) -> None:
    finished(tmp_path / "runs", cache, 0)
    flat = pictures(tmp_path / "cups") / "0"
    with pytest.raises(UserError, match="no test split"):
        told(tmp_path / "runs", cache, on=[str(flat)])


def test_a_broken_result_is_named(tmp_path: Path, cache: Path) -> None:
    run = finished(tmp_path, cache, 0)
    (run / "result.json").write_text("{")
    with pytest.raises(UserError, match=r"result.json: cannot be read"):
        told(tmp_path, cache)


def test_no_run_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished run"):
        called("deepret.reports.transfer.transfer", [f"output={tmp_path}"], "output=DIR")
