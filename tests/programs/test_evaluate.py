from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from deepret.data.catalogue import Catalogue
from deepret.programs.evaluate import trained_on

FAST = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=0")


@pytest.mark.slow
def test_a_checkpoint_is_scored_on_other_data_and_another_machine(
    program, photos: Path, loose: Path, tmp_path: Path
) -> None:
    """Trained on views, whose split is val, with a GPU; scored on a catalogue's test split on a CPU."""
    trained = program("train", *FAST, "data=views", f"data.root={loose}", "gallery=false")
    assert trained.code == 0, trained.err
    found = torch.load(trained.json["checkpoint"], weights_only=True)
    found["deepret"]["config"]["trainer"]["accelerator"] = "gpu"
    path = tmp_path / "gpu.ckpt"
    torch.save(found, path)
    scored = program("eval", f"checkpoint={path}", "data=catalogue", f"data.root={photos}", "accelerator=cpu")
    assert scored.code == 0, scored.err
    assert scored.json["benchmark"] == "split"
    assert scored.json["checkpoint"] == str(path)
    own = program("eval", f"checkpoint={path}")
    assert own.code == 0, own.err
    assert own.json["mAP"] == trained.json["mAP"]


def test_home_is_meant_by_a_tilde(program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    ended = program("eval", "checkpoint=~/x.ckpt")
    assert ended.code == 2
    assert str(tmp_path / "home" / "x.ckpt") in ended.err


def classes(*splits: str) -> Catalogue:
    """Two photographs of each class, of a split each."""
    labels = [f"thing{i // 2}" for i in range(2 * len(splits))]
    n = len(labels)
    return Catalogue(
        Path("photos"),
        paths=[f"{i}.jpg" for i in range(n)],
        labels=labels,
        splits=[splits[i // 2] for i in range(n)],
        sizes=[(64, 64)] * n,
        boxes=[[] for _ in range(n)],
        views=[False] * n,
    )


@pytest.mark.parametrize(
    ("trained", "drawn", "told"),
    [
        ("other0", True, "1 of 3 classes are scored.*data.test_share=1 scores all"),
        ("other0", False, None),  # scenes, where nothing else is to be scored
        ("thing1", True, None),
        ("thing0", True, "1 of the classes that are scored were trained on"),
    ],
)
def test_what_a_score_is_of_is_told(tmp_path: Path, trained: str, drawn: bool, told: str | None) -> None:
    (tmp_path / "images.csv").write_text(f"path,label,split\na.jpg,{trained},train\n")
    texts = trained_on(classes("test", "train", "val"), tmp_path / "3-ranking" / "best.ckpt", drawn)
    if told is None:
        assert texts == []
    else:
        assert len([text for text in texts if re.search(told, text)]) == 1, texts


@pytest.mark.parametrize("words", [(), ("backbone.where=dense", "backbone.colour=true", "projection=pca", "dim=8")])
def test_local_features_are_scored(program, words: tuple[str, ...], photos: Path) -> None:
    local = ("backbone=rootsift", "aggregation=sum", "projection=none", "input.size=96", "accelerator=cpu", *words)
    data = ("data=catalogue", f"data.root={photos}", "data.test_share=0.5", "gallery=false")
    plain = program("eval", *data, *local)
    assert plain.code == 0, plain.err
    assert plain.json["mAP"] > 0.3  # edges of a few coloured squares tell little
    kept = [program("eval", *data, *local, "keep_maps=true") for _ in range(2)]
    assert [ended.json["mAP"] for ended in kept] == [plain.json["mAP"]] * 2


@pytest.mark.parametrize("words", [(), ("dims=2", "dims_whitening=1", "head=power", "head.rotate=true")])
def test_flat_photographs_are_told_and_the_others_scored(program, photos: Path, words: tuple[str, ...]) -> None:
    for label in range(7):  # of those that are scored, and of those that parts are fitted on
        Image.new("RGB", (80, 60), (90, 90, 90 + label)).save(photos / f"thing{label}" / "0.png")
    local = ("experiment=vlad_sift", "aggregation.centres=2", "input.size=96", "accelerator=cpu", *words)
    ended = program("eval", "data=catalogue", f"data.root={photos}", "data.test_share=0.5", "gallery=false", *local)
    assert ended.code == 0, ended.err
    assert re.search(r"photographs have no key point and a code of zero.*0\.png", ended.out)
    assert 0 < ended.json["mAP"] <= 1


@pytest.mark.slow
def test_what_is_fitted_on_local_features_is_kept_without_a_training(program, photos: Path) -> None:
    data = ("data=catalogue", f"data.root={photos}", "input.size=96")
    local = ("backbone=rootsift", "backbone.where=dense", "projection=pca", "dim=8", "stages.ranking=0")
    made = program("train", "trainer=cpu", "gallery=false", "batch.images=4", "batch.images_per_class=2", *data, *local)
    assert made.code == 0, made.err
    scored = program("eval", f"checkpoint={made.json['checkpoint']}", "accelerator=cpu")
    assert scored.code == 0, scored.err
    assert scored.json["mAP"] == made.json["mAP"]


@pytest.mark.slow
def test_all_classes_are_scored_where_that_is_asked_for(program, photos: Path) -> None:
    words = ("data=catalogue", f"data.root={photos}", "data.test_share=1", "accelerator=cpu", "input.size=64")
    ended = program("eval", *words, "projection=none", "gallery=false")
    assert ended.code == 0, ended.err
    assert ended.json["counts"]["queries"] == 28
