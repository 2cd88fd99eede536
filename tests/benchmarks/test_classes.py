"""Benchmarks of metric learning, in miniatures of their official layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from deepret.benchmarks.cars196 import Cars196
from deepret.benchmarks.classes import Classes
from deepret.benchmarks.cub200 import CUB200
from deepret.benchmarks.sop import StanfordOnlineProducts
from deepret.data.photo import Photo
from deepret.errors import UserError

Row = tuple[str, int]


def sop(root: Path, rows: Sequence[Row]) -> None:
    lines = [f"{59552 + i} {label} {label % 12} {path}" for i, (path, label) in enumerate(rows)]
    (root / "Ebay_test.txt").write_text("\n".join(["image_id class_id super_class_id path", *lines]) + "\n")
    (root / "Ebay_train.txt").write_text("image_id class_id super_class_id path\n1 1 1 lamp_final/train_0.JPG\n")


def cub(root: Path, rows: Sequence[Row]) -> None:
    every = [("001.Albatross/train.jpg", 1), *rows]
    (root / "images.txt").write_text("".join(f"{i} {path}\n" for i, (path, _) in enumerate(every, 1)))
    (root / "image_class_labels.txt").write_text("".join(f"{i} {label}\n" for i, (_, label) in enumerate(every, 1)))


def cars(root: Path, rows: Sequence[Row]) -> None:
    every = [("car_ims/000001.jpg", 1), *rows]
    kinds = [("relative_im_path", "O"), ("bbox_x1", "O"), ("class", "O"), ("test", "O")]
    found = np.zeros((1, len(every)), dtype=kinds)
    for i, (path, label) in enumerate(every):
        found[0, i] = (path, 1, label, 0)
    savemat(root / "cars_annos.mat", {"annotations": found})


LAYOUTS: dict[str, tuple[type[Classes], Callable[[Path, Sequence[Row]], None], list[Row], str]] = {
    "sop": (
        StanfordOnlineProducts,
        sop,
        [(f"bicycle_final/{label}_{i}.JPG", label) for label in (11319, 11320, 11321) for i in range(3)],
        "",
    ),
    "cub200": (CUB200, cub, [(f"{c}.Bird/Bird_{c}_{i}.jpg", c) for c in (101, 150, 200) for i in range(3)], "images"),
    "cars196": (Cars196, cars, [(f"car_ims/{c:05d}{i}.jpg", c) for c in (99, 120, 196) for i in range(3)], ""),
}


@pytest.fixture(params=LAYOUTS)
def copy(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Classes, list[Row]]:
    kind, write, rows, folder = LAYOUTS[request.param]
    write(tmp_path, rows)
    for i, path in enumerate([path for path, _ in rows] + ["lamp_final/train_0.JPG", "001.Albatross/train.jpg"]):
        file = tmp_path / folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i * 9, 0, 0)).save(file)
    monkeypatch.setattr(kind, "count", len(rows))
    return kind(str(tmp_path)), rows


def walked(scores: np.ndarray, labels: Sequence[int], recalls: Sequence[int]) -> dict[str, float]:
    """Every figure by walking each query's ranking, the query itself left out."""
    sums: dict[str, list[float]] = {}
    for query, label in enumerate(labels):
        order = [i for i in sorted(range(len(labels)), key=lambda i: (-scores[query, i], i)) if i != query]
        right = [labels[i] == label for i in order]
        count = sum(right)
        at_r = sum(sum(right[: i + 1]) / (i + 1) for i in range(count) if right[i]) / count
        sums.setdefault("mAP@R", []).append(at_r)
        sums.setdefault("R-precision", []).append(sum(right[:count]) / count)
        for k in recalls:
            sums.setdefault(f"recall@{k}", []).append(any(right[:k]))
    return {name: float(np.mean(values)) for name, values in sums.items()}


def test_test_classes_alone_are_asked_and_ranked(copy: tuple[Classes, list[Row]]) -> None:
    benchmark, rows = copy
    codes = np.random.default_rng(0).integers(-2, 3, (len(rows), 4)).astype(np.float32)
    place = {Path(path).name: i for i, (path, _) in enumerate(rows)}

    def describe(photos: Sequence[Photo]) -> torch.Tensor:
        return torch.from_numpy(codes[[place[photo.path.name] for photo in photos]])

    found = benchmark.evaluate(describe)
    assert found.benchmark == benchmark.name
    assert (found.counts["queries"], found.counts["database"]) == (9, 9)
    wanted = walked(codes @ codes.T, [label for _, label in rows], benchmark.recalls)
    assert {name: found.metrics[name] for name in wanted} == pytest.approx(wanted, abs=1e-12)
    assert 0 < found.metrics["mAP"] <= 1
    found.database[0].path.unlink()
    found.database[1].path.unlink()
    part = benchmark.evaluate(describe)
    assert part.benchmark == f"{benchmark.name} (partial: 7 of 9)"
    assert part.counts["left_out"] == 3  # one of them has no other of its class
    assert part.counts["missing_positives"] == 2


@pytest.mark.parametrize("name", LAYOUTS)
def test_lists_that_are_missing_say_what_to_put_where(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"benchmark.root=.*cannot be read \(No such file.*\)\. ROOT (is|holds)"):
        LAYOUTS[name][0](str(tmp_path)).truth()


@pytest.mark.parametrize(
    ("kind", "files", "told"),
    [
        (StanfordOnlineProducts, {"Ebay_test.txt": "1 2 3\n"}, r"Ebay_test.txt, line 1: '1 2 3'; wanted: image_id"),
        (StanfordOnlineProducts, {"Ebay_test.txt": "1 2 3 a.JPG\n2 2 3 a.JPG\n"}, r"name a twice"),
        (CUB200, {"images.txt": "1 a.jpg\n", "image_class_labels.txt": "2 1\n"}, r"photograph 1 stands in one of"),
        (CUB200, {"images.txt": "1 a.jpg\n1 b.jpg\n"}, r"images.txt, line 2: '1 b.jpg'; wanted: a number of its own"),
        (CUB200, {"images.txt": "1 a.jpg\n", "image_class_labels.txt": "1 x\n"}, r"a class is no number"),
        (CUB200, {"images.txt": "1\n", "image_class_labels.txt": "1 1\n"}, r"images.txt, line 1: '1'; wanted: two"),
        (Cars196, {"cars_annos.mat": "no"}, r"cars_annos.mat cannot be read"),
    ],
)
def test_lists_that_cannot_be_read_are_told(
    tmp_path: Path, kind: type[Classes], files: dict[str, str], told: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=told):
        kind(str(tmp_path)).truth()
