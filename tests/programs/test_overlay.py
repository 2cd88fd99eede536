from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deepret import config
from deepret.errors import UserError
from deepret.programs.overlay import overlay
from deepret.programs.shared import prepare

pytestmark = pytest.mark.slow


def stored(*words: str) -> dict[str, Any]:
    """What a training's checkpoint holds."""
    return prepare(config.compose("train", ["trainer=cpu", *words]))


def laid(about: dict[str, Any], *words: str) -> dict[str, Any]:
    return prepare(overlay(about, ["checkpoint=x.ckpt", *words], "x.ckpt"), "eval")


VIEWS = ("data=views", "data.root=a")


@pytest.mark.parametrize(
    ("trained", "words", "split"),
    [
        (VIEWS, ["data=catalogue", "data.root=b"], "test"),
        (("data.split=val",), ["data=catalogue", "data.root=b"], "test"),
        (("data=catalogue", "data.root=a", "data.split=val"), ["data=catalogue", "data.root=b"], "test"),
        ((), VIEWS, "val"),
        (VIEWS, [], "val"),
        (("data.split=val",), [], "val"),
        ((), ["data.split=val"], "val"),
        (VIEWS, ["data=catalogue", "data.root=b", "benchmark.split=val"], "val"),
        (("benchmark.split=val",), ["data=catalogue", "data.root=b"], "val"),
        (VIEWS, ["data=scenes", "benchmark=split"], "test"),
    ],
)
def test_the_split_that_is_scored_is_the_datas(trained: tuple[str, ...], words: list[str], split: str) -> None:
    assert laid(stored(*trained), *words)["benchmark"]["split"] == split


def test_without_a_word_all_is_as_it_was_trained() -> None:
    about = stored(
        "regions=rpn", "regions.hidden=128", "input.size=288", "dim=256", "data.size=64", "cache=c", "seed=3"
    )
    about["stages"]["fit_regions"] = 7
    found = laid(about)
    for name in ("data", "input", "backbone", "regions", "pooling", "projection", "head", "benchmark", "seed", "cache"):
        assert found[name] == about[name], name
    assert {key: about["stages"][key] for key in ("fit_images", "fit_regions")}.items() <= found["stages"].items()


def test_a_key_of_a_part_that_is_not_the_default_can_be_set() -> None:
    about = stored("regions=rpn", "regions.hidden=128", "data=catalogue", "data.root=a", "data.strict=true")
    found = laid(about, "regions.top=32", "data.root=b")
    assert (found["regions"]["top"], found["regions"]["hidden"]) == (32, 128)
    assert (found["data"]["root"], found["data"]["strict"]) == ("b", True)


def test_a_part_named_again_keeps_its_settings_and_another_takes_its_file() -> None:
    about = stored("regions=rpn", "regions.hidden=128", "input.size=288")
    again = laid(about, "regions.top=32", "regions=rpn", "input=longer")
    assert (again["regions"]["top"], again["regions"]["hidden"], again["input"]["size"]) == (32, 128, 288)
    other = laid(about, "regions=grid", "input=square", "regions.levels=2")
    assert other["regions"] == {"_target_": "deepret.models.regions.grid.Grid", "levels": 2, "whole": True}
    assert other["input"]["size"] == 224
    spread = laid(about, "regions=rpn_spread")
    assert (spread["regions"]["nms"], spread["regions"]["hidden"]) == (0.7, 128)
    named = laid(stored("backbone=resnet18"), "backbone=resnet50")
    assert named["backbone"]["name"] == "resnet50"


def test_what_an_option_brings_counts_as_named() -> None:
    plain, weighed = stored(), stored("regions=attention", "weighting.hidden=8", "regions.levels=2")
    found = laid(plain, "regions=attention")
    assert found["weighting"]["_target_"].endswith("Attention")
    found = laid(weighed, "regions=attention")
    assert (found["weighting"]["hidden"], found["regions"]["levels"]) == (8, 2)
    assert laid(weighed)["weighting"]["hidden"] == laid(weighed, "regions=grid")["weighting"]["hidden"] == 8
    assert laid(weighed, "regions=attention", "weighting=uniform")["weighting"]["_target_"].endswith("Uniform")


def test_what_followed_the_cache_follows_it() -> None:
    assert laid(stored("cache=a"), "cache=b")["data"]["cache"] == "b"
    assert laid(stored("cache=a", "data.cache=c"), "cache=b")["data"]["cache"] == "c"


def test_the_trainings_device_does_not_matter() -> None:
    about = {**stored(), "trainer": {"accelerator": "gpu"}}
    assert laid(about)["accelerator"] == "auto"
    assert laid(about, "accelerator=cpu")["accelerator"] == "cpu"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["regions.hiden=3"], ["regions.hiden", "'regions.hidden'"]),
        (["regions=grit"], ["regions=grit", "'grid'"]),
        (["loss.margin=0.3"], ["loss.margin=0.3", "a setting of train"]),
        (["+los.margin=0.3"], ["los", "no such setting"]),
        (["debug=fast"], ["debug=fast", "data=miniature"]),
        (["dims=64,128"], ["dims=64,128", "-m"]),
        (["nonsense"], ["'nonsense'", "key=value"]),
        (["data=catalogue"], ["data.root is missing"]),
        (["regions.top=many"], ["regions.top='many'"]),
        (["~head"], ["head is missing", "head=l2"]),
        (["~seed"], ["seed is missing"]),
    ],
)
def test_mistakes_are_said(words: list[str], parts: list[str]) -> None:
    with pytest.raises(UserError) as error:
        laid(stored("regions=rpn"), *words)
    assert all(part in str(error.value) for part in parts), error.value


def test_options_from_another_folder(tmp_path: Path) -> None:
    (tmp_path / "regions").mkdir()
    (tmp_path / "regions" / "few.yaml").write_text(
        "_target_: deepret.models.regions.grid.Grid\nlevels: 1\nwhole: false\n"
    )
    found = overlay(stored("regions=rpn"), ["regions=few"], "x.ckpt", [str(tmp_path)])
    assert found.regions.levels == 1
