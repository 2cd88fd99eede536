"""A run that is killed and resumed ends with the weights of one that was left alone."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import signal
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from started import finish, read_whole, start, steps, wait_for, weights
from wandb_file import history, run_id

from deepret.config import compose
from deepret.programs import train as train_program
from deepret.programs.opening import open_run
from deepret.programs.shared import evaluate_network
from deepret.runs.figures import read_csv
from deepret.runs.run import Run
from deepret.training.callbacks import Watch
from deepret.training.proposals.stage import Proposals
from deepret.training.ranking import Ranking
from deepret.training.stages import Training

RUN = (
    "debug=fast",
    "regions=rpn",
    "trainer=cpu",
    "trainer.precision=32-true",
    "threads=1",
    "optimizer.lr=0.001",
    "ema=0.9",
)


def killed_and_resumed(
    tmp_path: Path, cache: Path, words: tuple[str, ...], at: list[int], how: int = signal.SIGKILL
) -> None:
    words = (*RUN, *words)
    left_alone = finish(start(tmp_path / "alone", cache, *words))
    output = tmp_path / "killed"
    process = start(output, cache, *words)
    for step in at:
        wait_for(output, step, process)
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
        read_whole(output)
        if how == signal.SIGINT:
            assert process.returncode == 130
            assert "resume=" in err
            assert "Traceback" not in err
        process = start(output, cache, *words, "resume=last")
    resumed = finish(process)
    assert len(list(output.iterdir())) == 1
    assert not list(output.rglob(".*.part"))
    first, second = weights(left_alone), weights(resumed)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key
    assert resumed["mAP"] == left_alone["mAP"]
    if "logger.wandb=offline" in words:
        (file,) = Path(resumed["run"]).glob("wandb/offline-run-*/*.wandb")
        logged = [row for row in read_csv(Path(resumed["run"]) / "metrics.csv") if row["name"] == "loss"]
        sent = [row for row in history(file) if any(name.endswith("/loss") for name in row)]
        assert len(sent) == len(logged)


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path, cache: Path) -> None:
    words = ("stages.steps=4", "stages.ranking=2", "stages.proposals=2", "logger.wandb=offline")
    killed_and_resumed(tmp_path, cache, words, [6])


@pytest.mark.slow
def test_control_c_says_how_to_go_on(tmp_path: Path, cache: Path) -> None:
    killed_and_resumed(
        tmp_path, cache, ("stages.steps=4", "stages.ranking=2", "stages.proposals=1"), [5], signal.SIGINT
    )


@pytest.mark.slow
def test_triplets_that_serve_several_epochs_outlive_a_kill(tmp_path: Path, cache: Path) -> None:
    words = (
        "regions=grid",
        "mining=pool",
        "mining.every=3",
        "mining.margin=2.0",
        "batch.images=9",
        "batch.images_per_class=3",
        "stages.steps=3",
        "stages.ranking=3",
    )
    killed_and_resumed(tmp_path, cache, words, [4])


@pytest.mark.slow
def test_a_run_cut_off_as_a_stage_begins_starts_it_from_the_same_numbers(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The RPN's first weights are random, and nothing of them is saved before its first epoch ends."""
    words = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "regions=rpn", "threads=1")

    def cut(self: object) -> None:
        raise KeyboardInterrupt

    alone = program("train", *words, root=tmp_path / "alone").json
    with monkeypatch.context() as patch:
        patch.setattr(Proposals, "on_train_epoch_start", cut)
        assert program("train", *words, root=tmp_path / "cut").code == 130
    torch.rand(7)  # whatever else has drawn random numbers meanwhile
    ended = program("train", *words, "resume=last", root=tmp_path / "cut")
    assert ended.code == 0, ended.err
    first, second = weights(alone), weights(ended.json)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_machine_that_would_choose_another_precision_goes_on_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["debug=fast", "trainer=cpu", "trainer.precision=auto", f"output={tmp_path}"]
    monkeypatch.setattr("deepret.programs.shared.choose_precision", lambda *_: "bf16-mixed")
    begun = open_run(compose("train", words), words)
    begun.let_go()
    monkeypatch.setattr("deepret.programs.shared.choose_precision", lambda *_: "32-true")
    for how in ("last", "auto"):
        again = open_run(compose("train", [*words, f"resume={how}", f"logger.project={how}"]), words)
        again.let_go()
        assert again.config["logger"]["project"] == how
        assert again.folder == begun.folder
        assert again.config["trainer"]["precision"] == "bf16-mixed"
    other = open_run(compose("train", [*words, "resume=auto", "trainer.precision=32-true"]), words)
    other.let_go()
    assert other.folder != begun.folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("regions=rpn", "ema=0.9", "regions.joint=true"),
        ("regions=grid", "references=cross_batch", "references.start=2"),
        ("regions=grid", "mining=pool", "mining.margin=2.0", "batch.images=9", "batch.images_per_class=3", "ema=0.9"),
    ],
    ids=["joint", "memory", "pool"],
)
def test_a_run_that_is_asked_to_end_goes_on_within_its_epoch(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Asked in the third step of an epoch of five, twice; once more where the proposals are learned."""
    words = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "threads=1", "workers=0", *words)
    words += ("stages.steps=5", "stages.ranking=2", "stages.refinement=2", "optimizer.lr=0.001")
    steps: list[int] = []

    def step(self: Ranking, batch: Any, number: int) -> torch.Tensor:
        steps.append(self.global_step)
        if len(steps) in asked:
            os.kill(os.getpid(), signal.SIGUSR1)
        return training_step(self, batch, number)

    training_step, asked = Ranking.training_step, (3, 8)
    alone = program("train", *words, root=tmp_path / "alone").json
    monkeypatch.setattr(Ranking, "training_step", step)
    for end in asked:
        ended = program("train", *words, *(["resume=last"] if end > 3 else []), root=tmp_path / "cut")
        assert ended.code == 75
        assert "SIGUSR1 asked for it. The last good state is kept: go on with resume=" in ended.err
        assert len(steps) == end
    ended = program("train", *words, "resume=last", root=tmp_path / "cut")
    assert ended.code == 0, ended.err
    assert steps[:10] == list(range(10))  # none is done again
    assert figures(Path(alone["run"])) == figures(Path(ended.json["run"]))
    first, second = weights(alone), weights(ended.json)
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.slow
def test_auto_begins_a_run_goes_on_with_it_and_leaves_it_when_it_is_finished(
    program, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("debug=fast", "trainer=cpu", "regions=grid", "benchmark=none", "resume=auto")

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_train_epoch_end", cut)
        assert program("train", *words).code == 130
    (begun,) = Path("outputs").iterdir()
    finished = program("train", *words).json
    assert Path(finished["run"]).name == begun.name
    again = program("train", *words)
    assert again.json == finished
    assert "is finished already" in again.out
    assert list(Path("outputs").iterdir()) == [begun]


@pytest.mark.slow
def test_a_state_within_an_epoch_is_kept(program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off by what cannot be heard, after a save in the middle of the epoch."""
    words = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "threads=1", "regions=grid", "workers=0")
    words += ("stages.steps=7", "stages.save_every=3")
    steps: list[int] = []

    def step(self: Ranking, batch: Any, number: int) -> torch.Tensor:
        if len(steps) == 5:
            raise KeyboardInterrupt
        steps.append(self.global_step)
        return training_step(self, batch, number)

    training_step = Ranking.training_step
    alone = program("train", *words, root=tmp_path / "alone").json
    with monkeypatch.context() as patch:
        patch.setattr(Ranking, "training_step", step)
        assert program("train", *words, root=tmp_path / "cut").code == 130
    ended = program("train", *words, "resume=last", root=tmp_path / "cut")
    assert ended.code == 0, ended.err
    assert figures(Path(alone["run"])) == figures(Path(ended.json["run"]))
    first, second = weights(alone), weights(ended.json)
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.slow
def test_a_run_stopped_while_it_is_scored_says_how_to_go_on(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("debug=fast", "trainer=cpu", "regions=grid")
    scored = []

    def cut(*args: Any, **kwargs: Any) -> Any:
        scored.append(args)
        if len(scored) == 2:  # after the last stage
            raise KeyboardInterrupt
        return evaluate_network(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(train_program, "evaluate_network", cut)
        ended = program("train", *words)
    assert ended.code == 130
    (run,) = Path("outputs").iterdir()
    assert f"resume={run}" in ended.err.replace(str(tmp_path) + "/", "")
    assert Path(program("train", *words, "resume=last").json["run"]).name == run.name


@pytest.mark.slow
def test_photographs_that_have_changed_are_no_run_to_go_on_with(
    program, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("debug=fast", "trainer=cpu", "data=catalogue", f"data.root={photos}", "batch.images=4")

    def cut(self: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_train_epoch_end", lambda *_: cut(None))
        assert program("train", *words).code == 130
    (photos / "thing3" / "0.png").rename(photos / "thing3" / "other.png")
    refused = program("train", *words, "resume=last")
    assert refused.code == 2
    assert "have changed" in refused.err
    (photos / "thing3" / "other.png").rename(photos / "thing3" / "0.png")
    assert program("train", *words, "resume=last").code == 0


@pytest.mark.slow
def test_unlabelled_photographs_that_have_changed_are_noticed(
    program, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    for i, file in enumerate(sorted(photos.glob("*/*.png"))[:9]):
        (loose / f"{i}.png").write_bytes(file.read_bytes())
    words = ("debug=fast", "trainer=cpu", "regions=grid", f"data.views={loose}")

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_train_epoch_end", cut)
        assert program("train", *words).code == 130
    Image.new("RGB", (90, 70), (200, 10, 10)).save(loose / "more.png")
    refused = program("train", *words, "resume=last")
    assert refused.code == 2
    assert "data.views" in refused.err
    (loose / "more.png").unlink()
    assert program("train", *words, "resume=last").code == 0


@pytest.mark.slow
def test_scoring_what_was_trained_on_is_said(program, photos: Path) -> None:
    words = ("debug=fast", "trainer=cpu", "data=catalogue", f"data.root={photos}", "batch.images=4")
    trained = program("train", *words).json
    again = program("eval", f"checkpoint={trained['checkpoint']}")
    assert "trained on" not in again.out
    mixed = program("eval", f"checkpoint={trained['checkpoint']}", "data.split_seed=5")
    assert "were trained on" in mixed.out


@pytest.mark.slow
def test_a_run_of_another_format_is_named(program, tmp_path: Path) -> None:
    assert program("train", "debug=fast", "trainer=cpu", "regions=grid", "benchmark=none").code == 0
    (run,) = Path("outputs").iterdir()
    state = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**state, "format": 0, "status": "running"}))
    ended = program("train", f"resume={run}")
    assert ended.code == 2
    assert "format is 0" in ended.err


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(4))
def test_killed_anywhere(tmp_path: Path, cache: Path, seed: int) -> None:
    """Three kills at random steps of a run of 6 · 4 + 3 · 8 + 6 · 2 steps, with W&B on."""
    words = ("stages.steps=6", "stages.ranking=4", "stages.proposals=3", "stages.refinement=2", "logger.wandb=offline")
    killed_and_resumed(tmp_path, cache, words, sorted(random.Random(seed).sample(range(1, 58), 3)))


@pytest.mark.proof
@pytest.mark.parametrize(
    "words",
    [
        ("workers=2",),
        ("workers=2", "regions.joint=true"),
        ("regions=grid", "mining=pool", "mining.margin=2.0", "batch.images=9", "batch.images_per_class=3"),
        ("regions=grid", "loss=classification"),
        ("regions=grid", "loss=sum", "references=cross_batch", "references.start=3"),
    ],
    ids=["workers", "joint", "pool", "classification", "sum"],
)
def test_killed_anywhere_in_other_compositions(tmp_path: Path, cache: Path, words: tuple[str, ...]) -> None:
    words += ("stages.steps=6", "stages.ranking=4", "stages.proposals=3", "stages.refinement=2")
    last = 6 * 4 if "regions=grid" in words else 6 * 4 + 3 * 6 + 6 * 2
    killed_and_resumed(tmp_path, cache, words, sorted(random.Random(9).sample(range(1, last - 1), 2)))


@pytest.mark.proof
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="what a process holds is read from /proc")
def test_a_long_run_holds_no_more_at_its_end(tmp_path: Path, cache: Path) -> None:
    """Memory, open files, and files on disk of a run of 120 epochs, workers and all, over its second half."""
    words = ("workers=2", "stages.steps=4", "stages.ranking=60", "stages.proposals=2", "stages.refinement=60")
    process = start(tmp_path / "long", cache, *RUN, *words)
    held: dict[int, tuple[float, int, int]] = {}
    drain = threading.Thread(target=process.communicate)
    drain.start()
    while process.poll() is None:
        with contextlib.suppress(OSError):
            memory = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096 / 2**20
            files = sum(1 for _ in (tmp_path / "long").rglob("*"))
            held[steps(tmp_path / "long")] = (memory, len(list(Path(f"/proc/{process.pid}/fd").iterdir())), files)
        time.sleep(0.2)
    drain.join()
    assert process.returncode == 0
    for first, second in (((40, 120), (180, 235)), ((270, 340), (420, 480))):  # within a stage each
        early, late = ([held[k] for k in held if low <= k <= high] for low, high in (first, second))
        assert max(m for m, _, _ in late) < 1.05 * max(m for m, _, _ in early) + 50
        usual = [statistics.median(files for _, files, _ in some) for some in (late, early)]  # others come and go
        assert usual[0] <= usual[1] + 4
        assert max(n for _, _, n in late) <= max(n for _, _, n in early) + 4


