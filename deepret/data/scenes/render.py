"""Takes all pictures of a plan, on every core, and writes them with their truth."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from deepret.data.scenes.building import Building, make_building
from deepret.data.scenes.canvas import stream
from deepret.data.scenes.compose import take
from deepret.data.scenes.lens import jpeg
from deepret.data.scenes.plan import Key, Picture, Recipe, kits, label_of, plan, street_size

Record = dict[str, Any]
"""What scenes.json says about a picture."""
MARK = "DEEPRET_RENDERS"
"""A variable of the environment of processes that render."""
STOPPED = ".stopped"
"""A file that tells the processes to take no more pictures."""


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


def _take_some(recipe: Recipe, pictures: list[Picture], folder: Path) -> list[Record]:
    """The work of one process: pictures that show the same building, so that its walls are drawn once."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # there is a process for each core already
    try:
        return [take_one(recipe, picture, folder) for picture in pictures if not (folder / STOPPED).exists()]
    finally:
        cv2.setNumThreads(threads)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Starts processes that Ctrl-C, which a terminal sends to all, does not reach: this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield  # what is started now keeps the mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _marked() -> Iterator[None]:
    """Starts processes that know what they were started for."""
    os.environ[MARK] = "1"
    try:
        yield
    finally:
        del os.environ[MARK]


def end_if_started_to_render() -> None:
    """Ends a process that was started to render and runs its script again, which asks for the same pictures.

    That is what a script without ``if __name__ == "__main__"`` does. The folder is its parent's, which would wait for
    it in turn; as it is, the parent goes on alone.
    """
    if MARK in os.environ:
        sys.exit(1)


def render(recipe: Recipe, folder: Path, processes: int | None = None) -> None:
    """Renders the whole set into ``folder``: JPEG files, references/, images.csv, and scenes.json last.

    Args:
        recipe: what to render; the same recipe gives the same bytes, however many processes there are.
        folder: an empty folder.
        processes: how many; None takes the machine's cores, and this one alone for small sets.
    """
    pictures = plan(recipe)
    jobs = [list(job) for _, job in groupby(pictures, key=lambda p: (p.split, p.label or p.number // 10))]
    if processes is None:
        work = len(pictures) * (recipe.size / 288) ** 2
        processes = (
            1
            if work < 40
            else min(
                len(jobs), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            )
        )
    records: dict[str, Record] = {}
    with tqdm(total=len(pictures), desc="rendering scenes", unit="image", disable=None, leave=False) as bar:
        for done in _each(recipe, jobs, folder, processes):
            records |= {record["path"]: record for record in done}
            bar.update(len(done))
    ordered = [records[p.path] for p in pictures]
    references = _references(recipe, folder)
    _write_csv(ordered, folder / "images.csv")
    text = json.dumps({"recipe": vars(recipe), "references": references, "images": ordered}, indent=1)
    (folder / "scenes.json").write_text(text, encoding="utf-8")


def _each(recipe: Recipe, jobs: list[list[Picture]], folder: Path, processes: int) -> Iterator[list[Record]]:
    left = {i: job for i, job in enumerate(jobs)}
    if processes > 1:
        # a forked copy of a process that runs torch may hang
        pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))
        try:
            with _deaf(), _marked():
                futures = {pool.submit(_take_some, recipe, job, folder): i for i, job in left.items()}
            for future in as_completed(futures):
                done = future.result()
                del left[futures[future]]
                yield done
        except BrokenProcessPool:
            pass  # a script without `if __name__ == "__main__"`, or too little memory: this process does the rest
        except BaseException:  # Ctrl-C waits for the pictures at hand, not for all
            with contextlib.suppress(OSError):
                (folder / STOPPED).touch()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
    for job in left.values():
        yield _take_some(recipe, job, folder)


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
