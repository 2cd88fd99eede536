from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from deepret.__main__ import main
from deepret.errors import UserError
from deepret.training.proposals.map_cache import ShapeBatches
from deepret.training.settings import StageSettings, capped, check_steps

STAGES = StageSettings(steps=12, ranking=1, proposals=1, refinement=1)


@pytest.mark.parametrize(("limit", "left"), [(None, 12), (0.5, 6), (0.1, 1), (1.0, 12), (1, 1), (5, 5), (99, 12)])
def test_a_limit_is_a_number_or_a_share(limit: float | int | None, left: int) -> None:
    assert capped(12, limit) == left
    assert check_steps(STAGES, "1-ranking", limit) == left
    assert len(ShapeBatches([(8, 4, 4)] * 24, 2, 0, limit)) == left
    assert len(list(ShapeBatches([(8, 4, 4)] * 24, 2, 0, limit))) == left


@pytest.mark.parametrize("limit", [0, 0.0, 0.05])
def test_a_limit_that_leaves_nothing(limit: float) -> None:
    with pytest.raises(UserError, match=f"limit_train_batches={limit} leaves no batch for stage 1-ranking"):
        check_steps(STAGES, "1-ranking", limit)
    assert len(ShapeBatches([(8, 4, 4)] * 24, 2, 0, limit)) == 1  # known only once the first stage is done


@pytest.mark.slow
def test_a_share_shortens_each_stage_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("debug=fast", "regions=rpn", "trainer=cpu", "trainer.precision=32-true", "benchmark=none")
    limits = ("stages.steps=4", "trainer.limit_train_batches=0.5", "trainer.max_epochs=1")
    monkeypatch.setattr("sys.argv", ["train", *words, *limits, f"cache={cache}", f"output={tmp_path}"])
    main("train")
    (figures,) = tmp_path.glob("*/metrics.csv")
    with figures.open(newline="") as file:
        steps = Counter(row["stage"] for row in csv.DictReader(file) if row["name"] == "loss")
    assert steps["1-ranking"] == steps["3-ranking"] == 2
    images = sum("train" in line for line in (figures.parent / "images.csv").read_text().splitlines())
    batches = -(-2 * images // 4)  # two variants, four maps a batch, of one shape
    assert steps["2-proposals"] in (batches // 2, batches // 2 + 1)
