from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou

from deepret.errors import UserError
from deepret.models.regions.anchors import anchor_boxes
from deepret.models.regions.rpn import CANDIDATES, RPN

Box = tuple[float, float, float, float]


def trained(seed: int = 0, wild: float = 30.0, channels: int = 6, **settings: Any) -> RPN:
    """An RPN with random weights that scores and moves its anchors a lot."""
    torch.manual_seed(seed)
    rpn = RPN(channels=channels, **{"hidden": 8, "top": 5, **settings})
    with torch.no_grad():
        rpn.head.cls_logits.weight.mul_(wild)
        rpn.head.bbox_pred.weight.mul_(wild)
    rpn.is_trained.fill_(True)
    return rpn.eval()


def some_maps(batch: int, height: int, width: int, seed: int = 0, channels: int = 6) -> Tensor:
    return 3 * torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(seed))


# Targets and loss -----------------------------------------------------------------------------------------------------


def slow_iou(a: Box, b: Box) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def slow_encoding(box: Box, anchor: Box) -> list[float]:
    aw, ah, w, h = anchor[2] - anchor[0], anchor[3] - anchor[1], box[2] - box[0], box[3] - box[1]
    across = (box[0] + box[2]) / 2 - (anchor[0] + anchor[2]) / 2
    down = (box[1] + box[3]) / 2 - (anchor[1] + anchor[3]) / 2
    return [across / aw, down / ah, math.log(w / aw), math.log(h / ah)]


def slow_targets(
    anchors: list[Box], boxes: list[Box], positive: float, negative: float
) -> list[tuple[int, list[float]]]:
    """Faster R-CNN's rule, anchor by anchor."""
    overlaps = [[slow_iou(box, anchor) for anchor in anchors] for box in boxes]
    overlaps, boxes = (
        [o for o in overlaps if max(o) > 0],
        [b for b, o in zip(boxes, overlaps, strict=True) if max(o) > 0],
    )
    found = []
    for a, anchor in enumerate(anchors):
        if not boxes:
            found.append((-1, [0.0] * 4))
            continue
        mine = [o[a] for o in overlaps]
        nearest = mine.index(max(mine))
        label = 1 if max(mine) >= positive else 0 if max(mine) < negative else -1
        if any(o[a] == max(o) for o in overlaps):
            label = 1
        found.append((label, slow_encoding(boxes[nearest], anchor)))
    return found


@st.composite
def whole_boxes(draw: st.DrawFn, most: int, least: int = 0) -> list[Box]:
    """Boxes with whole corners, so that overlaps are the same fractions in any arithmetic."""
    corners = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 8), st.integers(1, 8))
    return [(x, y, x + w, y + h) for x, y, w, h in draw(st.lists(corners, min_size=least, max_size=most))]


@settings(deadline=None, max_examples=100)
@given(whole_boxes(12, 1), whole_boxes(4), st.sampled_from([(0.7, 0.3), (0.5, 0.4), (0.6, 0.6)]))
def test_targets_agree_with_loops(anchors: list[Box], boxes: list[Box], overlaps: tuple[float, float]) -> None:
    rpn = RPN(channels=2, hidden=2, positive=overlaps[0], negative=overlaps[1])
    truth = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels, corrections = rpn.targets(torch.tensor(anchors, dtype=torch.float32), truth)
    wanted = slow_targets(anchors, boxes, *overlaps)
    assert labels.tolist() == [label for label, _ in wanted]
    counts = labels == 1
    torch.testing.assert_close(corrections[counts], torch.tensor([t for _, t in wanted])[counts], rtol=1e-5, atol=1e-5)


def test_corrections_turn_anchors_into_the_boxes() -> None:
    rpn, maps = RPN(channels=2, hidden=2), torch.zeros(1, 2, 8, 12)
    anchors = anchor_boxes(8, 12, rpn.scales, rpn.ratios)
    boxes = torch.tensor([[1.5, 2.0, 7.25, 6.5], [6.0, 0.5, 11.5, 7.0]])
    labels, corrections = rpn.targets(anchors, boxes)
    found = rpn.decode(corrections[None], maps)[0][labels == 1]
    assert len(found) >= 2
    assert (box_iou(found, boxes).amax(dim=1) > 0.9999).all()


@pytest.mark.parametrize("box", [(3.0, 3.0, 3.0, 6.0), (40.0, 40.0, 50.0, 50.0)])
def test_a_box_that_no_anchor_touches_is_left_out(box: Box) -> None:
    """Were it kept, every anchor would be its best one, and a box without area would have a logarithm of zero."""
    torch.manual_seed(0)
    rpn, maps = RPN(channels=6, hidden=8, anchors=10**4).eval(), some_maps(1, 8, 8)
    good = torch.tensor([[1.0, 1.0, 6.0, 6.0]])
    alone = rpn.loss(maps, [good])
    beside = rpn.loss(maps, [torch.cat([good, torch.tensor([box])])])
    assert all(torch.equal(alone[k], beside[k]) for k in alone)
    assert sum(rpn.loss(maps, [torch.tensor([box])]).values()) == 0


