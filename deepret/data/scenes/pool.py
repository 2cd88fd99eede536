"""Takes pictures on every core, in processes that end when they are told to."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

Record = dict[str, Any]
"""What scenes.json says about a picture."""
Picture = TypeVar("Picture")
MARK = "DEEPRET_RENDERS"
"""A variable of the environment of processes that render."""
STOPPED = ".stopped"
"""A file that tells the processes to take no more pictures."""
ALONE = 40
"""Pictures of the default size that this process takes sooner than others would have started."""


def take_all(
    take: Callable[[Picture, Path], Record],
    jobs: Sequence[Sequence[Picture]],
    folder: Path,
    size: int,
    processes: int | None = None,
) -> list[Record]:
    """Takes pictures into a folder and gives their records, in no order.

    Args:
        take: takes one picture and writes its file; a function that another process can import, or a partial one.
        jobs: pictures, those together that have work in common.
        folder: where the files go.
        size: larger side of the pictures, in pixels.
        processes: how many; None takes the machine's cores, and this one alone for small sets.
    """
    count = sum(map(len, jobs))
    if processes is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        processes = 1 if count * (size / 288) ** 2 < ALONE else min(len(jobs), cores)
    records: list[Record] = []
    with tqdm(total=count, desc="rendering scenes", unit="image", disable=None, leave=False) as bar:
        for done in _each(take, jobs, folder, processes):
            records += done
            bar.update(len(done))
    return records


def end_if_started_to_render() -> None:
    """Ends a process that was started to render and runs its script again, which asks for the same pictures.

    That is what a script without ``if __name__ == "__main__"`` does. The folder is its parent's, which would wait for
    it in turn; as it is, the parent goes on alone.
    """
    if MARK in os.environ:
        sys.exit(1)


def _each(
    take: Callable[[Picture, Path], Record], jobs: Sequence[Sequence[Picture]], folder: Path, processes: int
) -> Iterator[list[Record]]:
    left = dict(enumerate(jobs))
    if processes > 1:
        # a forked copy of a process that runs torch may hang
        pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))
        try:
            with _deaf(), _marked():
                futures = {pool.submit(_take_some, take, job, folder): i for i, job in left.items()}
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
        yield _take_some(take, job, folder)


def _take_some(take: Callable[[Picture, Path], Record], pictures: Sequence[Picture], folder: Path) -> list[Record]:
    """The work of one process: pictures that have work in common, so that it is done once."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # there is a process for each core already
    try:
        return [take(picture, folder) for picture in pictures if not (folder / STOPPED).exists()]
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
