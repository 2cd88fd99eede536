from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from deepret.models.regions.anchors import anchor_boxes

SCALES, RATIOS = (0.2, 0.5), (0.5, 1.0, 2.0)


def slow_anchors(height: int, width: int) -> list[tuple[float, float, float, float]]:
    """Place by place, row by row, each scale with each ratio."""
    found = []
    for y in range(height):
        for x in range(width):
            for scale in SCALES:
                for ratio in RATIOS:
                    area = (scale * max(height, width)) ** 2
                    w = (area / ratio) ** 0.5
                    h = w * ratio
                    found.append((x + 0.5 - w / 2, y + 0.5 - h / 2, x + 0.5 + w / 2, y + 0.5 + h / 2))
    return found


@settings(deadline=None)
@given(st.integers(1, 14), st.integers(1, 14))
def test_agree_with_loops(height: int, width: int) -> None:
    found = anchor_boxes(height, width, SCALES, RATIOS)
    torch.testing.assert_close(found, torch.tensor(slow_anchors(height, width)), rtol=1e-6, atol=1e-5)


def test_have_the_sides_and_the_order_of_torchvision() -> None:
    """Its anchors of whole pixels, at a stride of one pixel, start at the corners of places and round their sides."""
    height, width = 40, 60
    generator = AnchorGenerator(((12, 30),), (RATIOS,))
    images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    theirs = generator(images, [torch.zeros(1, 1, height, width)])[0].view(height * width, 3, 2, 4)
    ours = anchor_boxes(height, width, SCALES, RATIOS).view(height * width, 2, 3, 4).transpose(1, 2)
    assert (theirs + 0.5 - ours).abs().max() <= 0.501


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 4))
def test_grow_with_the_image(height: int, width: int, times: int) -> None:
    """The anchors of the middle of a map k times as large are k times as large."""
    small, large = (anchor_boxes(k * height, k * width, SCALES, RATIOS)[:6] for k in (1, times))
    sides = [boxes[:, 2:] - boxes[:, :2] for boxes in (small, large)]
    torch.testing.assert_close(times * sides[0], sides[1], rtol=1e-4, atol=1e-4)


def test_may_be_made_in_inference_and_used_in_training() -> None:
    with torch.inference_mode():
        kept = anchor_boxes(3, 17, SCALES, RATIOS)
    assert anchor_boxes(3, 17, SCALES, RATIOS) is kept
    scale = torch.ones(4, requires_grad=True)
    (kept * scale).sum().backward()
    assert scale.grad is not None


@pytest.mark.parametrize("places", [(1, 1), (1, 7), (5, 2)])
def test_count(places: tuple[int, int]) -> None:
    assert anchor_boxes(*places, SCALES, RATIOS).shape == (places[0] * places[1] * 6, 4)


def test_what_is_kept_does_not_depend_on_the_default_of_torch() -> None:
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        found = anchor_boxes(5, 23, SCALES, RATIOS)
    finally:
        torch.set_default_dtype(before)
    assert found.dtype == torch.float32
    exact = anchor_boxes(5, 23, SCALES, RATIOS, None, torch.float64)
    assert exact.dtype == torch.float64
    torch.testing.assert_close(found.double(), exact, rtol=1e-6, atol=1e-5)
