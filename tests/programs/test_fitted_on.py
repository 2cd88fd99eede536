"""What parts and the PCA of ``dims`` are fitted on is not among what is scored."""

from __future__ import annotations

from pathlib import Path

import pytest
from data.pictures import listed

from deepret.data.photographs import Photographs
from deepret.data.scenes.source import Scenes
from deepret.errors import UserError
from deepret.programs import leaks
from deepret.training.fitting import parts

SMALL = ("data=catalogue", "accelerator=cpu", "input.size=64", "workers=0")
FITTED = ("projection=none", "head=pca", "dim=2")


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Pictures of train in val and test."""
    return listed(tmp_path / "leaking", train=[1, 2, 3, 4], val=[8, 1], test=[5, 2, 6, 7], distractor=[3, 4])


@pytest.mark.parametrize("words", [FITTED, ("projection=pca", "projection.dim=2"), ("projection=none", "dims=2")])
def test_a_leak_ends_an_evaluation_before_anything_is_fitted(
    program, leaking: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "look", None)
    refused = program("eval", *SMALL, f"data.root={leaking}", *words)
    assert refused.code == 2
    [message] = refused.err.splitlines()
    for part in ("error: leakage", "1 of test", "test1.png = train1.png", "allow=[test]"):
        assert part in message


def test_what_is_allowed_is_scored_and_said(program, leaking: Path) -> None:
    ended = program("eval", *SMALL, f"data.root={leaking}", *FITTED, "allow=[test]")
    assert ended.code == 0, ended.err
    assert ended.out.count("allow=[test]: it is not looked at whether there are copies") == 1
    misspelt = program("eval", *SMALL, f"data.root={leaking}", *FITTED, "allow=[tests]")
    assert misspelt.code == 2
    assert "allow=tests" in misspelt.err


def test_where_nothing_is_fitted_nothing_is_looked_at(program, leaking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "prints", None)
    assert program("eval", *SMALL, f"data.root={leaking}", "projection=none").code == 0


def test_a_benchmark_is_compared_with_what_is_fitted_on(program, leaking: Path, ukb: Path) -> None:
    words = (*SMALL, f"data.root={leaking}", "benchmark=ukb", f"benchmark.root={ukb}", *FITTED)
    refused = program("eval", *words)
    assert refused.code == 2
    for part in ("ukbench00003.jpg = train2.png", "1 of ukb", "allow=[ukb]"):
        assert part in refused.err


def config(split: str | None, target: type = Photographs, **more: object) -> dict:
    benchmark = {"_target_": "deepret.benchmarks.split.Split", "split": split}
    data = {"_target_": f"{target.__module__}.{target.__qualname__}", "cache": None}
    return {"data": data, "benchmark": benchmark, "allow": [], **more}


def test_what_was_not_fitted_on_or_is_not_scored_is_no_leak(leaking: Path) -> None:
    catalogue = Photographs(str(leaking), cache=None).load()
    train = {seed: catalogue.paths.index(f"train{seed - 1}.png") for seed in (1, 2, 3, 4)}
    with pytest.raises(UserError, match=r"1 of test \(test1.png = train1.png\)"):
        leaks.refuse_leaks(config("test"), catalogue, list(train.values()))
    with pytest.raises(UserError, match=r"1 of val \(val1.png = train0.png\)"):
        leaks.refuse_leaks(config("val"), catalogue, list(train.values()))
    with pytest.raises(UserError, match=r"1 of val and 1 of test"):  # a training is scored on both
        leaks.refuse_leaks(config("test"), catalogue)
    for split, seeds in (("test", (1, 3, 4)), ("val", (2, 3, 4))):
        assert leaks.refuse_leaks(config(split), catalogue, [train[seed] for seed in seeds]) == {}


def test_views_among_rendered_scenes_keep_their_rows(leaking: Path, ukb: Path) -> None:
    catalogue = Photographs(str(leaking), cache=None).load()
    catalogue.views[:] = [path == "train2.png" for path in catalogue.paths]
    train = [i for i, split in enumerate(catalogue.splits) if split == "train"]
    benchmark = {"_target_": "deepret.benchmarks.ukb.UKB", "root": str(ukb)}
    rendered = config(None, Scenes, benchmark=benchmark)
    assert leaks.refuse_leaks(config("test", Scenes), catalogue, train) == {}
    with pytest.raises(UserError, match="1 of ukb"):
        leaks.refuse_leaks(rendered, catalogue, train)
    assert leaks.refuse_leaks(rendered, catalogue, [i for i in train if not catalogue.views[i]]) == {}