def figures(run: Path) -> list[tuple[str, ...]]:
    """What a run logged, but for its speed and memory."""
    with (run / "metrics.csv").open(newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file) if row["name"] not in ("images/s", "memory GB")]


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "last"), [(1, "note"), (3, "on_train_epoch_end")])
def test_a_stage_that_ended_early_ends_where_it_did(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, last: str
) -> None:
    """The run is cut off after its stage has decided to end, before that is written down."""
    words = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "regions=grid", "ema=0.9", "threads=1")
    words += ("stages.ranking=5", "stages.patience=1", "optimizer.lr=0.001")
    score = {2 * epoch: epoch if epoch < stop else -1 for epoch in range(6)}  # by steps, of which an epoch has two
    monkeypatch.setattr(Training, "val_score", lambda self: lambda module: score[module.global_step])
    alone = program("train", *words, root=tmp_path / "alone").json

    def cut(self: object, *args: Any, **kwargs: Any) -> None:
        if last != "on_train_epoch_end" or args[0].should_stop:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((Run, last) if last == "note" else (Watch, last)), cut, raising=False)
        assert program("train", *words, root=tmp_path / "cut").code == 130
    ended = program("train", *words, "resume=last", root=tmp_path / "cut")
    assert ended.code == 0, ended.err
    assert ended.out.count("the stage ends") == 1
    first, second = weights(alone), weights(ended.json)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert figures(Path(ended.json["run"])) == figures(Path(alone["run"]))
    assert len({row[1] for row in figures(Path(alone["run"]))}) == stop


@pytest.mark.slow
def test_wandb_goes_on_with_the_run(program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("debug=fast", "trainer=cpu", "regions=grid", "logger.wandb=offline", "stages.ranking=3")

    def cut(self: Watch, trainer: Any, module: Any) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_train_epoch_end", cut)
        assert program("train", *words).code == 130
    ended = program("train", *words, "resume=last")
    assert ended.code == 0, ended.err
    run = Path(ended.json["run"])
    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    assert run_id(file) == json.loads((run / "run.json").read_text())["wandb"]
    logged = [float(row["value"]) for row in read_csv(run / "metrics.csv") if row["name"] == "loss"]
    assert len(logged) == 6
    assert [row["1-ranking/loss"] for row in history(file) if "1-ranking/loss" in row] == pytest.approx(logged)
