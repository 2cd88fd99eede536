from __future__ import annotations

from pathlib import Path

from deepret.data.catalogue import Catalogue
from deepret.reports.contents import Counts, by_split, class_sizes, sizes_table, split_table


def catalogue(root: Path) -> Catalogue:
    """Two classes of train, a view, a class of test, a distractor; a file of train has gone."""
    labels = ["a", "a", "b", "view:x", "a", ""]
    splits = ["train", "train", "train", "train", "test", "distractor"]
    for i in range(5):
        (root / f"{i}.jpg").write_bytes(bytes(1000 * (i + 1)))
    paths = ["0.jpg", "gone.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    boxes = [[(0.0, 0.0, 1.0, 1.0)], [], [], [], [], []]
    return Catalogue(root, paths, labels, splits, [(9, 9)] * 6, boxes, [False, False, False, True, False, False])


def test_each_split_is_counted(tmp_path: Path) -> None:
    counts = by_split(catalogue(tmp_path))
    assert counts == {
        "train": Counts(4, 2, 1, 1, 6000),
        "test": Counts(1, 1, 0, 0, 4000),
        "distractor": Counts(1, 0, 1, 0, 5000),
    }
    assert list(counts) == ["train", "test", "distractor"]
    lines = split_table(counts).splitlines()
    assert lines[0].split() == ["split", "photographs", "classes", "without", "label", "with", "boxes", "MB"]
    assert lines[2].split() == ["train", "4", "2", "1", "1", "0.01"]


def test_a_class_is_counted_in_its_split_and_views_are_none(tmp_path: Path) -> None:
    assert class_sizes(catalogue(tmp_path)) == [1, 1, 2]


def test_bars_show_how_many_classes_are_of_which_size() -> None:
    said, header, _, *lines = sizes_table([1, 2, 2, 3, 4, 4, 4, 17]).splitlines()
    assert said == "classes have 1 to 17 photographs, 3.5 in the middle"
    assert header.split() == ["photographs", "classes"]
    found = [line.split() for line in lines]
    assert [row[:2] for row in found] == [
        ["1", "1"],
        ["2", "2"],
        ["3–4", "4"],
        ["5–8", "0"],
        ["9–16", "0"],
        ["17–32", "1"],
    ]
    assert [len(row[2]) if len(row) > 2 else 0 for row in found] == [10, 20, 40, 0, 0, 10]
