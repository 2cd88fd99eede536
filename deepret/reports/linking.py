"""How well verification tells photographs of one thing from others: links within classes at no false link across.

deepret report linking root=DIR [model=homography] [size=640] [cache=DIR]
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from tqdm import tqdm

from deepret.cleaning.features.rootsift import RootSIFT
from deepret.cleaning.features.store import FeatureStore
from deepret.cleaning.pairs.compared import Compared, compare, joined
from deepret.cleaning.parallel import each
from deepret.cleaning.verification.affine import Affine
from deepret.cleaning.verification.homography import Homography
from deepret.data.catalogue import Catalogue
from deepret.data.folder import check_folder
from deepret.data.photographs import Photographs
from deepret.errors import UserError
from deepret.reports.command import command
from deepret.reports.table import table

BLOCK = 200
"""Pairs that one core compares at a time."""
SHOWN = 5
"""False links of the highest scores that are named."""


def linking(
    root: str,
    model: Literal["affine", "homography"] = "affine",
    size: Annotated[int, Field(ge=32, le=4096)] = 640,
    tolerance: Annotated[float, Field(gt=0)] | None = None,
    cache: str = "~/.cache/deepret",
) -> dict[str, Any]:
    """Compares all labelled photographs, or where there are queries each with the gallery, and prints what is linked.

    Args:
        root: the folder, as ``data=catalogue`` reads it.
        model: of the map between two photographs.
        size: larger side in pixels to which they are brought.
        tolerance: pixels by which an inlier may be off; null takes the model's own.
        cache: where features are kept.

    Returns:
        what the last line prints: of ``pairs`` of one class, ``linked`` the share above all pairs of different classes;
        ``photographs`` the share that is linked so to one of its class; where there are queries, ``best`` the share
        whose best score is with one of their class, and ``verified`` the share that is linked where each is linked
        with its best alone, at no false link.

    Raises:
        UserError: no pair of one class, or none of different classes.
    """
    check_folder(Path(root).expanduser(), "root")
    catalogue = Photographs(root, cache=cache).load()
    pairs = pairs_of(catalogue)
    labels = np.array(catalogue.labels)
    same = np.array([labels[i] == labels[j] for i, j in pairs], bool)
    if not same.any() or same.all():
        raise UserError(f"root={root}: there have to be pairs of one class, and pairs of different ones.")
    kind = Affine if model == "affine" else Homography
    verification = kind() if tolerance is None else kind(tolerance=tolerance)
    store = FeatureStore(catalogue.root, RootSIFT(size=size), Path(cache).expanduser())
    rows = sorted({row for pair in pairs for row in pair})
    paths = [catalogue.paths[row] for row in rows]
    list(tqdm(each(store.look, paths, None), "finding features", len(rows), disable=None, leave=False))
    found = {row: store.features(catalogue.paths[row]) for row in rows}
    blocks = [pairs[i : i + BLOCK] for i in range(0, len(pairs), BLOCK)]
    work = each(lambda block: compare(block, found.__getitem__, verification), blocks, None)
    compared = joined(tqdm(work, "comparing pairs", len(blocks), unit=" blocks", disable=None, leave=False))
    scores = scores_of(compared, pairs)
    values = figures(scores, same, pairs)
    if "query" in catalogue.splits:
        values |= best_figures(scores, same, pairs)
    worst = [place for place in np.argsort(-np.where(same, -1.0, scores), kind="stable")[:SHOWN] if scores[place] > 0]
    lines = [(catalogue.paths[pairs[p][0]], catalogue.paths[pairs[p][1]], f"{scores[p]:.1f}") for p in worst]
    print(table(["different classes", "and", "score"], lines) if lines else "no pair of different classes is verified")
    return {**values, "model": model, "size": size, "tolerance": verification.tolerance}


def pairs_of(catalogue: Catalogue) -> list[tuple[int, int]]:
    """Rows of queries, each with all of the gallery; of all labelled photographs where there are no queries."""
    labelled = [row for row, label in enumerate(catalogue.labels) if label]
    queries = [row for row in labelled if catalogue.splits[row] == "query"]
    gallery = [row for row in labelled if catalogue.splits[row] == "gallery"]
    return [(q, g) for q in queries for g in gallery] if queries else list(combinations(labelled, 2))


def scores_of(compared: Compared, pairs: list[tuple[int, int]]) -> npt.NDArray[np.float64]:
    """The score of each pair; 0 where two photographs have nothing in common."""
    found = dict(zip(map(tuple, compared.rows.tolist()), compared.scores.tolist(), strict=True))
    return np.array([found.get(pair, 0.0) for pair in pairs])


def figures(
    scores: npt.NDArray[np.float64], same: npt.NDArray[np.bool_], pairs: list[tuple[int, int]]
) -> dict[str, Any]:
    """What is linked above the largest score of two classes.

    Args:
        scores: (m,) of pairs.
        same: (m,) whether they are of one class.
        pairs: rows.
    """
    largest = float(scores[~same].max())
    linked = same & (scores > largest)
    could = {row for pair, one in zip(pairs, same, strict=True) if one for row in pair}
    did = {row for pair, one in zip(pairs, linked, strict=True) if one for row in pair}
    return {
        "pairs": int(same.sum()),
        "across": int((~same).sum()),
        "threshold": round(largest, 2),
        "linked": round(float(linked.sum() / same.sum()), 4),
        "photographs": round(len(did) / len(could), 4),
    }


def best_figures(
    scores: npt.NDArray[np.float64], same: npt.NDArray[np.bool_], pairs: list[tuple[int, int]]
) -> dict[str, Any]:
    """What comes out where each query is linked with its best alone."""
    best: dict[int, tuple[float, bool]] = {}
    for (query, _), score, one in zip(pairs, scores.tolist(), same.tolist(), strict=True):
        if query not in best or score > best[query][0]:
            best[query] = score, one
    wrong = max((score for score, one in best.values() if not one), default=0.0)
    right = [score for score, one in best.values() if one and score > 0]
    return {
        "queries": len(best),
        "best": round(len(right) / len(best), 4),
        "best_threshold": round(wrong, 2),
        "verified": round(sum(score > wrong for score in right) / len(best), 4),
    }


if __name__ == "__main__":
    command(f"{__spec__.name}.linking", "root=DIR")
