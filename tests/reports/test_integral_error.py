from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deepret.config import compose
from deepret.data.folder import images_below
from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.models.build import build_network
from deepret.models.pooling.integral import Integral
from deepret.models.regions.grid import grid_boxes
from deepret.programs.shared import prepare
from deepret.reports.command import called
from deepret.reports.integral_error import ALPHAS, LAYERS, errors, maps_by_layer


def report(*words: str) -> object:
    return called("deepret.reports.integral_error.integral_error", list(words), "photos=DIR")


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("alpha", [2.0, 10.0])
def test_errors_equal_those_of_one_region_and_one_photograph_at_a_time(alpha: float) -> None:
    torch.manual_seed(0)
    maps = [torch.rand(1, 6, height, width) + 0.2 for height, width in ((5, 7), (6, 6), (8, 4))]
    relative, same = [], []
    for i, own in enumerate(maps):
        for x0, y0, x1, y1 in grid_boxes(*own.shape[2:], 3, True).tolist():
            region = own[0, :, y0:y1, x0:x1].double().numpy()
            exact, near = unit(region.max((1, 2))), unit((region**alpha).sum((1, 2)) ** (1 / alpha))
            same.append(exact @ near)
            for j, other in enumerate(maps):
                if i != j:
                    query = unit(other[0].double().numpy().max((1, 2)))
                    relative.append(abs(query @ near - query @ exact) / (query @ exact))
    assert errors(maps, alpha) == pytest.approx((np.mean(relative), max(relative), min(same)), abs=1e-5)


def test_prints_a_line_a_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(generator.integers(0, 256, (96, 128, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    said = report(f"photos={tmp_path}", "images=2", "size=96")
    assert isinstance(said, dict)
    assert json.loads(json.dumps(said)) == said
    assert said["images"] == 2
    assert 0 < said["error"] < said["worst"]
    first, header, _, *lines = capsys.readouterr().out.strip().splitlines()
    assert "2 photographs of 96 pixels" in first
    assert header.count("α") == len(ALPHAS)
    assert [line.split()[0] for line in lines] == list(LAYERS)
    assert lines[-1].split()[1:6] == ["1280", "×", "3", "×", "3"]


def test_the_last_layer_gives_the_backbones_own_maps(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 64, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    photo = Photo(tmp_path / "a.png")
    network = build_network(prepare(compose("eval", ["experiment=rmac", "dim=8", "input.size=96"]), "eval")).eval()
    with torch.no_grad():
        (found,) = maps_by_layer([photo], 96)["bn2"]
        assert torch.equal(found, network.maps(network.input.tensor(photo)[None]))


def test_needs_two_photographs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are 0"):
        report(f"photos={tmp_path}")


@pytest.mark.slow
@torch.no_grad()
def test_on_photographs_cosines_are_within_two_in_a_hundred(shared: Path) -> None:
    """R-MAC as its experiment composes it: regions before the projection, and whitened codes after it."""
    paths = images_below(shared / "data/landmarks/images")[::163][:8]
    network = build_network(prepare(compose("eval", ["experiment=rmac", "dim=32"]), "eval")).eval()
    maps = [network.maps(network.input.tensor(Photo(path))[None]) for path in paths]
    error, worst, nearest = errors(maps, 10.0)
    assert error <= 0.02
    assert worst <= 0.04
    assert nearest >= 0.98
    assert [errors(maps, alpha)[0] > error for alpha in (1.0, 3.0, 5.0)] == [True] * 3

    network.projection.fit(torch.cat([network.pooled(own).vectors for own in maps]))  # type: ignore[operator]
    exact = torch.cat([network.codes(own).vectors for own in maps])
    network.pooling = Integral()
    near = torch.cat([network.codes(own).vectors for own in maps])
    assert ((near * exact).sum(1) >= 0.98).all()
