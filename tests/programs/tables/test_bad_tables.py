"""What a table cannot be made of is one message, before any network is made or picture rendered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from started import holder

from deepret.data.scenes.source import Scenes
from deepret.errors import UserError
from deepret.programs.tables import report
from deepret.programs.tables.rows import DESCRIPTORS, VIEWED, experiment_of, latest, read_rows, viewed_rows

pytestmark = pytest.mark.slow

MAC = "regions=whole projection=none"


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "measure", lambda *_: pytest.fail("something was measured"))
    monkeypatch.setattr(Scenes, "folder", lambda _: pytest.fail("scenes were rendered"))


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rows=[one]"], r"aggregation: this one keeps regions apart.*a table compares one code an image"),
        (["rows=[no_such]"], r"rows=no_such: there is no such experiment"),
        (['rows=["regions=hole"]'], r"row regions=hole: regions=hole: there is no such option; did you mean 'whole'"),
        (['rows=["pooling.q=3"]'], r"row pooling.q=3: .*there is no such setting"),
        (['rows=["regions=grid pooling"]'], r"cannot read 'pooling'"),
        (['rows=["regions=grid \'open"]'], r"cannot be read \(No closing quotation\)"),
        (['rows=["data=views regions=grid"]'], r"data=views is none of its settings"),
        (['rows=["regions=grid dims=8"]'], r"dims=8 is none of its settings"),
        (['rows=["regions=rpn"]'], r"row regions=rpn: its regions are an RPN that is untrained"),
        (["rows=[]"], r"there is nothing to measure"),
        (["words=[benchmark=ukb]"], r"words: benchmark=ukb is none of its settings"),
        (["landmarks=nowhere"], r"landmarks=nowhere: there is no such folder"),
        (["covers=nowhere"], r"covers=nowhere: there is no such folder"),
        (["ukbench=nowhere"], r"ukbench=nowhere: there is no such folder"),
        (["ukbench=."], r"there is no folder .*full"),
        (
            ["benchmarks={a: [benchmark=oxfrd5k]}"],
            r"^benchmarks.a: benchmark=oxfrd5k: there is no such option; did you mean",
        ),
        (["benchmarks={a: [benchmark=oxford5k]}"], r"^benchmarks.a: benchmark.root is missing"),
        (["benchmarks={a: [benchmark=oxford5k, benchmark.root=nowhere]}"], r"benchmark.root=nowhere: there is no such"),
        (["benchmarks={a: [benchmark=none]}"], r"^benchmarks.a: benchmark=none scores nothing"),
        (["benchmarks={scenes: [data=miniature]}"], r"there is a column scenes already"),
        (["benchmarks={a: [benchmark=ukb, benchmark.root=., benchmark.ranking=r.txt]}"], r"would be scored in place"),
        (["checkpoints={a: nowhere.ckpt}"], r"nowhere.ckpt: there is no such checkpoint"),
        (["fit=[input.size=3]"], r"fit: input.size=3 is none of its settings"),
        (["views=[no_such]"], r"rows=no_such: there is no such experiment"),
        (["dims=[0]"], r"dims=\[0\]"),
        (["whitening=[2]"], r"whitening=\[2\]"),
        (["wandb=maybe"], r"wandb='maybe'"),
        (["nothing=1"], r"nothing: there is no such setting"),
        (
            ["rows=[vlad_sift aggregation.adapt=test]"],
            r"^row vlad_sift.*: aggregation.adapt=test: a table fits .* once",
        ),
        (["words=[pooling.p=4]"], r"^words, of row .*: pooling.p=4: there is no such setting .*pooling=gem"),
        (["benchmarks={a: [data=miniature, pooling.p=4]}"], r"^benchmarks.a, of row .*: pooling.p=4: there is no such"),
        (["scenes=[data=miniature, pooling.p=4]"], r"^scenes, of row .*: pooling.p=4: there is no such setting"),
        (["scenes=[data=nothing]"], r"^scenes: data=nothing: there is no such option"),
        (["configs=[nowhere]"], r"^configs=nowhere: there is no such folder"),
        (["dims=16"], r"^dims=16: should be a list, \[VALUE, VALUE\] \(wanted: Sequence of int > 0\)"),
        (["checkpoints=a.ckpt"], r"^checkpoints='a.ckpt': should be values by name, \{NAME: VALUE\}"),
        (["rows=mac"], r"^rows=mac: .*write rows=\[mac\]"),
        (["rows=gem pooling.p=4"], r"write rows=\[gem pooling.p=4\]"),
        (["views=gem"], r"^views=gem: .*write views=\[gem\]"),
        (["views=true", "words=[input.flip=true]"], r"^views: input.flip=true is said of the one view, too"),
        (["views=[mac input.flip=true]"], r"^views: input.flip=true is said of the one view, too"),
        (["views=true", "benchmarks={a: [data=miniature, input.merge=max]}"], r"^views: input.merge=max is said of"),
        (["allow=[covers]"], r"^allow=covers: there is no such column"),
        (['rows=["mac allow=[test]"]'], r"allow=\[test\] is none of its settings"),
    ],
)
def test_a_mistake_is_one_message_before_any_work(
    words: list[str], message: str, table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "" if any(word.startswith("rows=") for word in words) else json.dumps([MAC])
    with pytest.raises(UserError, match=message):
        table(*words, rows=rows)
    assert not table.output.exists()


@pytest.mark.usefixtures("no_work")
def test_photographs_without_a_test_split_are_refused(table: Any, pictures: Callable[..., Path]) -> None:
    folder = pictures("photos", {"train": 2})
    with pytest.raises(UserError, match=r"^landmarks: .*photos has no test split to be scored, nor query and"):
        table(f"landmarks={folder}", rows=json.dumps([MAC]))
    with pytest.raises(UserError, match="has no val split to be scored"):
        table(f"benchmarks={{a: [data=catalogue, data.root={folder}, data.split=val]}}", rows=json.dumps([MAC]))


def test_nothing_is_fitted_on_that_is_scored(table: Any, pictures: Callable[..., Path]) -> None:
    folder = pictures("photos", {"train": 3, "test": 2})
    (folder / "images.csv").unlink()
    for path in sorted(folder.glob("*.png")):
        (folder / path.name.partition("-")[0]).mkdir(exist_ok=True)
        path.rename(folder / path.name.partition("-")[0] / path.name)
    all_of_it = f"benchmarks={{all: [data=catalogue, data.root={folder}, data.test_share=1]}}"
    with pytest.raises(UserError, match=r"^fit: leakage: .*\d+ of all .*allow=\[all\]"):
        table(f"landmarks={folder}", all_of_it, rows=json.dumps([MAC]))
    with pytest.raises(UserError, match=r"^fit: .*has no train split for parts to be fitted on: give fit=\["):
        table(f"fit=[data=catalogue, data.root={folder}, data.test_share=1]", rows=json.dumps([MAC]))


@pytest.mark.usefixtures("no_work")
def test_a_folder_without_photographs_is_told_by_its_own_setting(table: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=rf"^landmarks={tmp_path / 'empty'}: ") as error:
        table(f"landmarks={tmp_path / 'empty'}", rows=json.dumps([MAC]))
    assert "data.root" not in str(error.value)


@pytest.mark.usefixtures("no_work")
def test_an_output_that_is_a_file_is_said_to_be_one(table: Any) -> None:
    table.output.write_text("a file")
    with pytest.raises(UserError, match=r"^output=.*: this is a file; name a folder"):
        table(rows=json.dumps([MAC]))


def test_copies_of_what_is_fitted_on_are_refused_unless_allowed(
    table: Any, pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    landmarks = pictures("landmarks", {"train": 4, "test": 3})
    covers = pictures("covers", {"query": 3, "gallery": 3}, per_class=2, shared=True)
    with Image.open(landmarks / "train1-0.png") as photo:
        photo.resize((80, 72)).save(covers / "query0-0.png")
    monkeypatch.setattr(report, "measure", lambda *_: {})
    words = [f"landmarks={landmarks}", f"covers={covers}"]
    with pytest.raises(UserError, match=r"^fit: leakage: .*1 of covers \(.*query0-0.png.*allow=\[covers\]"):
        table(*words, rows=json.dumps([MAC]))
    table(*words, "allow=[covers]", rows=json.dumps([MAC]))


def test_two_at_once_are_refused(table: Any) -> None:
    table.output.mkdir()
    other = holder(table.output)
    with pytest.raises(UserError, match="another program writes there"):
        table(rows=json.dumps([MAC]))
    other.communicate()


def test_the_usual_rows_are_all_descriptors() -> None:
    assert [row.name for row in read_rows(None)] == list(DESCRIPTORS)
    assert set(VIEWED) <= set(DESCRIPTORS)


def test_later_words_replace_earlier_ones_of_the_same_setting() -> None:
    found = latest(["input.size=64", "pooling=max"], ["experiment=mac", "input.size=96"], ["+pooling=gem"])
    assert found == ["experiment=mac", "input.size=96", "+pooling=gem"]


@pytest.mark.parametrize(
    ("words", "experiment"),
    [
        (["experiment=mac"], "mac"),
        (["experiment=mac", "input.size=96", "threads=1", "workers=0"], "mac"),
        (["experiment=mac", "pooling=mean"], ""),
        (["experiment=rmac", "backbone=resnet50"], ""),
        (["experiment=mac", "input.flip=true"], ""),
        (["regions=whole"], ""),
    ],
)
def test_an_experiment_is_itself_as_long_as_no_part_changes(words: list[str], experiment: str) -> None:
    assert experiment_of(words) == experiment


def test_a_row_is_a_name_and_words_and_each_is_there_once(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "gem.yaml").write_text("# @package _global_\n")
    rows = read_rows(["gem pooling.p=4", "gem", "gem", "head=none 'backbone.weights=a b.pth'"], [str(tmp_path)])
    assert [row.words for row in rows] == [
        ("experiment=gem", "pooling.p=4"),
        ("experiment=gem",),
        ("head=none", "backbone.weights=a b.pth"),
    ]
    (viewed,) = viewed_rows(True, rows, [str(tmp_path)])
    assert viewed[0] == rows[1]
    assert viewed[1][2][1].words == ("experiment=gem", "input.flip=true")
    assert viewed_rows(False, rows) == []
    (first,) = viewed_rows(True, rows[2:])
    assert first[0] == rows[2]
