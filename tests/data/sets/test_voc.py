from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from deepret.data.sets.voc import VOC
from deepret.errors import UserError

OBJECT = """	<object>
		<name>person</name>
		<pose>Unspecified</pose>
		<truncated>1</truncated>
		<difficult>{difficult}</difficult>
		<bndbox>
			<xmin>{box[0]}</xmin>
			<ymin>{box[1]}</ymin>
			<xmax>{box[2]}</xmax>
			<ymax>{box[3]}</ymax>
		</bndbox>
		<part>
			<name>head</name>
			<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox>
		</part>
	</object>
"""


def annotation(name: str, boxes: Sequence[tuple[Sequence[object], int]]) -> str:
    objects = "".join(OBJECT.format(box=box, difficult=difficult) for box, difficult in boxes)
    return (
        f"<annotation>\n\t<folder>VOC2007</folder>\n\t<filename>{name}.jpg</filename>\n"
        f"\t<size><width>40</width><height>30</height><depth>3</depth></size>\n{objects}</annotation>\n"
    )


BOXES = {
    "000005": [((1, 1, 40, 30), 0), ((11, 6, 20, 15), 0), ((3, 3, 9, 9), 1)],
    "000007": [(("2.5", 2, 10, 12), 0)],
    "000009": [((5, 5, 6, 7), 1)],
}


@pytest.fixture
def root(write, photos: Path, text) -> Path:
    for name, boxes in BOXES.items():
        write(f"VOC2007/JPEGImages/{name}.jpg")
        text(f"VOC2007/Annotations/{name}.xml", annotation(name, boxes))
    text("VOC2007/ImageSets/Main/train.txt", "000005\n000007\n")
    text("VOC2007/ImageSets/Main/val.txt", "000009\n")
    text("VOC2007/ImageSets/Main/aeroplane_train.txt", "000005 -1\n000007  1\n")
    return photos


def test_boxes_are_half_open_and_from_zero(root: Path, table, told: list[str]) -> None:
    found = VOC(str(root), cache=None).load()
    assert table(found) == [
        ("VOC2007/JPEGImages/000005.jpg", "", "train"),
        ("VOC2007/JPEGImages/000007.jpg", "", "train"),
        ("VOC2007/JPEGImages/000009.jpg", "", "val"),
    ]
    assert found.boxes == [[(0, 0, 40, 30), (10, 5, 20, 15)], [(1.5, 1, 10, 12)], []]
    assert told == [
        f"data=voc: {root} has other counts than are published: 2 of train (2,501 are published), "
        f"1 of val (2,510 are published)"
    ]


def test_difficult_ones_count_where_asked(root: Path) -> None:
    found = VOC(str(root), difficult=True, cache=None).load()
    assert found.boxes == [[(0, 0, 40, 30), (10, 5, 20, 15), (2, 2, 9, 9)], [(1.5, 1, 10, 12)], [(4, 4, 6, 7)]]


def test_a_test_list_is_read_where_it_is_there(root: Path, text, write, told: list[str]) -> None:
    text("VOC2007/ImageSets/Main/test.txt", "000001\n")
    text("VOC2007/Annotations/000001.xml", annotation("000001", [((1, 1, 2, 2), 0)]))
    write("VOC2007/JPEGImages/000001.jpg")
    assert VOC(str(root), cache=None).load().splits == ["train", "train", "val", "test"]
    assert "1 of test (4,952 are published)" in told[0]


def test_photographs_of_test_without_annotations_are_left_out(root: Path, text, write, told: list[str]) -> None:
    text("VOC2007/ImageSets/Main/test.txt", "000001\n000002\n")
    text("VOC2007/Annotations/000001.xml", annotation("000001", [((1, 1, 2, 2), 0)]))
    write("VOC2007/JPEGImages/000001.jpg")
    write("VOC2007/JPEGImages/000002.jpg")
    assert VOC(str(root), cache=None).load().splits == ["train", "train", "val", "test"]
    assert told[0] == f"{root}: 1 photographs of test have no annotation and are left out: 000002"


def test_boxes_of_another_size_are_left_out(root: Path, text, told: list[str]) -> None:
    text("VOC2007/Annotations/000007.xml", annotation("000007", [((2, 2, 41, 30), 0), ((2, 2, 40, 99), 0)]))
    found = VOC(str(root), cache=None).load()
    assert found.boxes[1] == [(1, 1, 40, 30)]  # cut off
    assert told[1] == f"{root}: 1 boxes leave their photographs, which have another size, and are left out"


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("<annotation>", "no annotation of VOC's"),
        (annotation("x", [(("a", 1, 2, 3), 0)]), "no annotation of VOC's"),
        (annotation("x", [((9, 1, 2, 3), 0)]), "is no box x0, y0, x1, y1"),
    ],
)
def test_a_broken_annotation_is_named(root: Path, text, content: str, wanted: str) -> None:
    text("VOC2007/Annotations/000007.xml", content)
    with pytest.raises(UserError, match=f"000007.xml: .*{wanted}"):
        VOC(str(root), cache=None).load()


def test_what_is_missing_is_told(root: Path, text, told: list[str]) -> None:
    (root / "VOC2007/JPEGImages/000005.jpg").unlink()
    assert len(VOC(str(root), cache=None).load()) == 2
    assert told[1] == f"{root}: 1 of 3 photographs are not there: VOC2007/JPEGImages/000005.jpg"
    (root / "VOC2007/Annotations/000005.xml").unlink()
    with pytest.raises(UserError, match=r"VOC2007/Annotations/000005.xml cannot be read \(No such.*VOCtrainval_06"):
        VOC(str(root), cache=None).load()
    with pytest.raises(UserError, match=r"VOC2012/ImageSets/Main/train.txt cannot be read .*ROOT is the folder VOCdev"):
        VOC(str(root), "2012", cache=None).load()
    text("VOC2007/ImageSets/Main/train.txt", "000005 -1\n")
    with pytest.raises(UserError, match=r"train.txt, line 1: '000005 -1'; wanted: the name of a photograph"):
        VOC(str(root), cache=None).load()
