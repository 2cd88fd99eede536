from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepret.errors import UserError
from deepret.reports import scene_matches
from deepret.reports.command import called
from deepret.reports.scene_matches import affine_inliers, features


def told(*words: str) -> Any:
    return called("deepret.reports.scene_matches.scene_matches", list(words), "seed=1")


def picture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (30, 40), np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)


def test_a_warped_picture_matches_itself_and_no_other() -> None:
    turned = cv2.warpAffine(picture(0), np.float64([[0.9, 0.1, 5], [-0.1, 0.95, 20]]), (320, 240))
    assert affine_inliers(features(picture(0)), features(turned)) > 100
    assert affine_inliers(features(picture(0)), features(picture(1))) < 20


def test_pictures_without_keypoints_do_not_match() -> None:
    blank = features(np.full((50, 60), 128, np.uint8))
    assert len(blank) == 0
    assert affine_inliers(blank, features(picture(0))) == 0
    assert affine_inliers(blank, blank) == 0


class Small(scene_matches.Scenes):
    def __init__(self, train_classes: int, seed: int, cache: str) -> None:
        super().__init__(train_classes, 1, 1, 4, 3, 96, seed=seed, cache=cache)


@pytest.mark.slow
def test_the_share_is_of_all_close_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scene_matches, "Scenes", Small)
    words = ("classes=2", f"cache={tmp_path}")
    everything = told(*words, "angle=180", "inliers=1")
    assert everything["pairs"] == 4 * 6
    few, many = told(*words, "inliers=4"), told(*words, "inliers=12")
    assert few["pairs"] <= everything["pairs"]
    assert 0 <= many["share"] <= few["share"] <= 1
    lines = capsys.readouterr().out.strip().splitlines()
    assert sum(int(line.split()[1]) for line in lines if "–" in line) == 24 + 2 * few["pairs"]


@pytest.mark.parametrize(
    ("words", "message"),
    [(["angle=0"], "angle"), (["inliers=many"], "inliers='many'"), (["sed=1"], "did you mean 'seed'")],
)
def test_says_what_is_wrong(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        told(*words)


def test_no_pair_is_close_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_matches, "Scenes", Small)
    with pytest.raises(UserError, match="no two views"):
        told("classes=2", f"cache={tmp_path}", "angle=0.001")
