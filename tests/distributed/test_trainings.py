"""Trainings of two processes against those of one, for every loss, every mining and every experiment that there is.

This file is also the program of each process: it runs all trainings one after the other in one group of processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from deepret.config import groups
from deepret.runs.figures import read_csv

ROOT = Path(__file__).resolve().parents[2]
STEPS, LIMIT = 20, 900
RUN = ("debug=fast", "trainer.precision=64-true", "optimizer.lr=0.0005", f"stages.steps={STEPS}", "batch.images=4")
"""In float64, where differences in rounding do not grow from step to step until they are seen."""
PHOTOS = ("data=catalogue", "data.root=photos", "data.views=loose", "data.view_share=0.5", "data.val_share=0")
"""What experiments on photographs train on here; none is kept for val, so that the last network is the best one."""
FITTED = ("stages.ranking=0",)
"""Nothing of local features learns: they are kept as they are fitted."""
POOL = ("mining.margin=2.0", "batch.images=6", "batch.images_per_class=3")
NEEDS: dict[str, tuple[str, ...]] = {
    "mining=all": ("loss.margin=1.0",),
    "mining=hardest": ("loss.margin=1.0",),
    "mining=pool": ("loss.margin=1.0", *POOL),
    "mining=semi_hard": ("loss.margin=1.0", "mining.margin=1.0"),
    "experiment=neural_codes_l5_alexnet": ("backbone.pretrained=false",),
    "experiment=fisher256": ("aggregation.components=16",),
    "experiment=sparse_coding": ("aggregation.atoms=32",),
    "experiment=triangulation16": ("aggregation.centres=1",),
    "experiment=fisher_color": FITTED,
    "experiment=vlad_sift": (*FITTED, "aggregation.centres=16"),
    "experiment=triangulation64_sift": (*FITTED, "aggregation.centres=2"),
    "experiment=sparse_sift": (*FITTED, "aggregation.atoms=64"),
    "experiment=faster_rcnn": ("stages.detection=1",),
    "experiment=landmarks": PHOTOS,
}
"""What an option needs beside it in a miniature."""
DROPS = frozenset({"experiment=neural_codes_l6_alexnet", "experiment=neural_codes_l7_alexnet"})
"""Of which parts drop activations at random, each process its own: no two trainings end in the same figures."""
UNTRAINED = frozenset({"experiment=one"})
"""Which is for evaluation alone."""
TOLERANCE = {"experiment=rmac_integral": 1e-5}
"""Where 1e-6 is too little: roots of differences of sums magnify what is rounded."""
SPEED = ("images/s", "memory GB")


def cases() -> dict[str, tuple[str, ...]]:
    """Words of each training, by its name."""
    found: dict[str, tuple[str, ...]] = {mining: ("loss=triplet", mining) for mining in named("mining")}
    losses = groups()["loss"]  # two trainings learn by all of them; gradients are compared for each with every mining
    found |= {f"losses {', '.join(half)}": added(half) for half in (losses[::2], losses[1::2])}
    found |= {memory: (memory, "references.start=3") for memory in named("references") if memory != "references=batch"}
    found["micro-batches"] = ("batch.microbatch=1",)
    found = {
        name: (*RUN, *words, *(more for word in words for more in NEEDS.get(word, ()))) for name, words in found.items()
    }
    short = ("debug=fast", "trainer.precision=64-true", "stages.steps=2")
    experiments = [name for name in named("experiment") if name not in DROPS | UNTRAINED]
    return found | {name: (*short, name, *NEEDS.get(name, ())) for name in experiments}


def added(losses: Sequence[str]) -> tuple[str, ...]:
    """Words for the sum of several losses, without the sum itself."""
    first, second, *more = [loss for loss in losses if loss != "sum"]
    begun = ("loss=sum", f"loss@loss.losses.first={first}", f"loss@loss.losses.second={second}")
    return (*begun, *(f"+loss@loss.losses.{loss}={loss}" for loss in more))


def named(group: str) -> list[str]:
    return [f"{group}={option}" for option in groups()[group]]


def trainings(folder: Path, cache: str) -> None:
    """Runs every training in this process, or in its group, one folder each."""
    from deepret.config import compose
    from deepret.distributed import processes
    from deepret.programs.train import train

    torch.set_num_threads(1)
    processes.join()
    trainer = "trainer=ddp_sim" if processes.world() > 1 else "trainer=cpu"
    for number, words in enumerate(cases().values()):
        given = [
            *words,
            trainer,
            f"output={folder / str(number)}",
            f"cache={cache}",
            "workers=0",
            "logger.wandb=disabled",
        ]
        train(compose("train", given), given)
    processes.leave()


def begin(folder: Path, cache: Path, *start: str) -> subprocess.Popen[str]:
    more = {"PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *start, __file__, str(folder), str(cache)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder.parent,
        env={**os.environ, **more},
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, Path]:
    """The folders of one process' trainings and of two processes'."""
    home = tmp_path_factory.mktemp("trainings")
    patterns(home)
    one, two = home / "one", home / "two"
    started = [
        begin(one, cache),
        begin(two, cache, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
    ]
    try:
        said = [process.communicate(timeout=LIMIT)[0] for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert [process.returncode for process in started] == [0, 0], "\n".join(said)
    return one, two


def patterns(home: Path) -> None:
    """Photographs of eight coloured patterns, four of each in folders by label, and twelve loose ones."""
    random = torch.Generator().manual_seed(0)
    for label in range(20):
        pattern = torch.randint(0, 256, (6, 6, 3), dtype=torch.uint8, generator=random).numpy()
        for number in range(4 if label < 8 else 1):
            path = home / "photos" / str(label) / f"{number}.png" if label < 8 else home / "loose" / f"{label}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pattern).resize((72 + 4 * number, 64), Image.Resampling.NEAREST).save(path)


def figures(result: dict[str, Any], home: Path) -> dict[tuple[str, ...], float]:
    """What a run logged of each step; each once."""
    rows = [row for row in read_csv(home / result["run"] / "metrics.csv") if row["name"] not in SPEED]
    found = {(r["stage"], r["epoch"], r["step"], r["name"]): float(r["value"]) for r in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", cases())
def test_two_processes_train_as_one(folders: tuple[Path, Path], name: str) -> None:
    number, tolerance = str(list(cases()).index(name)), TOLERANCE.get(name, 1e-6)
    runs = [next((folder / number).iterdir()) for folder in folders]
    one, two = (json.loads((run / "result.json").read_text()) for run in runs)
    first, second = (figures(result, folders[0].parent) for result in (one, two))
    assert first.keys() == second.keys()
    if not name.startswith("experiment"):
        losses = [value for (*_, figure), value in first.items() if figure == "loss"]
        assert len(losses) == STEPS
        assert len(set(losses)) > STEPS / 2
    stages = sorted(path.parent.name for path in runs[0].glob("?-*/best.ckpt"))
    assert stages
    for key, value in first.items():
        assert second[key] == pytest.approx(value, abs=tolerance), key
    for stage in stages:
        weights, others = (torch.load(run / stage / "best.ckpt", weights_only=True)["state_dict"] for run in runs)
        assert weights.keys() == others.keys()
        for key, value in weights.items():
            torch.testing.assert_close(others[key], value, rtol=0, atol=tolerance, msg=key)
    assert two["mAP"] == pytest.approx(one["mAP"], abs=1e-6)


if __name__ == "__main__":
    trainings(Path(sys.argv[1]), sys.argv[2])
