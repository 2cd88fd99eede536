from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deepret.errors import UserError
from deepret.models.regions import proposals
from deepret.models.regions.proposals import Proposals, in_cells, selective_search, shrunk
from deepret.parts import check


def scene() -> Tensor:
    """A picture (3, 60, 80) of two squares of one colour each on a third."""
    image = torch.full((3, 60, 80), 40, dtype=torch.uint8)
    image[0, 10:40, 8:32] = 230
    image[2, 20:50, 44:70] = 220
    return image


def slow_iou(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Cells in both, of cells in any."""
    cells = [{(x, y) for x in range(b[0], b[2]) for y in range(b[1], b[3])} for b in (one, other)]
    return len(cells[0] & cells[1]) / len(cells[0] | cells[1])


def slow_regions(boxes: Tensor, height: int, width: int, top: int, nms: float, whole: bool) -> list[tuple[int, ...]]:
    """One box after the other, each compared with all that are kept."""
    kept: list[tuple[int, ...]] = [(0, 0, width, height)] if whole else []
    for x0, y0, x1, y1 in boxes.tolist():
        left, up = min(math.floor(x0 * width + 1e-4), width - 1), min(math.floor(y0 * height + 1e-4), height - 1)
        right, down = max(math.ceil(x1 * width - 1e-4), left + 1), max(math.ceil(y1 * height - 1e-4), up + 1)
        box = (left, up, min(right, width), min(down, height))
        if len(kept) < top + whole and all(slow_iou(box, other) <= nms for other in kept):
            kept.append(box)
    return kept


share = st.integers(0, 40).map(lambda n: n / 40)
box = st.tuples(share, share, share, share).map(lambda b: (min(b[::2]), min(b[1::2]), max(b[::2]), max(b[1::2])))


@given(
    st.lists(st.lists(box, min_size=1, max_size=8), min_size=1, max_size=3),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 4),
    st.sampled_from([0.31, 0.71]),
    st.booleans(),
)
def test_regions_are_the_first_boxes_far_enough_apart_in_whole_cells(
    boxes: list[list[tuple[float, ...]]], height: int, width: int, top: int, nms: float, whole: bool
) -> None:
    given_boxes = [torch.tensor(own) for own in boxes]
    found = Proposals(top=top, nms=nms, whole=whole)(torch.zeros(len(boxes), 2, height, width), given_boxes)
    wanted = [slow_regions(own, height, width, top, nms, whole) for own in given_boxes]
    assert [tuple(b) for b in found.boxes.tolist()] == [b for own in wanted for b in own]
    assert found.image.tolist() == [i for i, own in enumerate(wanted) for _ in own]
    assert found.boxes.dtype == torch.int64


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 49), st.integers(1, 50))
def test_borders_on_whole_cells_stay_where_they_are(width: int, height: int, left: int, right: int) -> None:
    left, right = min(left, right - 1, width - 1), min(right, width)
    left = min(left, right - 1)
    shares = torch.tensor([[left / width, 0.0, right / width, 1.0]])
    assert in_cells(shares, height, width).tolist() == [[left, 0, right, height]]


def test_an_image_without_a_box_is_one_region() -> None:
    maps = torch.zeros(2, 1, 3, 4)
    found = Proposals(whole=False)(maps, [torch.empty(0, 4), torch.tensor([[0.0, 0.0, 0.5, 1.0]])])
    assert found.boxes.tolist() == [[0, 0, 4, 3], [0, 0, 2, 3]]
    assert found.image.tolist() == [0, 1]


def test_what_stands_out_is_proposed_the_largest_first() -> None:
    boxes = Proposals(side=80).propose(scene()[None])[0]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert area.tolist() == sorted(area.tolist(), reverse=True)
    assert boxes[0].tolist() == [0, 0, 1, 1]
    assert bool((boxes >= 0).all() & (boxes <= 1).all() & (area > 0).all())
    for square in ([8 / 80, 10 / 60, 32 / 80, 40 / 60], [44 / 80, 20 / 60, 70 / 80, 50 / 60]):
        assert float((boxes - torch.tensor(square)).abs().amax(dim=1).min()) < 0.04


def test_the_same_pixels_have_the_same_boxes_whatever_stands_beside_them() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (3, 60, 80), generator=generator, dtype=torch.uint8)
    regions = Proposals(side=48)
    alone, beside = regions.propose(scene()[None]), regions.propose(torch.stack([noise, scene(), scene()]).float())
    assert torch.equal(alone[0], beside[1])
    assert torch.equal(alone[0], beside[2])
    assert len(beside[0].unique(dim=0)) == len(beside[0]) > 1


def test_a_photograph_of_one_colour_is_a_whole() -> None:
    flat = torch.full((1, 3, 40, 60), 90, dtype=torch.uint8)
    assert Proposals().propose(flat)[0].tolist() == [[0, 0, 1, 1]]


def test_a_large_photograph_is_searched_small() -> None:
    pixels = np.zeros((60, 120, 3), np.uint8)
    assert shrunk(pixels, 40).shape == (20, 40, 3)
    assert shrunk(pixels, 120) is pixels
    assert shrunk(np.zeros((1, 500, 3), np.uint8), 16).shape == (1, 16, 3)


def test_quality_tries_more_ways() -> None:
    pixels = scene().permute(1, 2, 0).numpy()
    assert len(selective_search(pixels, "quality")) > len(selective_search(pixels, "fast"))


def test_boxes_are_found_once_and_in_training_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    def search(pixels: np.ndarray, mode: str) -> np.ndarray:
        searched.append(mode)
        return selective_search(pixels, "fast")

    monkeypatch.setattr(proposals, "selective_search", search)
    regions = Proposals(side=48, folder=str(tmp_path / "kept")).eval()
    first = regions.propose(scene()[None])[0]
    again = Proposals(side=48, top=3, folder=str(tmp_path / "kept")).eval().propose(scene()[None].float())[0]
    assert torch.equal(first, again)
    assert searched == ["fast"]
    Proposals(side=48, mode="quality", folder=str(tmp_path / "kept")).eval().propose(scene()[None])
    Proposals(side=32, folder=str(tmp_path / "kept")).eval().propose(scene()[None])
    assert searched == ["fast", "quality", "fast"]
    files = [*tmp_path.rglob("*.npy")]
    assert len(files) == 3
    regions.train().propose(scene()[None])
    assert len(searched) == 4
    assert [*tmp_path.rglob("*.npy")] == files


@pytest.mark.parametrize(("setting", "value"), [("top", 0), ("nms", 1.0), ("side", 8), ("mode", "slow"), ("folder", 3)])
def test_settings_without_a_meaning_are_refused(setting: str, value: object) -> None:
    node = {"_target_": "deepret.models.regions.proposals.Proposals", setting: value}
    with pytest.raises(UserError, match=f"regions.{setting}={value!r}"):
        check({"regions": node})
