"""W&B beside a training: a run that was cut off is one run that holds every figure once, and no failure ends it."""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from wandb_file import history, records, run_id

from deepret.runs import logs as logging
from deepret.runs.figures import read_csv
from deepret.runs.logs import Logs


def trained(folder: Path, epochs: range, value: float, cut: bool) -> None:
    """Two steps an epoch of one stage; where it is cut off, the file is left as it is at that moment."""
    logs = Logs()
    logs.open(folder, {"seed": 0}, "one")
    loggers = logs.loggers(folder, "1-ranking", (epochs.start, 2 * epochs.start))
    for epoch in epochs:
        for step in (2 * epoch, 2 * epoch + 1):
            for logger in loggers:
                logger.log_metrics({"loss": value + step, "epoch": epoch}, step)
    if not cut:
        logs.summary({"mAP": 0.5})
    logs.close()


@pytest.mark.slow
def test_a_run_that_goes_on_is_one_run(tmp_path: Path) -> None:
    trained(tmp_path, range(3), 10.0, cut=True)  # the third epoch is done again
    trained(tmp_path, range(2, 4), 20.0, cut=False)
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert run_id(file) == "one"
    loss = {int(row["step"]): float(row["value"]) for row in read_csv(tmp_path / "metrics.csv")}
    assert loss == {step: (10 if step < 4 else 20) + step for step in range(8)}
    sent = history(file)
    assert [row["1-ranking/loss"] for row in sent] == [loss[step] for step in range(8)]
    assert Counter(row["trainer/global_step"] for row in sent) == Counter(range(8))


@pytest.mark.slow
def test_a_run_that_was_cut_off_after_its_last_stage_keeps_its_figures(tmp_path: Path) -> None:
    trained(tmp_path, range(2), 0.0, cut=True)
    logs = Logs()
    logs.open(tmp_path, {}, "one")
    logs.summary({"mAP": 0.5})
    logs.close()
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert [row["1-ranking/loss"] for row in history(file)] == [0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "said"), [("short", "API key"), ("a" * 40, "connection refused"), (None, "No API key configured")]
)
def test_an_online_run_that_cannot_be_sent_is_an_offline_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None, said: str
) -> None:
    monkeypatch.setattr(logging, "MEETING", 2)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("WANDB_API_KEY", key)
    logs = Logs(wandb="online")
    with pytest.warns(UserWarning, match=rf"W&B cannot be reached \(.*{said}.*offline.*wandb sync") as told:
        logs.open(tmp_path, {"seed": 0}, "one")
    assert len(told) == 1
    for logger in logs.loggers(tmp_path, "1-ranking"):
        logger.log_metrics({"loss": 0.5, "epoch": 0}, 0)
    logs.close()
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert [row["1-ranking/loss"] for row in history(file)] == [0.5]


@pytest.mark.slow
def test_network_photographs_and_results_are_wandbs_too(tmp_path: Path) -> None:
    for name in ("best.ckpt", "images.csv"):
        (tmp_path / name).write_text(name)
    logs = Logs(project="mine")
    logs.open(tmp_path, {"seed": 0}, "one")
    logs.results(["", "mAP %"], [["before", 50.0], ["after", None]])
    logs.model(tmp_path / "best.ckpt", tmp_path / "images.csv", {"mAP": 0.5})
    logs.close()
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    sent = {record.artifact.type: record.artifact for record in records(file) if record.HasField("artifact")}
    assert sent["model"].name == "mine-network"
    assert '"mAP"' in sent["model"].metadata
    assert sent["dataset"].name == "mine-photographs"
    for kind, name in (("model", "best.ckpt"), ("dataset", "images.csv")):
        (entry,) = sent[kind].manifest.contents
        assert entry.path == name
        assert entry.local_path == str(tmp_path / name)  # read when it is sent, and not kept a second time


class Broken:
    """A run of W&B's that takes nothing, and does not end."""

    def log(self, _: Any) -> None:
        raise ConnectionError("the disk is full")

    def finish(self) -> None:
        time.sleep(60)


def test_a_run_that_wandb_takes_no_more_of_goes_on(tmp_path: Path) -> None:
    logs = Logs()
    logs._run = Broken()
    loggers = logs.loggers(tmp_path, "1-ranking")
    loggers[0].log_metrics({"loss": 1.0, "epoch": 0}, 0)
    with pytest.warns(UserWarning, match="left out from here on .the disk is full.*metrics.csv"):
        loggers[1].log_metrics({"loss": 1.0, "epoch": 0}, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        for logger in loggers:
            logger.log_metrics({"loss": 2.0, "epoch": 0}, 1)
        logs.summary({"mAP": 0.5})
        logs.close()
    assert [row["value"] for row in read_csv(tmp_path / "metrics.csv")] == ["1", "2"]


def test_a_run_does_not_wait_for_wandb_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "PATIENCE", 0.05)
    logs = Logs()
    logs._run = Broken()
    begin = time.perf_counter()
    with pytest.warns(UserWarning, match="has not taken everything"):
        logs.close()
    assert time.perf_counter() - begin < 5


class Sent:
    """An online run of W&B's."""

    def __init__(self, folder: Path) -> None:
        self.dir = str(folder / "wandb" / "run-1" / "files")
        self.rows: list[dict[str, Any]] = []

    def log(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def define_metric(self, *_: object, **__: object) -> None:
        pass

    def finish(self) -> None:
        pass


@pytest.mark.slow
def test_a_run_that_began_offline_brings_its_figures_when_it_goes_on_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path, range(2), 10.0, cut=True)
    run = Sent(tmp_path)
    monkeypatch.setattr("wandb.init", lambda **_: run)
    logs = Logs(wandb="online")
    logs.open(tmp_path, {"seed": 0}, "one")
    logs.loggers(tmp_path, "1-ranking", (2, 4))
    assert [row["1-ranking/loss"] for row in run.rows] == [10, 11, 12, 13]
    assert not list(tmp_path.glob("wandb/offline-run-*"))  # which would take its place
    logs.close()


def test_a_wandb_that_does_not_work_is_asked_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    logs = Logs()
    with pytest.warns(UserWarning, match="W&B is left out"):
        logs.open(tmp_path, {}, "one")
    logs.picture("a", tmp_path / "a.png")
    logs.results(["a"], [[1]])
    logs.close()
