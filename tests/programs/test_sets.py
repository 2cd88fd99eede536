"""Images as sets of codes, from command to figure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

WORDS = ("accelerator=cpu", "input.size=160", "projection=none", "gallery=false")


@pytest.mark.parametrize(
    ("program_name", "words", "message"),
    [
        ("eval", ["aggregation=none"], r"aggregation: this one keeps regions apart.*by index=objects"),
        ("eval", ["aggregation=none", "index=torch"], r"aggregation: this one keeps regions apart.*by index=objects"),
        ("eval", ["experiment=one", "input.flip=true"], r"input\.scales=.*aggregation=sum"),
        ("eval", ["experiment=one", "index.compress=IVF4"], r"index\.compress='IVF4'"),
        ("eval", ["benchmark=classification", "benchmark.share=1"], r"benchmark\.share=1"),
        (
            "train",
            ["aggregation=none", "index=objects"],
            r"a training compares one code an image; take aggregation=sum",
        ),
    ],
)
def test_what_does_not_go_together_is_one_message_before_any_work(
    program, photos: Path, program_name: str, words: list[str], message: str
) -> None:
    ended = program(program_name, "data=catalogue", f"data.root={photos}", "projection=none", *words)
    assert ended.code == 2
    assert re.fullmatch(rf"error: [^\n]*{message}[^\n]*\n", ended.err), ended.err
    assert "fitted" not in ended.out


def test_classes_need_an_index_that_has_candidates_of_several_photographs(program, photos: Path) -> None:
    pytest.importorskip("faiss", reason="FAISS is not installed")
    words = ("data=catalogue", f"data.root={photos}", "benchmark=classification", "index=faiss")
    ended = program("eval", *words)
    assert ended.code == 2
    assert re.search(
        r"benchmark=classification: its candidates are classes.*take index=objects, or index=torch", ended.err
    )


@pytest.mark.slow
@pytest.mark.parametrize("regions", ["grid", "proposals"])
def test_one_is_scored_and_its_classes_are_found(program, photos: Path, tmp_path: Path, regions: str) -> None:
    data = ("data=catalogue", f"data.root={photos}", "data.test_share=0.6", f"regions={regions}", *WORDS)
    one = ("experiment=one", *data)
    plain = program("eval", *one)
    assert plain.code == 0, plain.err
    assert plain.json["mAP"] > 0.6
    kept = program("eval", *one, "keep_maps=true")
    assert kept.json["mAP"] == plain.json["mAP"]
    found = program("eval", *one, "benchmark=classification", "gallery=true")
    assert found.code == 0, found.err
    assert found.json["accuracy"] == found.json["mAP"] > 0.7
    assert found.json["linear accuracy"] > 0.7
    assert Path(found.json["picture"]).is_file()
    short = program("eval", *one, "dims=4")
    assert short.code == 0, short.err
    assert 0.5 < short.json["mAP"] <= 1


@pytest.mark.slow
def test_one_code_an_image_is_a_set_of_one(program, photos: Path) -> None:
    data = ("data=catalogue", f"data.root={photos}", "data.test_share=0.6", *WORDS)
    sets, codes = program("eval", *data, "index=objects"), program("eval", *data)
    assert sets.code == codes.code == 0, sets.err
    assert sets.json["mAP"] == codes.json["mAP"]
    classes = [program("eval", *data, "benchmark=classification", f"index={index}") for index in ("objects", "torch")]
    assert classes[0].json["accuracy"] == classes[1].json["accuracy"] > 0.7


@pytest.mark.slow
def test_a_trained_network_is_searched_by_its_objects(program, photos: Path) -> None:
    """The sum has nothing that it learned, so it may be left out of a checkpoint's network."""
    fast = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=0", "gallery=false")
    trained = program("train", *fast, "data=catalogue", f"data.root={photos}", "regions=grid")
    assert trained.code == 0, trained.err
    scored = program("eval", f"checkpoint={trained.json['checkpoint']}", "aggregation=none", "index=objects")
    assert scored.code == 0, scored.err
    assert 0 < scored.json["mAP"] <= 1
