"""RootSIFT as a backbone: rows as OpenCV and a loop give them, one image or many, something or nothing in them."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from data.pictures import picture
from networks import simplest
from torch import Tensor

from deepret.errors import UserError
from deepret.models.backbone.colour import colour_statistics
from deepret.models.backbone.rootsift import RootSIFT
from deepret.models.types import Regions
from deepret.parts import check


def images(*seeds: int, width: int = 160, height: int = 112) -> Tensor:
    """Pictures as a network's input gives them, in 0…255."""
    pixels = [np.asarray(picture(seed, width, height)) for seed in seeds]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float()


def vectors(found: Regions) -> Tensor:
    assert found.vectors is not None
    return found.vectors


def test_rows_equal_opencvs_and_a_loop() -> None:
    found = RootSIFT(contrast=0.03)(images(0))
    grey = cv2.cvtColor(np.asarray(picture(0, 160, 112)), cv2.COLOR_RGB2GRAY)
    points, histograms = cv2.SIFT.create(contrastThreshold=0.03).detectAndCompute(grey, None)
    assert len(points) == len(vectors(found)) > 30
    wanted = []
    for point, histogram in zip(points, histograms.tolist(), strict=True):
        (x, y), half = point.pt, 3 * point.size
        box = [
            max(math.floor(x + 0.5 - half), 0),
            max(math.floor(y + 0.5 - half), 0),
            min(math.ceil(x + 0.5 + half), 160),
            min(math.ceil(y + 0.5 + half), 112),
        ]
        row = [math.sqrt(entry / sum(histogram)) for entry in histogram]
        wanted.append((-point.response, point.pt, point.angle, box, row))
    wanted.sort()
    assert found.boxes.tolist() == [box for *_, box, _ in wanted]
    assert torch.allclose(vectors(found), torch.tensor([row for *_, row in wanted]), atol=1e-6)
    assert (vectors(found).dtype, found.boxes.dtype, found.image.dtype) == (torch.float32, torch.int64, torch.int64)
    assert torch.allclose(vectors(found).norm(dim=1), torch.ones(len(points)), atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{}, {"count": 40, "colour": True}, {"where": "dense"}, {"where": "dense", "colour": True}]
)
def test_a_batch_is_each_image_alone(settings: dict[str, Any]) -> None:
    backbone = RootSIFT(**settings)
    batch = torch.cat([images(0), torch.full((1, 3, 112, 160), 77.0), images(1, 2)])
    found = backbone(batch.contiguous(memory_format=torch.channels_last))
    assert found.image.tolist() == sorted(found.image.tolist())
    assert set(found.image.tolist()) == {0, 2, 3}
    for i, image in enumerate(batch):
        alone = backbone(image[None])
        assert torch.equal(found.boxes[found.image == i], alone.boxes)
        assert torch.equal(vectors(found)[found.image == i], vectors(alone))
    low, high = found.boxes[:, :2], found.boxes[:, 2:]
    assert (low >= 0).all()
    assert (low < high).all()
    assert (high <= torch.tensor([160, 112])).all()
    assert vectors(found).shape[1] == backbone.channels == (224 if backbone.colour else 128)


def test_the_strongest_are_kept() -> None:
    every, few = RootSIFT()(images(0)), RootSIFT(count=20)(images(0))
    assert torch.equal(vectors(few), vectors(every)[:20])
    assert len(vectors(RootSIFT(contrast=0.06)(images(0)))) < len(vectors(every))


def test_colours_follow_of_each_upright_box() -> None:
    plain, coloured = RootSIFT()(images(0)), RootSIFT(colour=True)(images(0))
    assert torch.equal(vectors(coloured)[:, :128], vectors(plain))
    wanted = colour_statistics(np.asarray(picture(0, 160, 112)), plain.boxes.numpy())
    assert torch.equal(vectors(coloured)[:, 128:], torch.from_numpy(wanted))


def test_dense_patches_lie_on_their_grids() -> None:
    found = RootSIFT(where="dense", step=16, sizes=[32, 100])(images(0))
    wanted = [[x, y, x + 32, y + 32] for y in range(0, 81, 16) for x in range(0, 129, 16)]
    wanted += [[x, 6, x + 100, 106] for x in (6, 22, 38, 54)]
    assert found.boxes.tolist() == wanted
    assert torch.allclose(vectors(found).norm(dim=1), torch.ones(len(wanted)), atol=1e-6)


@pytest.mark.parametrize("where", ["keypoints", "dense"])
@pytest.mark.parametrize("shape", [(112, 160), (16, 16), (1, 1)])
def test_a_flat_image_has_none(where: Any, shape: tuple[int, int]) -> None:
    found = RootSIFT(where=where, colour=True)(torch.full((2, 3, *shape), 128.0))
    assert vectors(found).shape == (0, 224)
    assert found.boxes.shape == (0, 4)
    assert found.image.shape == (0,)


@pytest.mark.parametrize("shape", [(16, 160), (16, 16), (5, 7)])
def test_an_image_smaller_than_a_patch_is_one(shape: tuple[int, int]) -> None:
    height, width = shape
    pixels = torch.randint(0, 256, (1, 3, *shape), generator=torch.Generator().manual_seed(0)).float()
    found = RootSIFT(where="dense", step=500, sizes=[24])(pixels)
    assert found.boxes.tolist() == [[max((width - 24) // 2, 0), 0, min((width - 24) // 2 + 24, width), height]]
    RootSIFT()(pixels)  # it may have key points or none


def test_a_network_of_it_gives_the_sum_of_its_rows() -> None:
    backbone = RootSIFT()
    pixels = torch.cat([images(0), torch.full((1, 3, 112, 160), 9.0), images(1)]).to(torch.uint8)
    codes = simplest(backbone, size=160).eval()(pixels).vectors
    for i in (0, 2):
        total = vectors(backbone(pixels[i : i + 1].float())).sum(0)
        assert torch.allclose(codes[i], total / total.norm(), atol=1e-6)
    assert not codes[1].any()


def test_views_are_looked_at_each() -> None:
    pixels = images(0).to(torch.uint8)
    alone, twice = (simplest(RootSIFT(), size=160, flip=flip).eval()(pixels).vectors[0] for flip in (False, True))
    mirrored = simplest(RootSIFT(), size=160).eval()(pixels.flip(3)).vectors[0]
    assert torch.allclose(twice, torch.nn.functional.normalize(alone + mirrored, dim=0), atol=1e-6)
    assert (alone - mirrored).abs().max() > 1e-3  # SIFT is not the same in a mirror


def test_nothing_learns_and_all_is_float32_under_autocast() -> None:
    backbone = RootSIFT()
    assert list(backbone.state_dict()) == []
    assert (backbone.local, backbone.stride, backbone.channels) == (True, 1, 128)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = backbone(images(0))
    assert torch.equal(vectors(found), vectors(backbone(images(0))))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"where": "grid"}, "backbone.where='grid': .*'keypoints' or 'dense'"),
        ({"sizes": []}, "backbone.sizes"),
        ({"sizes": [4]}, "backbone.sizes"),
        ({"step": 0}, "backbone.step=0"),
        ({"count": 0}, "backbone.count=0"),
        ({"contrast": 1.0}, "backbone.contrast=1"),
    ],
)
def test_bad_settings_are_refused(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check({"_target_": "deepret.models.backbone.rootsift.RootSIFT", **setting}, "backbone")
