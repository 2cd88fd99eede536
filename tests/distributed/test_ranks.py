"""Gradients of two processes against those of one on the whole batch. This file is also the program of each process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from deepret.distributed.ranks import gather, rank, world
from deepret.losses.triplet import Triplet
from deepret.training.mining.all import All
from deepret.training.mining.pool import Pool
from deepret.training.mining.semi_hard import SemiHard

WORLD, IMAGES, LIMIT = 2, 12, 60
MARGIN = 0.5
MINERS: dict[str, Any] = {"all": All(), "semi_hard": SemiHard(MARGIN), "pool": Pool(MARGIN)}
CASES = [f"{miner} {reduction}" for miner in MINERS for reduction in ("active", "mean", "sum")]


class Encoder(nn.Module):
    """A small network in float64, the same in every process."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 5, bias=False)).double()

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.layers(images), dim=1)


def whole_batch() -> tuple[Tensor, Tensor]:
    images = torch.randn(IMAGES, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return images, torch.arange(IMAGES // 3).repeat_interleave(3)


def loss_of(case: str, codes: Tensor, labels: Tensor) -> Tensor:
    miner, reduction = case.split()
    same = labels[:, None] == labels
    itself = torch.eye(len(labels), dtype=torch.bool)
    rows, positives, negatives = MINERS[miner].select(codes, codes, same & ~itself, ~same)
    loss: Tensor = Triplet(MARGIN, reduction)(codes[rows], codes, positives, negatives)  # type: ignore[arg-type]
    return loss


def gradients(model: nn.Module, loss: Tensor) -> list[Tensor]:
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


def process(number: int, folder: Path) -> None:
    """What one of the processes does: its share of the batch, each case, and its findings into a file."""
    torch.set_num_threads(1)
    assert (rank(), world()) == (0, 1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=number, world_size=WORLD)
    assert (rank(), world()) == (number, WORLD)
    images, labels = whole_batch()
    share = slice(number * IMAGES // WORLD, (number + 1) * IMAGES // WORLD)
    model = nn.parallel.DistributedDataParallel(Encoder())
    found: dict[str, Any] = {"labels": gather(labels[share]), "codes": gather(model(images[share])).detach()}
    for case in CASES:
        loss = loss_of(case, gather(model(images[share])), gather(labels[share]))
        found[case] = {"loss": loss.detach(), "gradients": gradients(model, loss)}
    codes = model(images[share])
    parts = [torch.empty_like(codes) for _ in range(WORLD)]
    dist.all_gather(parts, codes.detach())
    parts[number] = codes  # only this process' own rows with a gradient: the common mistake
    found["half a gradient"] = gradients(model, loss_of("all active", torch.cat(parts), labels))
    torch.save(found, folder / f"{number}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The findings of each process; all cases in one group, since starting takes longest."""
    folder = tmp_path_factory.mktemp("processes")
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen([sys.executable, __file__, str(i), str(folder)], env=environment, stderr=subprocess.PIPE)
        for i in range(WORLD)
    ]
    try:
        said = [p.communicate(timeout=LIMIT)[1].decode() for p in started]
    finally:
        for p in started:
            p.kill()
            p.wait()
    assert [p.returncode for p in started] == [0] * WORLD, "\n".join(said)
    return [torch.load(folder / f"{i}.pt", weights_only=True) for i in range(WORLD)]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_one_process(found: list[dict[str, Any]], case: str) -> None:
    model = Encoder()
    images, labels = whole_batch()
    loss = loss_of(case, model(images), labels)
    wanted = gradients(model, loss)
    assert loss > 0
    assert sum(g.abs().sum() for g in wanted) > 1e-3
    for process_found in found:
        torch.testing.assert_close(process_found[case]["loss"], loss.detach(), rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(process_found[case]["gradients"], wanted, rtol=1e-10, atol=1e-14)


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
    wanted = torch.cat([g.flatten() for g in gradients(model, loss_of("all active", model(images), labels))])
    wrong = torch.cat([g.flatten() for g in found[0]["half a gradient"]])
    assert (wrong - wanted).norm() > 0.1 * wanted.norm()


def test_one_process_gathers_nothing() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert gather(rows) is rows
    assert (rank(), world()) == (0, 1)


if __name__ == "__main__":
    process(int(sys.argv[1]), Path(sys.argv[2]))
