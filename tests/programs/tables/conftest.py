from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from deepret.config import compose, resolve
from deepret.models.backbone.lite0 import Lite0
from deepret.models.build import build_network
from deepret.reports.command import called
from deepret.runs import checkpoint as checkpoints

MAC, RMAC = "regions=whole projection=none", "regions=grid projection=pca dim=8"
ROWS = json.dumps([MAC, RMAC])


class Table:
    """Asks for tables in a folder of the test's own, and counts what the backbone sees."""

    def __init__(self, folder: Path, scenes: Path) -> None:
        self.scenes = scenes
        self.folder = folder
        self.images: list[int] = []
        self.start_anew("first")

    def start_anew(self, name: str) -> None:
        """From now on with nothing kept, but for the rendered scenes."""
        self.output, self.cache = self.folder / name / "table", self.folder / name / "cache"
        self.cache.mkdir(parents=True)
        (self.cache / "scenes").symlink_to(self.scenes)

    def __call__(self, *words: str, rows: str = ROWS) -> dict[str, Any]:
        """What the last line says."""
        own = [] if rows == "" else [f"rows={rows}"]
        tiny = ["scenes=[data=miniature]", "words=[input.size=64,workers=0]", "dims=[4,8]", "timed=1"]
        given = {word.partition("=")[0] for word in words}
        usual = [word for word in tiny if word.partition("=")[0] not in given]
        places = [f"output={self.output}", f"cache={self.cache}"]
        name = "deepret.programs.tables.report.descriptor_table"
        found: Any = called(name, [*own, *usual, *places, *words], "output=DIR")
        return found

    def seen(self) -> int:
        """How many images the backbone has seen since this was asked last."""
        count = sum(self.images)
        self.images.clear()
        return count

    def entries(self) -> dict[str, Any]:
        """What results.json holds, by the cells' names without their digests."""
        found = json.loads((self.output / "results.json").read_text())
        return {name.rpartition(" [")[0]: entry for name, entry in found.items()}


@pytest.fixture
def table(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    (cache / "scenes").mkdir(exist_ok=True)
    found = Table(tmp_path, cache / "scenes")
    extract = Lite0.extract

    def counted(self: Lite0, images: Tensor) -> Tensor:
        found.images.append(len(images) if images.device.type != "meta" else 0)
        return extract(self, images)

    monkeypatch.setattr(Lite0, "extract", counted)
    build_network(resolve(compose("eval", [])), weights=False)  # what is found out about an architecture once
    found.images.clear()
    threads = torch.get_num_threads()
    yield found
    torch.set_num_threads(threads)


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., Path]:
    """Fills a folder with pictures of patterns and lists them with their splits."""

    def filled(name: str, splits: dict[str, int], per_class: int = 3, shared: bool = False) -> Path:
        random = np.random.default_rng(len(name))
        folder, rows, label = tmp_path / name, ["path,label,split"], 0
        folder.mkdir()
        patterns = random.integers(0, 255, (sum(splits.values()), 6, 6, 3), np.uint8)
        for split, count in splits.items():
            for own in range(count):
                pattern = patterns[own if shared else label]
                for number in range(per_class):
                    path = f"{split}{own}-{number}.png"
                    Image.fromarray(pattern).resize((64, 58 + number), Image.Resampling.NEAREST).save(folder / path)
                    rows.append(f"{path},{own if shared else label},{split}")
                label += 1
        (folder / "images.csv").write_text("\n".join(rows) + "\n")
        return folder

    return filled


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A checkpoint as a training leaves it, its network's weights moved at random."""
    torch.manual_seed(1)
    words = ["debug=fast", "projection=pca", "dim=8", f"cache={tmp_path / 'cache'}", "data.train_classes=4"]
    config = resolve(compose("train", words))
    network = build_network(config, weights=False)
    network.projection.fitted.fill_(True)
    network.projection.rows.normal_()
    state = {
        f"network.{name}": value * (1 + 0.05 * torch.rand_like(value)) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    path = tmp_path / "run" / "1-ranking" / "best.ckpt"
    path.parent.mkdir(parents=True)
    checkpoints.save({"deepret": checkpoints.header(config, "1-ranking", None), "state_dict": state}, path)
    return path
