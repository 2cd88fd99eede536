"""What several processes decide and describe together. This file is also the program of each process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from deepret.data.photo import Photo
from deepret.distributed import processes
from deepret.distributed.describe import Together
from deepret.distributed.processes import agree, everyones, first, lightning
from deepret.distributed.ranks import rank, world
from deepret.errors import UserError
from deepret.models.aggregation.sum import Sum
from deepret.models.input.base import View
from deepret.models.input.longer import Longer
from deepret.models.types import Codes
from deepret.search.describe import Describer

pytestmark = pytest.mark.slow

WORLD, PHOTOS = 2, 7


class Colours(nn.Module):
    """A network whose codes are an image's mean colours, moved by a buffer that each process has made its own."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.input = Longer(mean=[0.5] * 3, std=[0.25] * 3, size=64)
        self.backbone = nn.Identity()
        self.aggregation = Sum()
        self.register_buffer("moved", torch.full((3,), 1.0 + number))
        self.register_buffer("known", torch.tensor(number == 0))

    def look(self, images: Tensor, view: View) -> Tensor:
        return self.input.seen(self.input(images), view)

    def propose(self, images: Tensor) -> None:
        return None

    def beside(self, found: Tensor, boxes: None, mirrored: bool) -> Tensor:
        return found

    def merged(self, views: list[Tensor], batch: int) -> Codes:
        return Codes(views[0].mean(dim=(2, 3)) + self.moved, torch.arange(batch))


def photographs(folder: Path) -> list[Photo]:
    """Some photographs of two shapes."""
    random = np.random.default_rng(0)
    for i in range(PHOTOS):
        pixels = random.integers(0, 256, (64, 48 if i % 3 else 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return [Photo(folder / f"{i}.png") for i in range(PHOTOS)]


def process(folder: Path) -> None:
    """What each process does; its findings go into a file."""
    torch.set_num_threads(1)
    alone = (rank(), world())
    processes.join()
    number = rank()
    network, photos = Colours(number), [Photo(folder / f"{i}.png") for i in range(PHOTOS)]
    describe = Together(network, batch_size=2, workers=0, cache=folder / "codes")
    found: dict[str, Any] = {
        "alone": alone,
        "world": world(),
        "first": first(lambda: f"rank {rank()}"),
        "everyone's": everyones(10 * number),
        "told before": processes.told(),
    }
    try:
        first(lambda: refuse(f"rank {rank()} refuses"))
    except UserError as error:
        found["refused"] = str(error)
    for name, settings in {"alike": {"a": 1}, "not alike": {"a": 1, "b": number}}.items():
        try:
            found[name] = agree(settings)
        except UserError as error:
            found[name] = str(error)
    found["codes"] = describe(photos)
    found["one photograph"] = describe(photos[:1])  # a process has nothing to do
    network.moved.zero_()
    network.moved += 1
    found["cached"] = describe(photos)
    found["files"] = everyones(len(list((folder / "codes").iterdir())))[0]
    found["speaks"] = processes.speaks()
    everyones(None)
    found["told"] = processes.told()
    torch.save(found, folder / f"{number}.pt")
    print(f"rank {number} speaks")
    processes.leave()
    assert world() == 1


def refuse(text: str) -> None:
    raise UserError(text)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Tensor, list[dict[str, Any]]]:
    """What the processes print, the codes of one process, and what each of several finds."""
    folder = tmp_path_factory.mktemp("processes")
    alone = Describer(Colours(0), batch_size=2, workers=0)(photographs(folder))  # type: ignore[arg-type]
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    more = {"PYTHONPATH": os.pathsep.join(paths), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={WORLD}"]
    ended = subprocess.run(
        [*start, __file__, str(folder)], capture_output=True, text=True, timeout=90, env={**os.environ, **more}
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout, alone, [torch.load(folder / f"{i}.pt", weights_only=True) for i in range(WORLD)]


def test_the_first_process_decides_for_all(found: tuple[str, Tensor, list[dict[str, Any]]]) -> None:
    for each in found[2]:
        assert each["alone"] == (0, 1)
        assert each["world"] == WORLD
        assert each["first"] == "rank 0"
        assert each["refused"] == "rank 0 refuses"
        assert each["everyone's"] == [0, 10]


def test_processes_with_other_settings_are_told(found: tuple[str, Tensor, list[dict[str, Any]]]) -> None:
    for each in found[2]:
        assert each["alike"] is None
        assert "process 1 was started with b=1, and the first one with b=0" in each["not alike"]


def test_one_process_speaks(found: tuple[str, Tensor, list[dict[str, Any]]]) -> None:
    assert found[0].split("\n") == ["rank 0 speaks", ""]
    assert sorted(each["speaks"] for each in found[2]) == [False, True]
    assert [(each["told before"], each["told"]) for each in found[2]] == [(False, True)] * WORLD


def test_processes_describe_what_one_does(found: tuple[str, Tensor, list[dict[str, Any]]]) -> None:
    """With the first one's buffers, and the first one's cache, which one of them fills."""
    _, alone, several = found
    for each in several:
        assert torch.equal(each["codes"], alone)
        assert torch.equal(each["cached"], alone)
        torch.testing.assert_close(each["one photograph"], alone[:1])
        assert each["files"] == 2


def test_one_process_waits_for_nobody() -> None:
    assert first(lambda: 3) == 3
    assert everyones("x") == ["x"]
    assert processes.speaks()
    assert processes.speaks()
    assert not processes.told()


def test_lightning_gets_what_torchrun_started(monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"devices": "auto", "num_nodes": 1, "strategy": "ddp", "accelerator": "cpu", "precision": "32-true"}
    assert lightning(node) == {**node, "devices": 1, "strategy": "auto"}
    for there, device in ((True, "cuda"), (False, "cpu")):  # never another, such as Apple's
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert lightning({**node, "accelerator": "auto"})["accelerator"] == device
    for module in ("processes", "ranks"):
        monkeypatch.setattr(f"deepret.distributed.{module}.world", lambda: 16)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert lightning(node) == {**node, "devices": 8, "num_nodes": 2}
    assert lightning({**node, "devices": 1, "strategy": "auto"}) == {**node, "devices": 8, "num_nodes": 2}
    assert lightning(node, alone=True) == {**node, "devices": 1, "strategy": "auto"}


if __name__ == "__main__":
    process(Path(sys.argv[1]))