@torch.no_grad()
def slow_loss(rpn: RPN, maps: Tensor, boxes: list[Tensor]) -> tuple[float, float]:
    """Log loss and smooth L1, anchor by anchor, where every anchor with a label is sampled."""
    logits, corrections = rpn.predict(maps)
    anchors = [tuple(a) for a in anchor_boxes(maps.shape[2], maps.shape[3], rpn.scales, rpn.ratios).tolist()]
    log, off, count = 0.0, 0.0, 0
    for b, known in enumerate(boxes):
        targets = slow_targets(anchors, [tuple(x) for x in known.tolist()], 0.7, 0.3)  # type: ignore[arg-type, misc]
        for a, (label, wanted) in enumerate(targets):
            if label == -1:
                continue
            count += 1
            score = 1 / (1 + math.exp(-float(logits[b, a])))
            log -= math.log(score if label else 1 - score)
            for t, w in zip(corrections[b, a].tolist(), wanted, strict=True):
                d = abs(t - w)
                if label:
                    off += 0.5 * d * d * 9 if d < 1 / 9 else d - 0.5 / 9
    return log / count, rpn.box_weight * off / count


def test_loss_agrees_with_loops() -> None:
    rpn = trained(wild=3.0, anchors=10**6, box_weight=2.5)
    maps = some_maps(3, 5, 7)
    boxes = [
        torch.tensor([[0.3, 0.4, 4.1, 3.2], [2.2, 1.1, 6.9, 4.7]]),
        torch.zeros(0, 4),
        torch.tensor([[1.0, 0, 5, 5]]),
    ]
    log, off = slow_loss(rpn, maps, boxes)
    found = rpn.loss(maps, boxes)
    assert found["log loss"].item() == pytest.approx(log, rel=1e-4)
    assert found["box loss"].item() == pytest.approx(off, rel=1e-4)


def test_samples_as_many_as_asked_and_at_most_half_positive() -> None:
    rpn = RPN(channels=2, hidden=2, anchors=10)
    labels, _ = rpn.targets(anchor_boxes(9, 9, rpn.scales, rpn.ratios), torch.tensor([[1.0, 1, 8, 8], [2, 2, 5, 6]]))
    positive, negative = (m[0].bool() for m in rpn.sampler([labels]))
    assert positive.sum() == min(5, (labels == 1).sum())
    assert (positive | negative).sum() == 10
    assert (labels[positive] == 1).all()
    assert (labels[negative] == 0).all()


def test_an_image_without_known_boxes_counts_for_nothing() -> None:
    rpn, maps = trained(anchors=10**6), some_maps(2, 6, 6)
    boxes = torch.tensor([[1.0, 1, 5, 5]])
    alone, both = rpn.loss(maps[:1], [boxes]), rpn.loss(maps, [boxes, torch.zeros(0, 4)])
    assert all(both[k].item() == pytest.approx(alone[k].item(), rel=1e-5) for k in alone)
    nothing = rpn.loss(maps, [torch.zeros(0, 4)] * 2)
    total = nothing["log loss"] + nothing["box loss"]
    total.backward()
    assert total.item() == 0


def test_leaves_channels_out_in_training_and_in_the_loss_only() -> None:
    rpn, maps, boxes = trained(dropout=0.5, anchors=10**6), some_maps(1, 6, 6), [torch.tensor([[1.0, 1, 5, 5]])]
    still, proposed = rpn.loss(maps, boxes)["log loss"], rpn.proposals(maps)
    rpn.train()
    drawn = [rpn.loss(maps, boxes)["log loss"].item() for _ in range(8)]
    assert len(set(drawn)) > 1
    assert trained(dropout=0.0, anchors=10**6).train().loss(maps, boxes)["log loss"] == still
    assert all(torch.equal(a, b) for a, b in zip(rpn.proposals(maps), proposed, strict=True))


@pytest.mark.parametrize("joint", [False, True])
def test_loss_reaches_the_maps_only_where_asked(joint: bool) -> None:
    rpn = trained(joint=joint)
    maps = some_maps(2, 6, 8).requires_grad_()
    total = torch.stack(list(rpn.loss(maps, [torch.tensor([[1.0, 1, 5, 5]])] * 2).values())).sum()
    total.backward()
    assert (maps.grad is not None) == joint
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in rpn.parameters())


# Proposals ------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def slow_proposals(rpn: RPN, maps: Tensor) -> list[tuple[Box, float]]:
    """The proposals on one map (1, C, H, W): best first, each that overlaps a better one goes."""
    logits, corrections = rpn.predict(maps)
    boxes = [tuple(b) for b in rpn.decode(corrections, maps)[0].tolist()]
    order = sorted(range(len(boxes)), key=lambda i: -float(logits[0, i]))[: CANDIDATES * rpn.top]
    kept: list[int] = []
    for i in order:
        if all(slow_iou(boxes[i], boxes[j]) <= rpn.nms for j in kept):  # type: ignore[arg-type]
            kept.append(i)
    return [(boxes[i], 1 / (1 + math.exp(-float(logits[0, i])))) for i in kept[: rpn.top]]  # type: ignore[misc]


