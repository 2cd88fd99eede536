from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

from deepret.models.detector.roi_heads import Detector

BOXES = torch.tensor([[2.0, 3.0, 7.0, 8.0], [8.0, 1.0, 13.0, 6.0], [4.0, 6.0, 12.0, 11.0], [1.0, 1.0, 6.0, 9.0]])


def maps_with(boxes: Tensor) -> Tensor:
    """Maps (B, 6, 12, 14) of noise, with one object each: other channels respond inside its box."""
    maps = 0.1 * torch.rand(len(boxes), 6, 12, 14, generator=torch.Generator().manual_seed(0))
    for own, (x0, y0, x1, y1) in zip(maps, boxes.long().tolist(), strict=True):
        own[:3, y0:y1, x0:x1] += 1.0
    return maps


def around(boxes: Tensor, count: int = 24) -> list[Tensor]:
    """Proposals of each image: its box, moved and scaled at random, and others anywhere."""
    random = torch.Generator().manual_seed(1)
    found = []
    for box in boxes:
        near = box + 2.5 * (torch.rand(count, 4, generator=random) - 0.5)
        corner = 8 * torch.rand(count, 2, generator=random)
        far = torch.cat([corner, corner + 2 + 2 * torch.rand(count, 2, generator=random)], dim=1)
        found.append(torch.cat([near, far]).clamp(min=0, max=12))
    return found


@pytest.fixture(scope="module")
def trained() -> Detector:
    torch.manual_seed(0)
    detector = Detector(6, hidden=16, size=5, width=64, dropout=0.0).train()
    maps, proposals, truth = maps_with(BOXES), around(BOXES), [box[None] for box in BOXES]
    optimizer = torch.optim.AdamW(detector.parameters(), lr=0.005)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = sum(detector.loss(maps, proposals, truth).values())
        assert isinstance(loss, Tensor)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    return detector


def test_finds_objects_that_it_has_not_seen_better_than_their_proposals_are(trained: Detector) -> None:
    boxes = BOXES + torch.tensor([1.0, 1.0, 1.0, 1.0])
    maps, proposals = maps_with(boxes), [own[:24] for own in around(boxes)]
    for found, box, given in zip(trained.detect(maps, proposals), boxes, proposals, strict=True):
        assert found.scores[0] > 0.5
        assert (found.scores.diff() <= 0).all()
        assert box_iou(found.boxes[:1], box[None]) > box_iou(given, box[None]).mean() + 0.1
        assert (found.boxes >= 0).all()
        assert (found.boxes[:, 2:] <= torch.tensor([14.0, 12.0])).all()


def test_an_image_alone_is_detected_as_among_others(trained: Detector) -> None:
    maps, proposals = maps_with(BOXES), around(BOXES)
    together = trained.detect(maps, proposals)
    for i, found in enumerate(together):
        (alone,) = trained.detect(maps[i : i + 1], proposals[i : i + 1])
        torch.testing.assert_close(alone.boxes, found.boxes)
        torch.testing.assert_close(alone.scores, found.scores)


def test_detecting_leaves_the_mode_and_draws_nothing(trained: Detector) -> None:
    trained.train()
    state = torch.get_rng_state()
    trained.detect(maps_with(BOXES), around(BOXES))
    assert trained.training
    assert torch.equal(torch.get_rng_state(), state)


def test_an_image_without_objects_is_background_and_one_without_proposals_has_no_detections(trained: Detector) -> None:
    losses = trained.loss(maps_with(BOXES[:1]), around(BOXES[:1]), [BOXES[:0]])
    assert all(torch.isfinite(value) for value in losses.values())
    assert float(losses["box loss"].detach()) == 0
    (found,) = trained.detect(maps_with(BOXES[:1]), [BOXES[:0]])
    assert found.boxes.shape == (0, 4)
