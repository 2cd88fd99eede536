"""``deepret data`` says what there is, draws what is there twice, and ends with 2 where that is a leak."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from data.pictures import listed, picture
from PIL import Image

from deepret.data import check
from deepret.data.duplicates import pairs
from deepret.errors import UserError
from deepret.programs import leaks

FAST = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=0")


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """Copies within train and test, none across."""
    return listed(tmp_path / "clean", train=[1, 1, 2, 3], val=[8, 9], test=[4, 5, 6, 6], distractor=[7, 10])


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """A picture of train in test, and one of test among the distractors."""
    return listed(tmp_path / "leaking", train=[1, 2, 3, 4], val=[8, 9], test=[5, 2, 6, 7], distractor=[7])


@pytest.fixture
def ukb(ukb: Path) -> Path:
    """A fifth photograph is broken."""
    (ukb / "full" / "ukbench00004.jpg").write_bytes(b"no photograph")
    return ukb


def test_what_there_is_is_told(program, clean: Path, tmp_path: Path) -> None:
    (clean / "train3.png").write_bytes(b"")
    picture(99).save(clean / "train2.png")
    Image.new("RGB", (90, 70), "grey").save(clean / "distractor1.png")
    ended = program("data", f"data.root={clean}")
    assert ended.code == 0, ended.err
    found = ended.json
    assert found["photographs"] == 10  # without the class whose other photograph is broken
    assert (found["broken"], found["flat"], found["classes"]) == (1, 1, 4)
    assert found["splits"]["test"] | {"bytes": 0} == {
        "photographs": 4,
        "classes": 2,
        "without_label": 0,
        "with_boxes": 0,
        "bytes": 0,
    }
    assert found["splits"]["distractor"]["without_label"] == 2
    assert found["splits"]["train"]["bytes"] == sum((clean / f"train{i}.png").stat().st_size for i in (0, 1))
    assert found["duplicates"] == {"train": 1, "test": 1}
    assert found["leaks"] == {}
    for text in (
        "train3.png (the file is empty)",
        "classes have 2 to 2 photographs",
        "flat, so they are compared byte by byte alone: 1 photographs",
    ):
        assert text in ended.out
    with Path(found["pairs"]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(Path(r["first"]).name, Path(r["second"]).name, r["leak"]) for r in rows] == [
        ("train0.png", "train1.png", "no"),
        ("test2.png", "test3.png", "no"),
    ]
    with Image.open(found["picture"]) as drawn:
        assert drawn.width > 4 * 200
    assert Path(found["picture"]).parent == tmp_path / "outputs"


def test_files_of_an_earlier_check_are_written_over_where_there_are_no_pairs(
    program, clean: Path, tmp_path: Path
) -> None:
    for name in ("duplicates.csv", "duplicates.png"):
        (tmp_path / "outputs" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "outputs" / name).write_text("of an earlier check")
    found = program("data", f"data.root={clean}", "within=false").json
    assert found["duplicates"] == {}
    with Path(found["pairs"]).open(newline="") as file:
        assert list(csv.reader(file)) == [["first", "second", "first_is_of", "second_is_of", "similarity", "leak"]]
    with Image.open(found["picture"]) as drawn:
        darkest, _ = drawn.convert("L").getextrema()
        assert darkest < 100 < drawn.width  # it says so


@pytest.mark.parametrize("name", ["pairs", "picture"])
def test_a_folder_in_the_place_of_what_is_written_is_told_and_kept(
    program, clean: Path, tmp_path: Path, name: str
) -> None:
    place = tmp_path / "mine.png"
    (place / "kept").mkdir(parents=True)
    for within in ("true", "false"):
        ended = program("data", f"data.root={clean}", f"{name}={place}", f"within={within}")
        assert ended.code == 2
        assert str(place) in ended.err.splitlines()[-1]
        assert "Traceback" not in ended.err
        assert (place / "kept").is_dir()


@pytest.mark.parametrize("within", ["true", "false"])
def test_a_leak_ends_it_after_all_is_told_unless_it_is_allowed(program, leaking: Path, within: str) -> None:
    words = (f"data.root={leaking}", f"within={within}", "picture=null")
    refused = program("data", *words)
    assert refused.code == 2
    assert refused.json["leaks"] == {"test": 1}
    assert refused.json["duplicates"] == {"train and test": 1} | (
        {"test and distractor": 1} if within == "true" else {}
    )
    assert "picture" not in refused.json
    [message] = refused.err.splitlines()
    for part in ("error: leakage", "1 of test", "test1.png = train1.png", "allow=[test]"):
        assert part in message
    passed = program("data", *words, "allow=[test]")
    assert passed.code == 0, passed.err
    assert "warning: leakage" in passed.out
    assert passed.json["leaks"] == {"test": 1}
    assert program("data", *words, "allow=[val]").code == 2


def test_a_benchmark_is_compared_with_train(program, clean: Path, ukb: Path) -> None:
    words = (f"data.root={clean}", "benchmark=ukb", f"benchmark.root={ukb}")
    refused = program("data", *words)
    assert refused.code == 2
    assert refused.json["leaks"] == {"ukb": 1}
    for part in ("ukbench00003.jpg = train3.png", "allow=[ukb]"):
        assert part in refused.err
    assert "ukb: 5 photographs; 1 files cannot be used" in refused.out
    assert program("data", *words, "allow=[ukb]").code == 0
    assert program("data", f"data.root={clean}", "benchmark=ukb", f"benchmark.root={ukb / 'no'}").code == 2


def test_a_second_look_decodes_nothing(program, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = program("data", f"data.root={clean}", "picture=null").json

    def never(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(check, "decode", never)
    again = program("data", f"data.root={clean}", "picture=null").json
    assert {**again, "seconds": 0} == {**once, "seconds": 0}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], ["data.root is missing", "data.root=VALUE"]),
        (["data.root=ROOT", "allow=[tset]"], ["allow=tset", "'test'"]),
        (["data.root=ROOT", "allow=[train]"], ["allow=train", "val"]),
        (["data.root=ROOT", "allow=[oxford5k]"], ["allow=oxford5k"]),
        (["data.root=ROOT", "allow=test"], ["allow='test'", "list"]),
        (["data.root=ROOT", "loss=triplet"], ["loss=triplet", "a setting of train"]),
        (["data.root=ROOT", "debug=fast"], ["debug=fast", "data has no debug"]),
        (["data.root=ROOT", "within=maybe"], ["within='maybe'", "bool"]),
        (["data.root=ROOT", "alow=[test]"], ["alow", "'allow'"]),
        (["data.root=ROOT", "benchmark=oxfrd5k"], ["benchmark=oxfrd5k", "'oxford5k'"]),
        (["data.root=/nowhere"], ["data.root=/nowhere", "no such folder"]),
        (["data=catalog", "data.root=ROOT"], ["data=catalog", "'catalogue'"]),
    ],
)
def test_one_message_and_no_traceback(program, clean: Path, words: list[str], wanted: list[str]) -> None:
    ended = program("data", *(word.replace("ROOT", str(clean)) for word in words))
    assert ended.code == 2
    [message] = ended.err.splitlines()
    assert message.startswith("error: ")
    for part in wanted:
        assert part in message


def test_allow_may_be_left_out(program, clean: Path) -> None:
    assert program("data", f"data.root={clean}", "picture=null", "~allow").code == 0


def test_help_lists_the_settings(program) -> None:
    ended = program("data", "--help")
    assert ended.code == 0
    assert ended.out.startswith("deepret data: checks photographs")
    assert "allow" in ended.out
    assert "benchmark" in ended.out
    assert "optimizer" not in ended.out  # the groups are those of the program
    assert "scenes" in ended.out


def test_a_leak_ends_a_training_before_it_begins(program, leaking: Path, tmp_path: Path) -> None:
    words = (*FAST, "data=catalogue", f"data.root={leaking}", "batch.images=4", "batch.images_per_class=2")
    refused = program("train", *words)
    assert refused.code == 2
    assert "allow=[test]" in refused.err
    assert not list((tmp_path / "outputs").glob("*"))
    misspelt = program("train", *words, "allow=[tests]")
    assert misspelt.code == 2
    assert "allow=tests" in misspelt.err


@pytest.mark.slow
def test_a_training_that_is_allowed_its_leaks_trains(program, leaking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*FAST, "data=catalogue", f"data.root={leaking}", "batch.images=4", "batch.images_per_class=2")
    ended = program("train", *words, "allow=[test]")
    assert ended.code == 0, ended.err
    assert "allow=[test]: it is not looked at whether there are copies" in ended.out


def config(target: str, **benchmark: object) -> dict:
    return {
        "data": {"_target_": target, "cache": None},
        "benchmark": {"_target_": "deepret.benchmarks.split.Split", **benchmark},
        "allow": [],
    }


def test_rendered_scenes_are_not_looked_at(leaking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deepret.data.photographs import Photographs

    catalogue = Photographs(str(leaking), cache=None).load()

    def never(*_: object) -> None:
        raise AssertionError("looked at")

    monkeypatch.setattr(leaks, "prints", never)
    assert leaks.refuse_leaks(config("deepret.data.scenes.source.Scenes"), catalogue) == {}
    with pytest.raises(AssertionError, match="looked at"):
        leaks.refuse_leaks(config("deepret.data.photographs.Photographs"), catalogue)


def test_what_is_allowed_is_not_compared(leaking: Path, ukb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deepret.data.photographs import Photographs

    catalogue = Photographs(str(leaking), cache=None).load()
    own = config("deepret.data.photographs.Photographs")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("looked at")

    with monkeypatch.context() as patch:
        patch.setattr(leaks, "prints", never)
        with pytest.warns(UserWarning, match=r"allow=\[val,test\]: it is not looked at"):
            assert leaks.refuse_leaks({**own, "allow": ["val", "test"]}, catalogue) == {}
        own["benchmark"] = {"_target_": "deepret.benchmarks.ukb.UKB", "root": str(ukb)}
        with pytest.warns(UserWarning, match=r"allow=\[val,ukb\]: it is not looked at"):
            assert leaks.refuse_leaks({**own, "allow": ["val", "ukb"]}, catalogue) == {}
    with pytest.warns(UserWarning, match="allow"), pytest.raises(UserError, match="1 of ukb"):
        leaks.refuse_leaks({**own, "allow": ["val"]}, catalogue)


def test_a_training_compares_once(leaking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deepret.data.photographs import Photographs

    own = config("deepret.data.photographs.Photographs", split="val")
    own["data"]["cache"] = str(tmp_path / "kept")
    catalogue = Photographs(str(leaking), cache=own["data"]["cache"]).load()
    assert leaks.refuse_leaks(own, catalogue) == {}

    def never(*_: object) -> None:
        raise AssertionError("compared again")

    monkeypatch.setattr(pairs, "close_pairs", never)
    assert leaks.refuse_leaks(own, catalogue) == {}


def test_a_training_is_held_to_what_scores_it(leaking: Path) -> None:
    from deepret.data.photographs import Photographs

    catalogue = Photographs(str(leaking), cache=None).load()
    own = config("deepret.data.photographs.Photographs", split="val")
    assert leaks.refuse_leaks(own, catalogue) == {}
    own["benchmark"] = {"_target_": "deepret.benchmarks.none.NoBenchmark"}
    assert leaks.refuse_leaks(own, catalogue) == {}