@settings(deadline=None, max_examples=30)
@example(840, 5, 3, 0.3, 40)  # several scores are equal
@given(
    st.integers(0, 10_000),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([0.3, 0.7]),
    st.sampled_from([1, 5, 40]),
)
def test_proposals_agree_with_loops(seed: int, height: int, width: int, nms: float, top: int) -> None:
    rpn, maps = trained(seed, nms=nms, top=top), some_maps(1, height, width, seed)
    boxes, scores, image = rpn.proposals(maps)
    wanted = slow_proposals(rpn, maps)
    torch.testing.assert_close(boxes, torch.tensor([b for b, _ in wanted]))
    torch.testing.assert_close(scores, torch.tensor([s for _, s in wanted]))
    assert image.tolist() == [0] * len(wanted)


@pytest.mark.parametrize("whole", [False, True])
def test_a_batch_gives_what_each_image_gives_alone(whole: bool) -> None:
    rpn, maps = trained(top=12, whole=whole), some_maps(6, 9, 7)
    together = rpn(maps)
    for i in range(6):
        alone = rpn(maps[i : i + 1])
        mine = together.image == i
        assert torch.equal(together.boxes[mine], alone.boxes)
        torch.testing.assert_close(together.scores[mine], alone.scores)
    assert together.image.tolist() == sorted(together.image.tolist())


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12), st.sampled_from([1.0, 30.0, 1000.0]), st.booleans()
)
def test_regions_are_half_open_boxes_of_whole_cells(
    seed: int, height: int, width: int, wild: float, whole: bool
) -> None:
    rpn, maps = trained(seed, wild, whole=whole), some_maps(2, height, width, seed)
    fractions, scores, image = rpn.proposals(maps)
    regions = rpn(maps)
    assert regions.boxes.dtype == regions.image.dtype == torch.int64
    x0, y0, x1, y1 = regions.boxes.unbind(1)
    assert (x0 >= 0).all()
    assert (y0 >= 0).all()
    assert (x1 > x0).all()
    assert (y1 > y0).all()
    assert (x1 <= width).all()
    assert (y1 <= height).all()
    assert set(image.tolist()) == {0, 1}
    for i in range(2):
        cells, exact = regions.boxes[regions.image == i], fractions[image == i]
        if whole:
            assert cells[-1].tolist() == [0, 0, width, height]
            cells = cells[:-1]
        assert 1 <= len(cells) <= rpn.top
        wanted = [[math.floor(a), math.floor(b), math.ceil(c), math.ceil(d)] for a, b, c, d in exact.tolist()]
        assert cells.tolist() == wanted
        best_first = scores[image == i]
        assert (best_first[:-1] >= best_first[1:]).all()
    assert regions.scores is not None
    assert len(regions.scores) == len(regions.boxes)


def test_the_whole_map_is_one_more_region_and_the_last() -> None:
    maps = some_maps(2, 6, 9)
    without, with_it = trained(whole=False)(maps), trained(whole=True)(maps)
    last = torch.cat([with_it.image[1:] != with_it.image[:-1], torch.tensor([True])])
    assert torch.equal(with_it.boxes[~last], without.boxes)
    assert with_it.boxes[last].tolist() == [[0, 0, 9, 6]] * 2


def test_is_float32_under_autocast() -> None:
    rpn, maps = trained(), some_maps(2, 7, 7)
    plain = rpn.proposals(maps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = rpn.proposals(maps)
        losses = rpn.loss(maps, [torch.tensor([[1.0, 1, 5, 5]])] * 2)
    assert all(torch.equal(a, b) for a, b in zip(plain, mixed, strict=True))
    assert all(value.dtype == torch.float32 for value in losses.values())


def test_half_precision_maps_are_taken() -> None:
    rpn = trained()
    assert len(rpn.proposals(some_maps(1, 6, 6).half())[0]) > 0


def test_untrained_says_so() -> None:
    with pytest.raises(UserError, match=r"untrained.*checkpoint=PATH.*regions=grid"):
        RPN(channels=6)(some_maps(1, 4, 4))


def test_knows_from_a_checkpoint_that_it_is_trained() -> None:
    rpn = RPN(channels=6, hidden=8, top=5)
    rpn.load_state_dict(trained().state_dict())
    assert len(rpn(some_maps(1, 6, 6)).boxes) > 0


def test_refuses_a_negative_overlap_above_the_positive() -> None:
    with pytest.raises(UserError, match=r"regions.negative=0.8.*at most 0.7"):
        RPN(channels=2, negative=0.8)
