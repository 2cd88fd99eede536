"""Two processes that torchrun starts end where one does, in one folder, with one voice."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
RUN = ("debug=fast", "trainer=ddp", "trainer.accelerator=cpu", "trainer.precision=64-true", "optimizer.lr=0.0005")
"""In float64, where differences in rounding do not grow from step to step until they are seen."""
SPEED = ("images/s", "memory GB")


def torchrun(folder: Path, cache: Path, *words: str, program: str = "train.py") -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*start, str(ROOT / program), *words, f"output={folder / 'outputs'}", f"cache={cache}"],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
    )


def two(folder: Path, cache: Path, *words: str) -> dict:
    """What two processes find; one of them says it, and there is one run."""
    ended = torchrun(folder, cache, *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.strip().splitlines()
    assert [line.startswith("{") for line in lines] == [False] * (len(lines) - 1) + [True]
    assert sum(line.startswith("run: ") for line in lines) == 1
    found: dict = json.loads(lines[-1])
    assert [run.name for run in (folder / "outputs").iterdir()] == [Path(found["run"]).name]
    return found


def figures(result: dict) -> dict[tuple[str, ...], float]:
    """What a run logged of each step; each once."""
    with (Path(result["run"]) / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["name"] not in SPEED]
    found = {(r["stage"], r["epoch"], r["step"], r["name"]): float(r["value"]) for r in rows}
    assert len(found) == len(rows)
    return found


def assert_alike(one: dict, two: dict, tolerance: float = 1e-6) -> None:
    first, second = figures(one), figures(two)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert second[key] == pytest.approx(value, abs=tolerance), key
    for folder in sorted(Path(one["run"]).glob("?-*")):
        before, after = (Path(r["run"]) / folder.name / "best.ckpt" for r in (one, two))
        weights, others = (torch.load(path, weights_only=True)["state_dict"] for path in (before, after))
        for key, value in weights.items():
            torch.testing.assert_close(others[key], value, rtol=0, atol=tolerance, msg=key)
    assert two["stages"] == pytest.approx(one["stages"], abs=1e-5)
    assert two["mAP"] == pytest.approx(one["mAP"], abs=1e-5)


@pytest.mark.slow
def test_all_stages_are_those_of_one_process(program, tmp_path: Path, cache: Path, photos: Path) -> None:
    """Without a val split each stage keeps its last weights, so that what the steps made of them is compared."""
    data = ("data=catalogue", f"data.root={photos}", "data.val_share=0", "boxes=response")
    words = (*RUN, "regions=rpn", *data)
    found = two(tmp_path / "two", cache, *words)
    alone = program("train", *words)
    assert alone.code == 0, alone.err
    assert_alike(alone.json, found)
    assert list(found["stages"]) == ["before training", "1-ranking", "3-ranking"]


@pytest.mark.slow
def test_mined_triplets_and_averages_are_those_of_one_process(
    program, tmp_path: Path, cache: Path, photos: Path
) -> None:
    mining = ("mining=pool", "mining.margin=2.0", "batch.images=6", "batch.images_per_class=3", "ema=0.9")
    words = (*RUN, "stages.ranking=2", "data=catalogue", f"data.root={photos}", "data.val_share=0.3", *mining)
    found = two(tmp_path / "two", cache, *words)
    alone = program("train", *words)
    assert alone.code == 0, alone.err
    assert_alike(alone.json, found)
    assert any(name == "val mAP" for *_, name in figures(found))


@pytest.mark.slow
def test_a_mistake_is_told_once_and_ends_all(tmp_path: Path, cache: Path) -> None:
    ended = torchrun(tmp_path, cache, *RUN, "data=catalogue", "data.root=nowhere")
    assert ended.returncode != 0
    assert ended.stderr.count("error: data.root=nowhere: there is no such folder") == 1
    by_torchrun = ended.stderr.index("torch/distributed")  # it adds how the processes ended
    assert "Traceback" not in ended.stderr[:by_torchrun] + ended.stdout
    codes = [int(code) for code in re.findall(r"exitcode\s*: (-?\d+)", ended.stderr)]
    assert 2 in codes
    assert set(codes) <= {2, -15}  # one that torchrun ended before it could go by itself
