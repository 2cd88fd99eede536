"""Gradients of several processes against those of one on the whole batch, for every loss that there is.

This file is also the program of each process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from deepret.config import compose, groups, resolve
from deepret.distributed.ranks import gather, rank, world
from deepret.parts import build
from deepret.training.memory import recomputed

WORLDS, IMAGES, LIMIT = (2, 4), 12, 90
LOSSES = [f"loss={name}" for name in groups()["loss"]]
MORE = [f"loss=triplet loss.reduction={reduction}" for reduction in ("mean", "sum")]
MINERS = [f"mining={name}" for name in groups()["mining"]]
SIZES = {"loss=triplet": "loss.margin=0.5"}
"""What makes a loss see something in so small a batch."""
MINED = ("loss=triplet", "loss=classification", "loss=contrastive", *MORE)
GIVEN = "PARTS_OF_THE_TEST"
"""Where the processes find what has been composed for them."""
MARGIN = {f"mining={name}": {"margin": 0.5} for name in ("pool", "semi_hard")}
CASES = [f"{loss} {miner}" for loss in [*LOSSES, *MORE] for miner in MINERS if loss in MINED or miner == "mining=all"]


class Encoder(nn.Module):
    """A small network in float64, the same in every process."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 5, bias=False)).double()

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.layers(images), dim=1)


class Again(nn.Module):
    """An encoder that describes its images micro-batch by micro-batch, as a training step does under DDP."""

    def __init__(self, images: tuple[Tensor, ...], encoder: Encoder) -> None:
        super().__init__()
        self.images, self.encoder = images, encoder

    def forward(self) -> Tensor:
        return recomputed(self.encoder, self.images, list(self.encoder.parameters()))


def whole_batch() -> tuple[Tensor, Tensor]:
    images = torch.randn(IMAGES, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return images, torch.arange(IMAGES // 3).repeat_interleave(3)


@cache
def nodes() -> dict[str, Any]:
    """What the configuration says of the loss and the mining of each case; composed by the test alone, for speed."""
    if given := os.environ.get(GIVEN):
        found: dict[str, Any] = json.loads(Path(given).read_text())
        return found
    found = {}
    for loss in {case.rpartition(" ")[0] for case in CASES}:
        words = [*loss.split(), *filter(None, [SIZES.get(loss.split()[0])])]
        found |= {loss: resolve(compose("train", words))["loss"]}
    return found | {miner: resolve(compose("train", [miner]))["mining"] | MARGIN.get(miner, {}) for miner in MINERS}


@cache
def parts(case: str) -> tuple[Any, Any]:
    """Loss and mining, as a configuration has them."""
    named, _, miner = case.rpartition(" ")
    loss = build(nodes()[named], class_ids=torch.arange(IMAGES // 3), code_length=5).double()
    for part in loss.parameters():  # as if it had learned something
        nn.init.normal_(part, generator=torch.Generator().manual_seed(2))
    return loss, build(nodes()[miner])


def loss_of(case: str, codes: Tensor, labels: Tensor) -> Tensor:
    loss, miner = parts(case)
    same = labels[:, None] == labels
    itself = torch.eye(len(labels), dtype=torch.bool)
    rows, positives, negatives = miner.select(codes, codes, same & ~itself, ~same)
    found: Tensor = loss(codes[rows], codes, positives, negatives, labels[rows])
    return found


def gradients(model: nn.Module, loss: Tensor) -> list[Tensor]:
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


def process(number: int, count: int, folder: Path) -> None:
    """What one of the processes does: its share of the batch, each case, and its findings into a file."""
    torch.set_num_threads(1)
    assert (rank(), world()) == (0, 1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=number, world_size=count)
    assert (rank(), world()) == (number, count)
    images, labels = whole_batch()
    share = slice(number * IMAGES // count, (number + 1) * IMAGES // count)
    model = nn.parallel.DistributedDataParallel(Encoder())
    found: dict[str, Any] = {"labels": gather(labels[share]), "codes": gather(model(images[share])).detach()}
    for case in CASES:
        loss = loss_of(case, gather(model(images[share])), gather(labels[share]))
        found[case] = {"loss": loss.detach(), "gradients": gradients(model, loss)}
        small = images[share].split(2)
        again = Again(small, model.module)
        apart = nn.parallel.DistributedDataParallel(again)
        loss = loss_of(case, gather(apart()), gather(labels[share]))
        found[f"{case} in micro-batches"] = {"loss": loss.detach(), "gradients": gradients(again.encoder, loss)}
    codes = model(images[share])
    shares = [torch.empty_like(codes) for _ in range(count)]
    dist.all_gather(shares, codes.detach())
    shares[number] = codes  # only this process' own rows with a gradient: the common mistake
    found["half a gradient"] = gradients(model, loss_of(CASES[0], torch.cat(shares), labels))
    torch.save(found, folder / f"{number}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module", params=WORLDS, ids=lambda count: f"{count} processes")
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The findings of each process; all cases in one group, since starting takes longest."""
    count = request.param
    folder = tmp_path_factory.mktemp("processes")
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        GIVEN: str(folder / "parts.json"),
    }
    (folder / "parts.json").write_text(json.dumps(nodes()))
    started = [
        subprocess.Popen(
            [sys.executable, __file__, str(i), str(count), str(folder)], env=environment, stderr=subprocess.PIPE
        )
        for i in range(count)
    ]
    try:
        said = [p.communicate(timeout=LIMIT)[1].decode() for p in started]
    finally:
        for p in started:
            p.kill()
            p.wait()
    assert [p.returncode for p in started] == [0] * count, "\n".join(said)
    return [torch.load(folder / f"{i}.pt", weights_only=True) for i in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("micro", ["", " in micro-batches"])
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_one_process(found: list[dict[str, Any]], case: str, micro: str) -> None:
    model = Encoder()
    images, labels = whole_batch()
    loss = loss_of(case, model(images), labels)
    wanted = gradients(model, loss)
    assert loss > 0
    assert sum(g.abs().sum() for g in wanted) > 1e-3
    for process_found in found:
        torch.testing.assert_close(process_found[case + micro]["loss"], loss.detach(), rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(process_found[case + micro]["gradients"], wanted, rtol=1e-10, atol=1e-14)


@pytest.mark.slow
def test_gathers_in_the_order_of_the_ranks(found: list[dict[str, Any]]) -> None:
    images, labels = whole_batch()
    for process_found in found:
        assert torch.equal(process_found["labels"], labels)
        torch.testing.assert_close(process_found["codes"], Encoder()(images).detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_own_rows_alone_would_be_wrong(found: list[dict[str, Any]]) -> None:
    """So the comparison above can fail: without the other processes' part the gradient is far off."""
    model = Encoder()
    images, labels = whole_batch()
    wanted = torch.cat([g.flatten() for g in gradients(model, loss_of(CASES[0], model(images), labels))])
    wrong = torch.cat([g.flatten() for g in found[0]["half a gradient"]])
    assert (wrong - wanted).norm() > 0.1 * wanted.norm()


def test_one_process_gathers_nothing() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert gather(rows) is rows
    assert (rank(), world()) == (0, 1)


if __name__ == "__main__":
    process(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
