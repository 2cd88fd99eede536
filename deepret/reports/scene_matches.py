"""How well rendered views of one building match: SIFT inliers of an affine map, by the angle between the views.

python -m deepret.reports.scene_matches [angle=40] [inliers=30] [seed=0] [cache=DIR]
"""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field, NonNegativeInt, PositiveInt
from tqdm import tqdm

from deepret.cleaning.features.base import Features
from deepret.cleaning.features.sift import SIFT
from deepret.cleaning.verification.affine import Affine
from deepret.data.scenes.source import Scenes, truth
from deepret.errors import UserError
from deepret.reports.command import command
from deepret.reports.table import table

STEP = 10
"""Degrees that a line of the table covers."""


def scene_matches(
    angle: Annotated[float, Field(gt=0, le=180)] = 40,
    inliers: PositiveInt = 30,
    classes: Annotated[int, Field(ge=2)] = 40,
    seed: NonNegativeInt = 0,
    cache: str = "~/.cache/deepret",
) -> dict[str, Any]:
    """Prints the share of pairs of views of one building that have enough inliers.

    Args:
        angle: pairs of which the azimuths are this close, in degrees, count.
        inliers: how many are enough.
        classes: landmarks of the train split; all else of the set is as ``data=scenes`` has it.
        seed: of the set.
        cache: where rendered sets are kept.

    Returns:
        what the last line prints: ``share`` (0…1), ``median`` inliers, ``pairs``.

    Raises:
        UserError: no two views are that close.
    """
    folder = Scenes(train_classes=classes, seed=seed, cache=cache).folder()
    views: dict[str, list[tuple[float, Features]]] = {}
    for record in tqdm(truth(folder)["images"], desc="features", unit=" images", disable=None, leave=False):
        if record["split"] != "distractor":
            found = features(np.asarray(Image.open(folder / record["path"]).convert("L")))
            views.setdefault(record["shows"], []).append((record["azimuth"], found))
    close = [
        (abs(first - second), one, two)
        for own in views.values()
        for (first, one), (second, two) in combinations(own, 2)
        if abs(first - second) <= angle
    ]
    if not close:
        raise UserError(f"angle={angle}: no two views of one building are that close; give a larger one.")
    apart = np.array([pair[0] for pair in close])
    count = np.array([affine_inliers(one, two) for _, one, two in tqdm(close, desc="pairs", disable=None, leave=False)])
    lines = []
    for low in np.arange(0, angle, STEP):
        here = count[(apart >= low) & (apart < low + STEP)]
        if len(here):
            lines.append((f"{low:.0f}–{low + STEP:.0f}", len(here), 100 * (here >= inliers).mean(), np.median(here)))
    print(table(["degrees apart", "pairs", f"{inliers} inliers %", "median"], lines))
    return {
        "share": round(float((count >= inliers).mean()), 4),
        "median": float(np.median(count)),
        "pairs": len(count),
        "angle": angle,
        "inliers": inliers,
    }


def features(image: npt.NDArray[np.uint8]) -> Features:
    """SIFT features of a grey image (h, w) as it is, with OpenCV's own contrast."""
    points, descriptors = SIFT(count=8000, contrast=0.04).extract(image)
    return Features(points, descriptors, 1.0)


def affine_inliers(first: Features, second: Features) -> int:
    """Mutual matches of ratio 0.75 that one affine map explains to 6 pixels, as cleaning counts them."""
    match = Affine(tolerance=6.0)(first, second)
    return match.inliers if match else 0


if __name__ == "__main__":
    command(f"{__spec__.name}.scene_matches", "seed=1")
