from __future__ import annotations

import time
from pathlib import Path

import torch
from data.pictures import picture
from networks import simplest
from torch import Tensor, nn

from deepret.data.photo import Photo
from deepret.reports.cost import milliseconds
from deepret.reports.matrix import Trained, cost_of


class Slow(nn.Module):
    """A backbone that takes its time, and longer at first."""

    mean, std, channels = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 3

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.seen = 0

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(self.seconds + 0.05 * (self.seen == 0))
        self.seen += 1
        return images


def test_each_is_timed_at_each_photograph_but_for_its_first_turn(tmp_path: Path) -> None:
    photos = []
    for number in range(2):
        picture(number, 64, 48).save(tmp_path / f"{number}.png")
        photos.append(Photo(tmp_path / f"{number}.png"))
    networks = {"quick": simplest(Slow(0.0)), "slow": simplest(Slow(0.02))}
    networks["quick"].train()
    found = milliseconds(networks, photos, torch.device("cpu"), turns=2)
    assert [network.backbone.seen for network in networks.values()] == [6, 6]
    assert 20 <= found["slow"] < 60
    assert found["quick"] < found["slow"]
    assert networks["quick"].training


def test_what_cannot_be_timed_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "best.ckpt"
    broken.write_bytes(b"no checkpoint")
    runs = [Trained("grid", "triplet", "0", 50.0, None, None, broken)]
    cost, said = cost_of(runs, 8)
    assert cost == {}
    assert said[0].startswith(f"What a photograph costs is not known: {broken}: this is no checkpoint")
    assert cost_of(runs, 0) == ({}, [])
    assert cost_of([Trained("grid", "triplet", "0", 50.0, None, None)], 8) == ({}, [])
