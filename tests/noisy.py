"""Noisy folders, small and quick to match: views of textured boards, among others under their labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def board(seed: int, side: int = 170) -> np.ndarray:
    """A texture (side, side, 3) with enough corners and blobs to match."""
    random = np.random.default_rng(seed)
    image = np.full((side, side, 3), 255.0)
    for _ in range(90):
        colour = random.integers(0, 256, 3).tolist()
        x, y = random.integers(0, side, 2).tolist()
        size = int(random.integers(4, 22))
        if random.random() < 0.5:
            cv2.rectangle(image, (x, y), (x + size, y + size), colour, -1)
        else:
            cv2.circle(image, (x, y), size // 2, colour, -1)
    return image


def view(what: int, number: int, size: tuple[int, int] = (260, 220)) -> tuple[Image.Image, list[float]]:
    """A photograph of a board before a background of its own, turned and scaled a little, and the board's box."""
    random = np.random.default_rng((what, number))
    scene = cv2.resize(board(10_000 + 100 * what + number, 40), size, interpolation=cv2.INTER_CUBIC)
    texture = board(what)
    side = texture.shape[0]
    angle, scale = np.radians(random.uniform(-8, 8)), random.uniform(0.7, 0.95)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]]) @ turn.T
    corners -= corners.min(axis=0)
    shift = random.uniform(0, 1, 2) * (np.array(size) - corners.max(axis=0))
    move = np.column_stack(
        [turn, shift - (np.array([[0, 0], [side, 0], [side, side], [0, side]]) @ turn.T).min(axis=0)]
    )
    cv2.warpAffine(texture, move, size, scene, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    low, high = shift, shift + corners.max(axis=0)
    return Image.fromarray(scene.clip(0, 255).astype(np.uint8)), [*low.tolist(), *high.tolist()]


def noisy(root: Path, classes: int = 4, right: int = 5, wrong: int = 3) -> dict[str, bool]:
    """Writes a folder of classes of ``right`` views of one board and ``wrong`` of boards of their own.

    Gives for each path whether it shows what its label says.
    """
    truth = {}
    for label in range(classes):
        folder = root / f"thing{label}"
        folder.mkdir(parents=True)
        for number in range(right + wrong):
            what = label if number < right else 500 + 50 * label + number
            view(what, number)[0].save(folder / f"{number}.png")
            truth[f"thing{label}/{number}.png"] = number < right
    return truth
