from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import nn

from deepret.training.profile import REST, Profile

NEXT, DESCRIBE = "[_TrainingEpochLoop].train_dataloader_next", "[Strategy]DDPStrategy.training_step"
BACK, ENDS = "[Strategy]DDPStrategy.backward", "[LightningModule]Ranking.on_train_batch_end"


class Clock:
    """A clock that this test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def step(profile: Profile, clock: Clock, waits: float) -> None:
    """A step as Lightning names its actions: 7 s and what it waits for."""

    def lasts(action: str, seconds: float) -> None:
        with profile.profile(action):
            clock.now += seconds

    lasts(NEXT, waits)
    with profile.profile("run_training_batch"), profile.profile("[LightningModule]Ranking.optimizer_step"):
        with profile.profile(DESCRIBE):
            clock.now += 1
        lasts(BACK, 2)
        clock.now += 3  # the optimiser itself
    lasts(ENDS, 0.5)
    clock.now += 0.5  # figures


def test_each_moment_is_one_parts() -> None:
    clock = Clock()
    profile = Profile(clock)
    clock.now += 50
    for epoch in range(2):
        step(profile, clock, waits=90 if epoch == 0 else 4)  # the first step of all is left out
        step(profile, clock, waits=4)
        with profile.profile("[Callback]KeepBest.on_train_epoch_end"):
            clock.now += 1000
    assert profile.steps == 3
    assert [(name, seconds) for _, name, seconds, _ in profile.rows("s")] == [
        ("waiting for images", 4),
        ("pairs and loss", 1),
        ("backward", 2),
        ("optimiser", 3),
        (REST, 1),
    ]
    assert sum(share for *_, share in profile.rows("s")) == pytest.approx(1)


def test_parts_of_the_network_are_none_of_the_step_that_calls_them() -> None:
    clock = Clock()
    profile, network = Profile(clock), nn.Sequential(nn.Identity())
    profile.watch(network)

    class Slow(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            clock.now += 5
            return x

    network[0].forward = Slow().forward  # type: ignore[method-assign]
    network(torch.ones(1))  # in no step
    for _ in range(2):
        with profile.profile(NEXT):
            pass
        with profile.profile(DESCRIBE):
            clock.now += 1
            network(torch.ones(1))
        with profile.profile(BACK):
            network(torch.ones(1))  # described again, in micro-batches
        with profile.profile(ENDS):
            pass
    profile.start("[Callback]KeepBest.on_train_epoch_end")
    found = {name: seconds for _, name, seconds, _ in profile.rows("s") if seconds}
    assert found == {"network: 0": 5, "pairs and loss": 1, "backward": 5}


def test_stages_stand_one_below_the_other(tmp_path: Path) -> None:
    for stage in ("1-ranking", "2-proposals"):
        clock = Clock()
        profile = Profile(clock)
        for _ in range(3):
            step(profile, clock, waits=1)
        assert "backward" in profile.tell(stage, tmp_path / "profile.csv")
    with (tmp_path / "profile.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["stage"] for row in rows] == ["1-ranking"] * 5 + ["2-proposals"] * 5
    assert float(rows[2]["seconds a step"]) == 2


@pytest.mark.slow
def test_a_training_tells_where_its_time_goes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from deepret.config import compose
    from deepret.programs.train import train

    words = [
        "debug=profile",
        "data=miniature",
        "input.size=64",
        "batch.size=64",
        "dim=16",
        "workers=0",
        "batch.images=8",
    ]
    words += ["regions=rpn", "trainer=cpu", "trainer.limit_train_batches=3", f"output={tmp_path}", f"cache={cache}"]
    run = Path(train(compose("train", words), words)["run"])
    out = capsys.readouterr().out
    assert "ms a step, 2 of them timed" in out
    with (run / "profile.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for stage in ("1-ranking", "3-ranking"):
        shares = {row["part"]: float(row["share"]) for row in rows if row["stage"] == stage}
        assert shares["backward"] > shares["network: pooling"] > 0
        assert shares["network: backbone"] > shares["network: head"]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-2)
    assert any(row["stage"] == "2-proposals" for row in rows)
