from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from deepret.data.sets.landmarks import Landmarks, name_of
from deepret.errors import UserError

LISTS = "annotations_landmarks/annotation"
TRAIN = """http://a.org/x/tower.jpg 0 4 30 2 28
http://b.org/1.jpg?size=big 0 0 40 0 30
http://c.org/1.jpg 0 1 20 1 20
http://d.org/gone.jpg 0 1 20 1 20
http://e.org/arch.jpg 585 1 900 1 20
http://f.org/arch2.png 585 5 6 7 8
"""
VAL = "http://g.org/tower9.jpg 0 4 30 2 28\nhttp://h.org/tower8.jpg 0 4 30 2 28\n"


def sha(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:16]


@pytest.fixture
def root(write, photos: Path, text) -> Path:
    text(f"{LISTS}_clean_train.txt", TRAIN)
    text(f"{LISTS}_clean_val.txt", VAL)
    text(f"{LISTS}_full_train.txt", "".join(f"{' '.join(line.split()[:2])}\n" for line in TRAIN.splitlines()))
    text(f"{LISTS}_full_val.txt", "".join(f"{' '.join(line.split()[:2])}\n" for line in VAL.splitlines()))
    for name in ("0/tower.jpg", "0/1.jpg", f"0/{sha('http://c.org/1.jpg')}.jpg", "585/arch.jpg", "arch2.png"):
        write(f"images/{name}")
    for name in ("0/tower9.jpg", "0/tower8.jpg"):
        write(f"images/{name}")
    return photos


def test_the_clean_list_with_boxes(root: Path, table, told: list[str]) -> None:
    found = Landmarks(str(root), cache=None).load()
    assert table(found) == [
        ("images/0/tower.jpg", "0", "train"),
        ("images/0/1.jpg", "0", "train"),
        (f"images/0/{sha('http://c.org/1.jpg')}.jpg", "0", "train"),
        ("images/585/arch.jpg", "585", "train"),
        ("images/arch2.png", "585", "train"),
        ("images/0/tower9.jpg", "0", "val"),
        ("images/0/tower8.jpg", "0", "val"),
    ]
    assert found.boxes == [
        [(4, 2, 30, 28)],
        [(0, 0, 40, 30)],
        [(1, 1, 20, 20)],
        [],  # that of a larger photograph
        [(5, 7, 6, 8)],
        [(4, 2, 30, 28)],
        [(4, 2, 30, 28)],
    ]
    gone = f"images/0/{sha('http://d.org/gone.jpg')}.jpg"
    assert told == [
        f"data=landmarks: {root} has other counts than are published: 6 of train (42,410 are published), "
        f"2 of val (6,382 are published)",
        f"{root}: 1 of 8 photographs are not there: {gone}",
        f"{root}: 1 boxes leave their photographs, which have another size, and are left out",
    ]


def test_the_full_list_has_none(root: Path, table) -> None:
    found = Landmarks(str(root), "full", cache=None).load()
    assert table(found) == table(Landmarks(str(root), "clean", cache=None).load())
    assert found.boxes == [[]] * 7


def test_folders_without_a_list(root: Path, table, told: list[str]) -> None:
    for path in root.glob("annotations_landmarks/*"):
        path.unlink()
    (root / "images/585/b.jpg").write_bytes((root / "images/585/arch.jpg").read_bytes())
    found = Landmarks(str(root), None, val_share=0, cache=None).load()
    assert {(label, split) for _, label, split in table(found)} == {("0", "train"), ("585", "train")}
    assert len(found) == 7  # arch2.png is in no folder
    assert ["7 of train (213,678 are published)" in line for line in told] == [True]
    with pytest.raises(UserError, match=r"annotation_clean_train.txt cannot be read \(No such .*data.list=null"):
        Landmarks(str(root), cache=None).load()


def test_no_folder_is_told(photos: Path) -> None:
    with pytest.raises(UserError, match=r"images holds no folder with photographs. DIR's lists"):
        Landmarks(str(photos), None, cache=None).load()
    with pytest.raises(UserError, match=r"there is no such folder.*DIR's lists"):
        Landmarks(str(photos / "none"), cache=None).load()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("http://x.org/a.jpg", "wanted: URL LABEL, or URL LABEL x1 x2 y1 y2"),
        ("http://x.org/a.jpg 0 1 2 3", "wanted: URL LABEL, or"),
        ("http://x.org/a.jpg 0 1 2 3 x", "wanted: URL LABEL, or"),
        ("http://x.org/a.jpg 0 9 2 3 5", "with x1 < x2 and y1 < y2"),
    ],
)
def test_a_broken_line_is_named(root: Path, text, line: str, wanted: str) -> None:
    text(f"{LISTS}_clean_val.txt", f"{VAL}{line}\n")
    with pytest.raises(UserError, match=f"annotation_clean_val.txt, line 3: '{line}'; .*{wanted}"):
        Landmarks(str(root), cache=None).load()


def test_paths_and_names() -> None:
    assert name_of("http://a.org/b/c.PNG?d") == f"{sha('http://a.org/b/c.PNG?d')}.png"
    assert name_of("http://a.org/show.php?id=3").endswith(".jpg")
    assert name_of("http://a.org/b.jpg") != name_of("http://c.org/b.jpg")


def test_names_with_blanks_are_found_as_they_are_written_or_read(write, photos: Path, text, table) -> None:
    write("images/0/a b.jpg")
    write("images/0/c%20d.jpg")
    text("annotation_full_train.txt", "http://a.org/a%20b.jpg 0\nhttp://a.org/c%20d.jpg 0\nhttp://a.org/..%2Fe.jpg 0\n")
    text("annotation_full_val.txt", "")
    found = Landmarks(str(photos), "full", cache=None).load()
    assert [path for path, _, _ in table(found)] == ["images/0/a b.jpg", "images/0/c%20d.jpg"]


def test_paths_instead_of_urls(write, photos: Path, text, table) -> None:
    for i in range(2):
        write(f"data/0/{i}.jpg")
    text("annotation_full_train.txt", "data/0/0.jpg 0\ndata/0/1.jpg 0\n")
    text("annotation_full_val.txt", "")
    found = Landmarks(str(photos), "full", cache=None).load()
    assert table(found) == [("data/0/0.jpg", "0", "train"), ("data/0/1.jpg", "0", "train")]
