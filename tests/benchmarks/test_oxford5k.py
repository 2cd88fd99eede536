from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deepret.benchmarks.ground_truth.text import read_text
from deepret.benchmarks.oxford5k import Oxford5k
from deepret.data.photo import Photo
from deepret.errors import UserError

GROUND_TRUTH = {
    "all_souls_1_query.txt": "oxc1_all_souls_000013 8.5 4.1 40.5 30.7\n",
    "all_souls_1_good.txt": "all_souls_000026\noxford_002985\n",
    "all_souls_1_ok.txt": "all_souls_000013\n",
    "all_souls_1_junk.txt": "oxford_000317\nall_souls_000220\n",
    "keble_1_query.txt": "oxc1_keble_000245 2 1 64 48\n",
    "keble_1_good.txt": "keble_000028\n\n",
    "keble_1_ok.txt": "",
    "keble_1_junk.txt": "",
}
IMAGES = ["all_souls_000013", "all_souls_000026", "all_souls_000220", "keble_000028", "keble_000245"]
IMAGES += ["oxford_000317", "oxford_002985", "worcester_000194"]


def write_copy(root: Path, images: Sequence[str] = IMAGES, **changed: str) -> Path:
    """A miniature in the official layout: generated images, and ground truth with some files changed."""
    (root / "groundtruth").mkdir()
    (root / "images").mkdir()
    for name, text in {**GROUND_TRUTH, **{f"{k}.txt": v for k, v in changed.items()}}.items():
        (root / "groundtruth" / name).write_text(text)
    generator = np.random.default_rng(0)
    for name in images:
        noise = generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / "images" / f"{name}.jpg")
    return root


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Oxford5k, "count", len(IMAGES))
    monkeypatch.setattr(Oxford5k, "asked", 2)


def describe(photos: Sequence[Photo]) -> torch.Tensor:
    """Codes by hand: all_souls_1 ranks 220 (junk), 026, keble_028, 013, …, 985 last; keble_1 ranks keble_028 first."""
    by_name = {
        "all_souls_000220": (9.0, 0.0),
        "all_souls_000026": (8.0, 0.0),
        "keble_000028": (7.0, 9.0),
        "all_souls_000013": (6.0, 0.0),
        "keble_000245": (5.0, 3.0),
        "oxford_000317": (4.0, 1.0),
        "worcester_000194": (3.0, 2.0),
        "oxford_002985": (2.0, 0.0),
    }
    queries = {"all_souls_000013": (1.0, 0.0), "keble_000245": (0.0, 1.0)}
    return torch.tensor([(queries if photo.box else by_name)[photo.path.stem] for photo in photos])


@pytest.mark.usefixtures("complete")
def test_scores_positives_without_junk_and_counts_the_own_image_as_the_lists_say(tmp_path: Path) -> None:
    found = Oxford5k(str(write_copy(tmp_path))).evaluate(describe)
    assert found.benchmark == "oxford5k"
    assert [photo.box for photo in found.queries] == [(8.5, 4.1, 40.5, 30.7), (2.0, 1.0, 64.0, 48.0)]
    assert [photo.path.stem for photo in found.database] == IMAGES
    # junk removed: 026 at 0, 013 (the query's own image) at 2, 985 at 5
    first = (1 + (1 / 2 + 2 / 3) / 2 + (2 / 5 + 3 / 6) / 2) / 3
    assert found.ap.tolist() == pytest.approx([first, 1.0], abs=1e-12)
    assert found.metrics["mAP"] == pytest.approx((first + 1) / 2)
    assert found.metrics["recall@1"] == 1.0
    assert found.relevant == [{0, 1, 6}, {3}]
    assert found.counts == {
        "queries": 2,
        "database": 8,
        "left_out": 0,
        "missing_queries": 0,
        "missing_positives": 0,
        "missing_junk": 0,
        "missing_distractors": 0,
    }
    junk = {IMAGES.index("all_souls_000220"), IMAGES.index("oxford_000317")}
    assert not junk & set(found.ranking[0].tolist())


def test_a_partial_copy_says_so_and_counts_what_is_missing(tmp_path: Path) -> None:
    there = [name for name in IMAGES if name not in ("keble_000245", "oxford_002985", "oxford_000317")]
    found = Oxford5k(str(write_copy(tmp_path, there))).evaluate(describe)
    assert found.benchmark == "oxford5k (partial: 5 of 5,063, 2 of 55 queries)"
    assert found.counts == {
        "queries": 1,
        "database": 5,
        "left_out": 1,
        "missing_queries": 54,
        "missing_positives": 1,
        "missing_junk": 1,
        "missing_distractors": 5055,
    }
    assert found.ap.tolist() == pytest.approx(
        [(1 + (1 / 2 + 2 / 3) / 2) / 2]
    )  # out of the two positives that are there


@pytest.mark.usefixtures("complete")
def test_as_many_images_as_published_are_no_complete_copy_if_a_named_one_is_missing(tmp_path: Path) -> None:
    images = [name if name != "all_souls_000220" else "holiday_1" for name in IMAGES]
    names = {image: (0.0, 0.0) for image in ["holiday_1"]}
    found = Oxford5k(str(write_copy(tmp_path, images))).evaluate(
        lambda photos: torch.stack(
            [torch.tensor(names[p.path.stem]) if p.path.stem in names else describe([p])[0] for p in photos]
        )
    )
    assert found.benchmark == "oxford5k (partial: 7 of 8)"
    assert found.counts["missing_junk"] == 1


def test_images_beyond_the_published_ones_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Oxford5k, "count", len(IMAGES) - 1)
    monkeypatch.setattr(Oxford5k, "asked", 2)
    assert Oxford5k(str(write_copy(tmp_path))).evaluate(describe).benchmark == "oxford5k (and 1 more)"


