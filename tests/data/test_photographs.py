"""People's folders become catalogues, and each mistake in them is one message."""

from __future__ import annotations

import io
import os
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepret.data.folder import collected
from deepret.data.listing import Row
from deepret.data.photographs import Photographs, class_splits
from deepret.errors import UserError


def load(root: Path, **settings: object):
    return Photographs(str(root), **{"cache": None, **settings}).load()  # type: ignore[arg-type]


@pytest.fixture
def folders(write, photos: Path) -> Path:
    """Eight labels of two to four photographs."""
    for i, label in enumerate("abcdefgh"):
        for k in range(2 + i % 3):
            write(f"{label}/{k}.jpg", 40 + i, 30)
    return photos


def test_a_list_says_everything(write, photos: Path, tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "sub/3.png", "4.jpg", "unlisted.jpg"):
        write(name)
    (photos / "images.csv").write_text(
        "path,label,split,x0,y0,x1,y1\n1.jpg,a,train,0,0,40,30\n2.jpg,a,train,,,,\nsub/3.png,b,query,,,,\n4.jpg,b,gallery,,,,\n"
    )
    found = load(photos)
    assert found.paths == ["1.jpg", "2.jpg", "sub/3.png", "4.jpg"]
    assert found.labels == ["a", "a", "b", "b"]
    assert found.splits == ["train", "train", "query", "gallery"]
    assert found.sizes == [(40, 30)] * 4
    assert found.boxes == [[(0, 0, 40, 30)], [], [], []]
    assert not any(found.views)


