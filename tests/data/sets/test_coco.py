from __future__ import annotations

import json
from pathlib import Path

import pytest

from deepret.data.sets import coco
from deepret.data.sets.coco import COCO
from deepret.errors import UserError


def instances(images: dict[int, str], boxes: list[tuple[int, list[float], int]]) -> str:
    return json.dumps(
        {
            "info": {"year": 2017},
            "licenses": [],
            "images": [{"id": i, "file_name": n, "width": 40, "height": 30, "license": 4} for i, n in images.items()],
            "annotations": [
                {
                    "id": k,
                    "image_id": i,
                    "bbox": box,
                    "iscrowd": crowd,
                    "category_id": 18,
                    "area": 2,
                    "segmentation": [],
                }
                for k, (i, box, crowd) in enumerate(boxes)
            ],
            "categories": [{"supercategory": "animal", "id": 18, "name": "dog"}],
        }
    )


TRAIN = {391895: "000000391895.jpg", 522418: "000000522418.jpg"}
BOXES = [
    (522418, [2.5, 3, 10, 20.5], 0),
    (391895, [0, 0, 40.2, 30], 0),
    (522418, [0, 0, 40, 30], 1),
    (522418, [1, 2, 3, 4], 0),
    (391895, [5, 5, 0, 3], 0),
]


@pytest.fixture
def root(write, photos: Path, text) -> Path:
    text("annotations/instances_train2017.json", instances(TRAIN, BOXES))
    text("annotations/instances_val2017.json", instances({9: "000000000009.jpg"}, []))
    for name in ("train2017/000000391895.jpg", "train2017/000000522418.jpg", "val2017/000000000009.jpg"):
        write(name)
    return photos


def test_boxes_of_each_photograph(root: Path, table, told: list[str]) -> None:
    found = COCO(str(root), cache=None).load()
    assert table(found) == [
        ("train2017/000000391895.jpg", "", "train"),
        ("train2017/000000522418.jpg", "", "train"),
        ("val2017/000000000009.jpg", "", "val"),
    ]
    assert found.boxes == [[(0, 0, 40, 30)], [(2.5, 3, 12.5, 23.5), (1, 2, 4, 6)], []]
    assert told == [
        f"data=coco: {root} has other counts than are published: 2 of train (118,287 are published), "
        f"1 of val (5,000 are published)"
    ]


def test_missing_photographs_are_counted(root: Path, told: list[str]) -> None:
    (root / "train2017/000000391895.jpg").unlink()
    assert COCO(str(root), cache=None).load().boxes == [[(2.5, 3, 12.5, 23.5), (1, 2, 4, 6)], []]
    assert told[1] == f"{root}: 1 of 3 photographs are not there: train2017/000000391895.jpg"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"images": []}',
        instances(TRAIN, [(391895, [1, 2, 3], 0)]),
        instances(TRAIN, [(391895, ["a", 2, 3, 4], 0)]),  # type: ignore[list-item]
    ],
)
def test_a_broken_file_is_named(root: Path, text, content: str) -> None:
    text("annotations/instances_val2017.json", content)
    with pytest.raises(UserError, match=r"instances_val2017.json: no instances of COCO's \(.*take the published file"):
        COCO(str(root), cache=None).load()


def test_what_is_missing_or_strange_is_told(root: Path, text) -> None:
    text("annotations/instances_val2017.json", instances(TRAIN, [(3, [1, 2, 3, 4], 0)]))
    with pytest.raises(UserError, match=r"instances_val2017.json: a box is of image 3, which is not listed"):
        COCO(str(root), cache=None).load()
    (root / "annotations/instances_val2017.json").unlink()
    with pytest.raises(UserError, match=r"instances_val2017.json cannot be read \(No such.*unpack them in ROOT"):
        COCO(str(root), cache=None).load()


def test_without_its_package_it_says_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(coco.importlib, "import_module", missing)
    with pytest.raises(UserError, match=r"pip install 'deepret\[coco\]'"):
        COCO(str(root), cache=None).load()


def test_nothing_is_printed_in_reading(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    COCO(str(root), cache=None).load()
    assert capsys.readouterr().out == ""
