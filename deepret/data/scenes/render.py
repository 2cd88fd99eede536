"""Takes all pictures of a plan, on every core, and writes them with their truth."""

from __future__ import annotations

import json
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path

from deepret.data.scenes.building import Building, make_building
from deepret.data.scenes.canvas import stream
from deepret.data.scenes.compose import take
from deepret.data.scenes.lens import jpeg
from deepret.data.scenes.plan import Key, Picture, Recipe, kits, label_of, plan, street_size
from deepret.data.scenes.pool import Record, take_all


@lru_cache(maxsize=32)
def _building(recipe: Recipe, group: str, number: int) -> Building:
    split = {"stranger": "test", "misfit": "train"}.get(group, group.removesuffix("_street"))
    return make_building(recipe.seed, group, number, kits(recipe, split), split)


def take_one(recipe: Recipe, picture: Picture, folder: Path) -> Record:
    """Takes one picture, writes its file and gives its record."""
    own = _building(recipe, *picture.shows) if picture.shows else None
    rng = stream(recipe.seed, "picture", picture.number)
    pool = street_size(recipe, picture.street.removesuffix("_street"))
    shot = take(own, lambda i: _building(recipe, picture.street, i), pool, recipe.size, rng)
    file = folder / picture.path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(jpeg(shot.image, int(rng.integers(82, 97))))
    return {
        "path": picture.path,
        "label": picture.label,
        "split": picture.split,
        "shows": _name(recipe, picture.shows) if own else "",
        "size": [shot.image.shape[1], shot.image.shape[0]],
        "buildings": shot.names,
        "boxes": [list(box) for box in shot.boxes],
        "own": shot.names.index(own.name) if own and own.name in shot.names else None,
        "homography": None if shot.homography is None else shot.homography.tolist(),
        "azimuth": round(shot.azimuth, 2),
        "elevation": round(shot.elevation, 2),
        "visible": round(shot.visible, 3),
    }


def _name(recipe: Recipe, key: Key | None) -> str:
    if key is None:
        return ""
    return label_of(recipe.seed, key) if key[0] in ("train", "val", "test") else f"{key[0]}_{key[1]:03d}"


def render(recipe: Recipe, folder: Path, processes: int | None = None) -> None:
    """Renders the whole set into ``folder``: JPEG files, references/, images.csv, and scenes.json last.

    Args:
        recipe: what to render; the same recipe gives the same bytes, however many processes there are.
        folder: an empty folder.
        processes: how many; None takes the machine's cores, and this one alone for small sets.
    """
    pictures = plan(recipe)
    jobs = [list(job) for _, job in groupby(pictures, key=lambda p: (p.split, p.label or p.number // 10))]
    taken = take_all(partial(take_one, recipe), jobs, folder, recipe.size, processes)  # a job's pictures share walls
    records = {record["path"]: record for record in taken}
    ordered = [records[p.path] for p in pictures]
    references = _references(recipe, folder)
    _write_csv(ordered, folder / "images.csv")
    text = json.dumps({"recipe": vars(recipe), "references": references, "images": ordered}, indent=1)
    (folder / "scenes.json").write_text(text, encoding="utf-8")


def _references(recipe: Recipe, folder: Path) -> dict[str, Record]:
    """Each class's main facade, seen straight on; homographies lead to its pixels."""
    found: dict[str, Record] = {}
    (folder / "references").mkdir()
    for split, classes in (("train", recipe.train_classes), ("val", recipe.val_classes), ("test", recipe.test_classes)):
        for c in range(classes):
            image = _building(recipe, split, c).reference
            label = label_of(recipe.seed, (split, c))
            (folder / "references" / f"{label}.jpg").write_bytes(jpeg(image, 92))
            found[label] = {"path": f"references/{label}.jpg", "size": [image.shape[1], image.shape[0]]}
    return found


def _write_csv(records: list[Record], path: Path) -> None:
    lines = ["path,label,split,x0,y0,x1,y1"]
    for record in records:
        box = record["boxes"][record["own"]] if record["own"] is not None else [""] * 4
        lines.append(",".join([record["path"], record["label"], record["split"], *map(str, box)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