def test_a_query_that_keeps_no_positive_is_left_out(tmp_path: Path) -> None:
    found = Oxford5k(str(write_copy(tmp_path, [n for n in IMAGES if n != "keble_000028"]))).evaluate(describe)
    assert found.counts["queries"] == 1
    assert found.counts["left_out"] == 1
    assert found.counts["missing_positives"] == 1


@pytest.mark.usefixtures("complete")
def test_a_name_that_is_good_and_ok_counts_once(tmp_path: Path) -> None:
    once = Oxford5k(str(write_copy(tmp_path))).evaluate(describe)
    (tmp_path / "groundtruth/all_souls_1_ok.txt").write_text("all_souls_000013\nall_souls_000026\n")
    assert Oxford5k(str(tmp_path)).evaluate(describe).ap.tolist() == once.ap.tolist()


def test_boxes_reaching_less_than_a_pixel_beyond_are_cut(tmp_path: Path) -> None:
    root = write_copy(tmp_path, keble_1_query="oxc1_keble_000245 -0.4 0 64.3 48.9\n")
    assert Oxford5k(str(root)).evaluate(describe).queries[1].box == (0.0, 0.0, 64.0, 48.0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keble_1_query": "oxc1_keble_000245 2 1 64\n"}, r"keble_1_query.txt, line 1: 'oxc1_keble_000245 2 1 64'"),
        ({"keble_1_query": "\noxc1_keble_000245 2 1 wide 48\n"}, r"keble_1_query.txt, line 2: .*wide"),
        ({"keble_1_query": "oxc1_keble_000245 2 1 nan 48\n"}, r"keble_1_query.txt, line 1"),
        ({"keble_1_query": "oxc1_keble_000245 64 1 2 48\n"}, r"keble_1_query.txt, line 1"),
        ({"keble_1_query": ""}, r"keble_1_query.txt: 0 lines"),
        ({"keble_1_query": "a 0 0 1 1\nb 0 0 1 1\n"}, r"keble_1_query.txt: 2 lines"),
        ({"keble_1_query": "oxc1_keble_000245 2 1 640 480\n"}, r"keble_1_query.txt: the box 2 1 640 480 .* 64 × 48"),
        ({"keble_1_ok": "keble_000028\nkeble 000055\n"}, r"keble_1_ok.txt, line 2: 'keble 000055'"),
        ({"keble_1_junk": "keble_000028\n"}, r"keble_1_junk.txt: keble_000028 is among the positives"),
        ({"extra_1_query": "oxc1_keble_000245 2 1 64 48\n"}, r"extra_1_good.txt cannot be read"),
    ],
)
def test_ground_truth_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Oxford5k(str(write_copy(tmp_path, **changed))).evaluate(describe)


def test_ground_truth_in_another_encoding_is_named(tmp_path: Path) -> None:
    root = write_copy(tmp_path)
    (root / "groundtruth/keble_1_ok.txt").write_bytes(b"\xff\xfe\x00k")
    with pytest.raises(UserError, match=r"keble_1_ok.txt cannot be read"):
        Oxford5k(str(root)).evaluate(describe)


def test_missing_folders_say_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*groundtruth. Unpack gt_files_170407.tgz"):
        Oxford5k(str(tmp_path)).evaluate(describe)
    (tmp_path / "groundtruth").mkdir()
    with pytest.raises(UserError, match="no ground truth"):
        Oxford5k(str(tmp_path)).evaluate(describe)
    (tmp_path / "groundtruth").rmdir()
    (write_copy(tmp_path, []) / "images").rmdir()
    with pytest.raises(UserError, match=r"there is no folder .*images. Unpack oxbuild_images.tgz"):
        Oxford5k(str(tmp_path)).evaluate(describe)


def test_no_usable_query_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of the 2 queries"):
        Oxford5k(str(write_copy(tmp_path, ["worcester_000194"]))).evaluate(describe)


def test_reads_the_official_ground_truth(ground_truth: Path) -> None:
    queries = read_text(ground_truth / "oxford5k_txt", "oxc1_")
    assert len(queries) == 55
    assert queries[0].name == "all_souls_1"
    assert queries[0].image == "all_souls_000013"
    assert queries[0].box == (136.5, 34.1, 648.5, 955.7)
    assert [len(names) for names in (queries[0].lists[kind] for kind in ("good", "ok", "junk"))] == [24, 54, 33]
    positives = [{*query.lists["good"], *query.lists["ok"]} for query in queries]
    assert all(query.image in right for query, right in zip(queries, positives, strict=True))
    assert sum(map(len, positives)) == 2840
    assert len(set().union(*positives, *(query.lists["junk"] for query in queries))) == 845


@pytest.mark.usefixtures("complete")
def test_codes_of_queries_beside_those_of_the_database_are_not_ranked(tmp_path: Path) -> None:
    """They go by the query's name, so that a photograph has one code whole and one cut."""
    root = write_copy(tmp_path)
    whole = [Photo(Path(f"{name}.jpg")) for name in IMAGES]
    cut = [Photo(Path(f"{name}.jpg"), (0, 0, 1, 1)) for name in ("all_souls_000013", "keble_000245")]
    np.save(tmp_path / "codes.npy", describe(whole + cut).numpy())
    (tmp_path / "codes.txt").write_text("\n".join([*IMAGES, "all_souls_1", "keble_1"]))
    found = Oxford5k(str(root), descriptors=str(tmp_path / "codes.npy")).evaluate(describe)
    assert found.benchmark == "oxford5k"
    assert found.counts["database"] == 8
    assert found.metrics == Oxford5k(str(root)).evaluate(describe).metrics
