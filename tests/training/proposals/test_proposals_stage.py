from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from deepret.benchmarks.proposals import recall
from deepret.data.sampler import Draw
from deepret.models.aggregation.sum import Sum
from deepret.models.head.l2 import L2
from deepret.models.input.longer import Longer
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.none import NoProjection
from deepret.models.regions.rpn import RPN
from deepret.models.weighting.uniform import Uniform
from deepret.training.optimizers import adamw
from deepret.training.proposals.map_cache import Cached, ShapeBatches
from deepret.training.proposals.stage import Proposals, map_loader, proposals_of, recall_on, stacked
from deepret.training.schedule import cosine

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*LeafSpec.*is deprecated")

CHANNELS = 8


def planted(count: int, seed: int) -> Cached:
    """Noisy maps of two shapes with one or two boxes each, whose cells say how far their sides are, as features do."""
    random = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=random))

    found = Cached([], [])
    for i in range(count):
        height, width = (8, 11) if i % 2 else (11, 8)
        maps = 0.2 * torch.rand(CHANNELS, height, width, generator=random)
        boxes = []
        for _ in range(draw(1, 2)):
            w, h = draw(3, 6), draw(3, 6)
            x, y = draw(0, width - w), draw(0, height - h)
            ys, xs = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
            maps[:5, y : y + h, x : x + w] += torch.stack([torch.ones(h, w), xs, ys, w - xs, h - ys]) / 2
            boxes.append([x, y, x + w, y + h])
        found.maps.append(maps.half())
        found.boxes.append(torch.tensor(boxes, dtype=torch.float32))
    return found


def network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    backbone = nn.Sequential(nn.Conv2d(3, CHANNELS, 3), nn.BatchNorm2d(CHANNELS))
    regions = RPN(CHANNELS, hidden=32, dropout=0.0)
    project = NoProjection(CHANNELS)
    return Network(Longer([0.0] * 3, [1.0] * 3), backbone, regions, Max(), project, Uniform(), Sum(), L2())


class Losses(pl.Callback):
    """Writes down the loss of each step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, *_: Any) -> None:
        self.values.append(float(outputs["loss"]))


def train(
    cached: Cached, epochs: int = 12, seed: int = 0, extra: list[pl.Callback] | None = None
) -> tuple[Proposals, list[float]]:
    batches = ShapeBatches([m.shape for m in cached.maps], 8, seed)

    def steps(rpn: nn.Module) -> tuple[torch.optim.Optimizer, Any]:
        optimizer = adamw(rpn.parameters(), lr=3e-3)
        return optimizer, cosine(optimizer, len(batches) * epochs)

    module, losses = Proposals(network(), steps, {"format": 1}, seed), Losses()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        callbacks=[losses, *(extra or [])],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(module, map_loader(cached, batches))
    return module, losses.values


@pytest.mark.slow
def test_learns_to_find_planted_boxes() -> None:
    before = network()
    unseen = planted(40, seed=1)
    module, losses = train(planted(96, seed=0))
    score = recall_on(unseen)
    untrained = Proposals(network(), lambda _: (None, None), {})  # type: ignore[arg-type, return-value]
    assert sum(losses[-25:]) < 0.1 * sum(losses[:25])
    assert score(module) >= 0.8
    assert score(untrained) < score(module) - 0.4

    for name, value in module.network.state_dict().items():  # all else stands still
        if not name.startswith("regions."):
            assert torch.equal(value, before.state_dict()[name]), name
    assert bool(module.rpn.is_trained)
    assert all(p.requires_grad == name.startswith("regions.") for name, p in module.network.named_parameters())


class Stop(pl.Callback):
    """Ends a training before a step, and keeps what is saved at that moment."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.saved: dict[str, Any] = {}

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            self.saved = {k: v.clone() for k, v in pl_module.state_dict().items()}
            trainer.should_stop = True


@pytest.mark.parametrize("step", [0, 1, 4])
def test_an_rpn_is_trained_once_it_has_taken_a_step(step: int) -> None:
    stop = Stop(step)
    module, _ = train(planted(24, seed=0), epochs=2, extra=[stop])
    assert bool(stop.saved["network.regions.is_trained"]) == (step > 0)
    assert bool(module.rpn.is_trained)


def test_the_same_seed_gives_the_same_weights() -> None:
    cached = planted(24, seed=0)
    first, again, other = (train(cached, epochs=2, seed=seed)[0].rpn.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_loss_is_the_sum_of_the_rpns() -> None:
    cached = planted(4, seed=0)
    module = Proposals(network(), lambda _: (None, None), {})  # type: ignore[arg-type, return-value]
    module.log = module.log_dict = lambda *_, **__: None  # type: ignore[method-assign, assignment]
    maps, boxes = stacked([(cached.maps[i], cached.boxes[i]) for i in (0, 2)])
    torch.manual_seed(0)
    parts = module.rpn.loss(maps.float(), boxes)
    torch.manual_seed(0)
    assert torch.equal(module.training_step((maps, boxes), 0), parts["log loss"] + parts["box loss"])


def test_a_checkpoint_says_what_it_is() -> None:
    checkpoint: dict[str, Any] = {}
    Proposals(network(), lambda _: (None, None), {"stage": "2"}).on_save_checkpoint(checkpoint)  # type: ignore[arg-type, return-value]
    assert checkpoint == {"deepret": {"stage": "2"}}


def test_loads_maps_with_their_own_boxes() -> None:
    cached = planted(6, seed=0)
    batches = [[Draw(4, 0, 0), Draw(0, 0, 0)], [Draw(3, 0, 0)]]
    loaded = list(map_loader(cached, batches))
    for draws, (maps, boxes) in zip(batches, loaded, strict=True):
        assert len(maps) == len(boxes) == len(draws)
        for draw, one, known in zip(draws, maps, boxes, strict=True):
            assert torch.equal(one, cached.maps[draw.index])
            assert torch.equal(known, cached.boxes[draw.index])


def test_scores_by_the_recall_of_its_32_best_proposals() -> None:
    cached = planted(5, seed=3)
    module = Proposals(network(), lambda _: (None, None), {})  # type: ignore[arg-type, return-value]
    each: list[Tensor] = [module.rpn.proposals(maps[None].float(), 32, 0.7)[0] for maps in cached.maps]
    assert recall_on(cached)(module) == recall(each, cached.boxes)
    assert torch.equal(proposals_of(module.rpn, cached.maps[0], 32), each[0])
    assert len(each[0]) > len(proposals_of(module.rpn, cached.maps[0], 2)) == 2
