"""Pictures that look like photographs to what compares them: shapes of many sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, width: int = 200, height: int = 150) -> Image.Image:
    """Random colours, coarse and fine."""
    random = np.random.default_rng(seed)
    image = np.zeros((height, width, 3))
    for cells in (3, 6, 12, 24):
        coarse = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        image += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), float) / 4
    return Image.fromarray(image.round().astype(np.uint8))


def listed(root: Path, **splits: list[int]) -> Path:
    """A folder with images.csv: of each split pairs of a class, pictures of the numbers given."""
    root.mkdir(parents=True)
    lines = ["path,label,split"]
    for split, pictures in splits.items():
        for place, seed in enumerate(pictures):
            name = f"{split}{place}.png"
            picture(seed).resize((160 - 7 * place, 120)).save(root / name)
            lines.append(f"{name},{'' if split == 'distractor' else f'{split}{place // 2}'},{split}")
    (root / "images.csv").write_text("\n".join(lines) + "\n")
    return root