def test_boxes_are_those_of_the_upright_photograph(write, photos: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("1.jpg", "2.jpg"):
        with Image.open(write(name, 40, 30)) as image:
            image.load()
        image.save(photos / name, exif=exif)
    head = "path,label,split,x0,y0,x1,y1\n2.jpg,a,train,,,,\n"
    (photos / "images.csv").write_text(head + "1.jpg,a,train,0,0,30,40\n")
    assert load(photos).sizes == [(30, 40)] * 2
    (photos / "images.csv").write_text(head + "1.jpg,a,train,0,0,40,30\n")
    with pytest.raises(UserError, match=r"images\.csv:3: the box 0,0,40,30 leaves 1\.jpg, which is 30 × 40 pixels"):
        load(photos)


@pytest.mark.parametrize("box", ["-1,0,9,9", "0,-0.5,9,9", "0,0,40.5,9", "0,0,9,31", "100,100,200,200"])
def test_a_box_outside_its_photograph(write, photos: Path, box: str) -> None:
    write("1.jpg"), write("2.jpg")
    (photos / "images.csv").write_text(f"path,label,split,x0,y0,x1,y1\n1.jpg,a,train,{box}\n2.jpg,a,train,,,,\n")
    with pytest.raises(UserError) as caught:
        load(photos)
    assert all(part in str(caught.value) for part in ("images.csv:2", box, "1.jpg", "40 × 30")), caught.value


def test_sub_folders_are_labels_and_their_classes_are_shared_out(folders: Path) -> None:
    found = load(folders)
    assert found.labels == sorted(found.labels)
    assert found.paths[:2] == ["a/0.jpg", "a/1.jpg"]
    split_of = dict(zip(found.labels, found.splits, strict=True))
    assert found.splits == [split_of[label] for label in found.labels]  # no class in two splits
    assert Counter(split_of.values()) == {"train": 5, "test": 2, "val": 1}
    assert load(folders).splits == found.splits
    assert {tuple(load(folders, split_seed=s).splits) for s in range(5)} != {tuple(found.splits)}
    assert set(load(folders, val_share=0.0, test_share=0.0).splits) == {"train"}


def test_the_split_that_was_written_gives_the_same_catalogue(folders: Path) -> None:
    found = load(folders)
    found.write_csv(folders / "images.csv")
    assert load(folders, split_seed=9) == found


@given(st.integers(0, 40), st.floats(0, 0.99), st.floats(0, 0.99), st.integers(0, 5))
def test_train_keeps_two_classes_and_the_others_get_one_where_they_can(
    n: int, val: float, test: float, seed: int
) -> None:
    labels = [f"{i:02}" for i in range(n)]
    assert set(class_splits(labels, val, 1.0, seed).values()) <= {"test"}
    split = class_splits(labels, val, test, seed)
    counts = Counter(split.values())
    assert set(split) == set(labels)
    assert counts["train"] >= min(n, 2)
    assert (counts["test"] > 0) == (test > 0 and n >= 3)
    if test == 0:
        assert (counts["val"] > 0) == (val > 0 and n >= 3)
    if counts["train"] > 2:
        assert abs(counts["test"] - test * n) <= 1
        assert abs(counts["val"] - val * n) <= 1


@given(st.integers(6, 40), st.integers(0, 40), st.integers(0, 5))
def test_a_class_more_moves_few_others(n: int, new: int, seed: int) -> None:
    labels = [f"{i:02}" for i in range(n)]
    before, after = (class_splits(found, 0.1, 0.25, seed) for found in (labels, [*labels, f"new{new}"]))
    assert sum(before[label] != after[label] for label in labels) <= 3


def test_a_flat_folder_is_searched(write, photos: Path) -> None:
    for name in ("b.JPG", "a.png", ".hidden.jpg", "c.webp"):
        write(name)
    (photos / "notes.txt").write_text("no photograph")
    (photos / "empty").mkdir()
    found = load(photos)
    assert found.paths == ["a.png", "b.JPG", "c.webp"]
    assert set(found.labels) == {""}
    assert set(found.splits) == {"gallery"}


def test_hidden_files_and_folders_are_no_photographs(folders: Path, write) -> None:
    before = load(folders)
    write(".thumbnails/1.jpg"), write("a/.cache/1.jpg"), write("a/._1.jpg")
    assert load(folders) == before


def test_photographs_beside_the_sub_folders_are_left_out_and_named(folders: Path, write) -> None:
    before = load(folders)
    write("loose.jpg")
    with collected() as lost, pytest.warns(UserWarning, match=r"1 photographs beside them are left out: loose\.jpg"):
        assert load(folders) == before
    assert lost == [(Row("loose.jpg", "", ""), "beside the folders that are labels")]


def test_packed_photographs_without_a_label_are_left_out_and_named(folders: Path, write) -> None:
    before = load(folders)
    content = write("x.jpg").read_bytes()
    (folders / "x.jpg").unlink()
    with tarfile.open(folders / "s.tar", "w") as tar:
        entry = tarfile.TarInfo("x.jpg")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    with collected() as lost, pytest.warns(UserWarning, match=r"1 photographs have no label and .*: s\.tar/x\.jpg"):
        assert load(folders) == before
    assert lost == [(Row("s.tar/x.jpg", "", ""), "no label")]


def test_a_folder_whose_name_has_spaces_around_it_is_the_same_label(folders: Path, write) -> None:
    write(" a/7.jpg")
    found = load(folders)
    assert Counter(found.labels)["a"] == 3
    assert set(found.labels) == set("abcdefgh")


def test_names_of_any_kind_can_be_listed(folders: Path) -> None:
    (folders / "a/0.jpg").rename(folders / "a" / "x\\y.jpg")
    (folders / "b/0.jpg").rename(folders / "b" / os.fsdecode(b"caf\xe9.jpg"))
    (folders / "c").rename(folders / os.fsdecode(b"caf\xe9"))
    found = load(folders)
    found.write_csv(folders / "images.csv")
    assert load(folders) == found


def test_labels_one_folder_further_down(folders: Path) -> None:
    with pytest.raises(UserError, match=f"did you mean data.root={folders}"):
        load(folders.parent)


def test_no_such_folder(folders: Path) -> None:
    with pytest.raises(UserError, match=f"photo.*no such folder; did you mean {folders}"):
        load(folders.parent / "photo")
    with pytest.raises(UserError, match=r"nowhere: there is no such folder\.$"):
        load(folders / "nowhere" / "nowhere")
    with pytest.raises(UserError, match="that is a file"):
        load(folders / "a" / "0.jpg")
    (folders / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: there is no photograph.*\.jpg"):
        load(folders / "empty")


# Files and classes that cannot be used --------------------------------------------------------------------------------


def spoil(folder: Path, *names: str) -> None:
    """Makes files unreadable."""
    for name in names:
        (folder / name).write_bytes(b"")


def test_broken_files_are_reported_once_and_left_out(folders: Path, tmp_path: Path) -> None:
    spoil(folders, "c/0.jpg", "f/1.jpg")
    for _ in range(2):  # looked at, and remembered
        with pytest.warns(UserWarning, match="2 of 23 files") as caught:
            found = load(folders, cache=str(tmp_path / "cache"))
        assert len(caught) == 1
        assert "c/0.jpg (the file is empty), f/1.jpg (the file is empty)" in str(caught[0].message)
        assert len(found) == 21
        assert "c/0.jpg" not in found.paths
    with pytest.raises(UserError, match=r"2 of 23 files.*c/0\.jpg \(the file is empty\).*data.strict"):
        load(folders, strict=True)


def test_a_page_of_broken_files_is_named(folders: Path) -> None:
    (folders / "z").mkdir()
    names = [f"z/{i:02}.jpg" for i in range(20)]
    spoil(folders, *names)
    with pytest.warns(UserWarning, match="20 of 43 files") as caught:
        load(folders)
    assert all(name in str(caught[0].message) for name in names)
    spoil(folders, "z/20.jpg")
    with pytest.raises(UserError, match=r"21 of 44 files.*z/19\.jpg \(the file is empty\) …; mend"):
        load(folders, strict=True)


def test_broken_files_move_no_class_to_another_split(folders: Path) -> None:
    before = load(folders)
    spoil(folders, "c/0.jpg")
    with pytest.warns(UserWarning, match="1 of 23"):
        after = load(folders)
    assert dict(zip(after.labels, after.splits, strict=True)) == dict(zip(before.labels, before.splits, strict=True))


def test_broken_files_are_said_to_be_of_their_class_split(folders: Path) -> None:
    split = dict(zip(load(folders).labels, load(folders).splits, strict=True))
    names = [f"{label}/broken.jpg" for label in "abcdefgh"]
    spoil(folders, *names)
    with collected() as lost, pytest.warns(UserWarning, match="8 of 31"):
        load(folders)
    assert [row for row, _ in lost] == [Row(name, name[0], split[name[0]]) for name in names]
    assert set(split.values()) == {"train", "val", "test"}


def test_a_class_that_broken_files_end_takes_no_place_in_val_or_test(write, photos: Path) -> None:
    for name in ("a/0.jpg", "a/1.jpg", "b/0.jpg", "b/1.jpg", "c/0.jpg", "c/1.jpg", "d/0.jpg", "d/1.jpg"):
        write(name)
    shares = {"val_share": 0.25, "test_share": 0.0}
    before = load(photos, **shares)
    ended = before.labels[before.splits.index("val")]
    spoil(photos, f"{ended}/0.jpg")
    with pytest.warns(UserWarning, match="left out"):
        found = load(photos, **shares)
    assert Counter(found.splits) == {"train": 4, "val": 2}


def test_nothing_but_broken_files(write, photos: Path) -> None:
    write("1.jpg")
    spoil(photos, "1.jpg")
    with pytest.raises(UserError, match=r"1 of 1 files cannot be used.*nothing else"):
        load(photos)


def test_a_class_that_broken_files_leave_with_one_image_is_left_out(write, photos: Path) -> None:
    lines = ["path,label,split"]
    for label, split in (("a", "train"), ("b", "train"), ("c", "val"), ("d", "test")):
        for k in range(2):
            write(f"{label}{k}.jpg")
            lines.append(f"{label}{k}.jpg,{label},{split}")
    (photos / "images.csv").write_text("\n".join(lines))
    assert len(load(photos)) == 8
    spoil(photos, "a1.jpg", "c0.jpg")
    with pytest.warns(UserWarning, match="left out") as caught:
        found = load(photos)
    assert set(found.labels) == {"b", "d"}
    assert "2 of 8 files" in str(caught[0].message)
    assert "2 classes of one image are left out" in str(caught[1].message)
    assert "'a', 'c'" in str(caught[1].message)


def test_a_folder_of_one_photograph_is_left_out_before_classes_are_shared_out(folders: Path, write) -> None:
    before = load(folders)
    write("aa/1.jpg")
    with pytest.warns(UserWarning, match="1 classes of one image are left out.*'aa'"):
        assert load(folders) == before


def test_folders_of_one_photograph_each(write, photos: Path) -> None:
    write("a/1.jpg"), write("b/1.jpg")
    with pytest.raises(UserError, match=f"every class has one image only.*data=views data.root={photos}"):
        load(photos)


@pytest.mark.parametrize("splits", [("test", "test"), ("query", "gallery")])
def test_classes_that_are_trained_on_and_scored_are_named(write, photos: Path, splits: tuple[str, str]) -> None:
    rows = enumerate(("train", "train", *splits))
    lines = ["path,label,split"] + [f"{write(f'{i}.jpg').name},a,{split}" for i, split in rows]
    (photos / "images.csv").write_text("\n".join(lines))
    with pytest.warns(UserWarning, match=f"1 classes of train are in {splits[0]} too.*'a'"):
        load(photos)


def test_a_share_that_counts_for_nothing_beside_a_list_is_said(photos: Path, write) -> None:
    lines = ["path,label,split"] + [f"{write(f'{i}.jpg').name},a,train" for i in range(2)]
    (photos / "images.csv").write_text("\n".join(lines))
    with pytest.warns(UserWarning, match="data.test_share=1 counts for nothing"):
        assert set(load(photos, test_share=1.0).splits) == {"train"}


def test_a_cleaning_that_is_not_finished_is_called_so(photos: Path) -> None:
    (photos / "cleaning.json").write_text('{"made_by": "deepret clean", "finished": false}')
    with pytest.raises(UserError, match="the cleaning there is not finished"):
        load(photos)


def test_unlabelled_photographs_join_as_classes_of_their_own(folders: Path, write, tmp_path: Path) -> None:
    more = tmp_path / "more"
    write("x.jpg", folder=more), write("deep/y.jpg", folder=more)
    before, found = load(folders), load(folders, views=str(more))
    assert found.subset(range(len(before))) == before
    added = found.subset([i for i, view in enumerate(found.views) if view])
    assert [added.photo(i).path for i in range(2)] == [more / "deep/y.jpg", more / "x.jpg"]
    assert added.labels == ["view:deep/y.jpg", "view:x.jpg"]
    assert added.splits == ["train"] * 2
    with pytest.raises(UserError, match=r"data\.views=.*nowhere"):
        load(folders, views=str(tmp_path / "nowhere"))


# Real photographs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "splits", "labels"),
    [("dvd_covers", {"gallery": 100, "query": 400}, 100), ("ukbench56", {"gallery": 56}, 1)],
)
def test_real_folders(shared: Path, name: str, splits: dict[str, int], labels: int) -> None:
    found = load(shared / "data" / name)
    assert Counter(found.splits) == splits
    assert len(set(found.labels)) == labels
