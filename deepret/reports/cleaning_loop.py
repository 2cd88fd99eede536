"""Whether training on cleaned classes beats training on noisy ones, and proposals on the cleaning's boxes the grid.

deepret report cleaning_loop output=outputs/cleaning_loop
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from deepret.cleaning.folder import is_finished
from deepret.data.folder import check_folder
from deepret.errors import UserError
from deepret.files import write_whole
from deepret.reports.command import command
from deepret.reports.gallery import save_png
from deepret.reports.loop import program
from deepret.reports.loop.jobs import PHOTOGRAPHS, Job, Scenes, Words, photograph_jobs, read_sets, scene_jobs
from deepret.reports.loop.quality import cleaning_quality
from deepret.reports.loop.scores import ARMS, GAINS, gains_of, scores_of
from deepret.reports.loop.told import as_page, picture, tables
from deepret.reports.results import Entry, Results
from deepret.reports.table import as_text
from deepret.runs.lock import hold, let_go

SETS = ("0.4/0", "0.4/1", "0.4/2", "0.2/0", "0.6/0")
OF_TRAINING = ("benchmark", "stages", "counts")
OF_CLEANING = ("photographs", "classes", "kept", "classes_kept", "dropped", "links", "compared", "across", "thresholds")
"""What is kept of a program's last line."""


def cleaning_loop(
    output: str = "outputs/cleaning_loop",
    results: str | None = None,
    landmarks: str | None = None,
    sets: Sequence[str] = SETS,
    data: Sequence[str] = (),
    cleaning: Sequence[str] = (),
    training: Sequence[str] = (),
    cache: str = "~/.cache/deepret",
) -> dict[str, Any]:
    """Cleans noisy sets, trains on them as they were and as they are then, and compares, as Deep Image Retrieval did.

    On each set of rendered scenes: the cleaning of its train split; training on the noisy pictures over the grid; on
    the cleaned ones with proposals that learn the network's own response; with proposals that learn the cleaning's
    boxes, which is scored over the grid first; and over the grid for as long as with proposals. Val and test are clean,
    and the same for all. What is finished is not
    done again: the same command goes on wherever it was cut off. After each run it prints mAP and how good the
    cleanings are against the truth, and writes ``cleaning_loop.md`` and ``cleaning_loop.png``.

    Args:
        output: the folder of the cleaned sets and the runs.
        results: the file of what is finished, the one thing that another machine needs to go on; ``results.json`` in
            the output folder by default.
        landmarks: a folder of photographs as ``experiment=landmarks data.root=DIR`` takes it, to be compared as well.
        sets: NOISE/SEED of each set of scenes; the seed is that of the set and of the trainings on it.
        data: more settings of the scenes, such as data.train_classes=20.
        cleaning: more settings of every cleaning.
        training: more settings of every training.
        cache: as for the programs.

    Returns:
        what the last line prints: how many ``runs`` there are and their ``seconds``; the mean ``mAP``, 0…1, of each way
        to train on scenes; and the mean of what one ``gains`` over another.

    Raises:
        UserError: a run that failed, with its message, or results that were made with other settings.

    Source: Gordo et al., "End-to-end learning of deep visual representations for image retrieval", IJCV 2017, §4, §5.
    """
    folder, more = Path(output).expanduser(), Words(tuple(data), tuple(cleaning), tuple(training))
    kept = Path(cache).expanduser()
    scenes = read_sets(sets)
    jobs = [job for one in scenes for job in scene_jobs(one, folder, kept, more)]
    if landmarks is not None:
        photographs = Path(landmarks).expanduser()
        check_folder(photographs, "landmarks")
        jobs += photograph_jobs(photographs, folder, kept, more)
    found = Results(Path(results).expanduser() if results else folder / "results.json")
    found.check(jobs)
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    try:
        hold(folder)
    except UserError:
        raise UserError(
            f"output={output}: another program runs this comparison there; wait for it, or stop it."
        ) from None
    try:
        left = [job for job in jobs if found.figures(job.name) is None]
        print(f"{len(jobs) - len(left)} of {len(jobs)} runs are finished already", flush=True)
        for job in left:
            if job.needs is not None and not is_finished(job.needs):
                perform(next(one for one in jobs if one.name == f"{job.scenes} cleaning"), found, folder)
            perform(job, found, folder)
            tell(found.entries(), scenes, landmarks is not None, folder)
        if not left:
            tell(found.entries(), scenes, landmarks is not None, folder)
    finally:
        let_go(folder)
    return summary(found.entries(), jobs, scenes)


def perform(job: Job, results: Results, folder: Path) -> None:
    """Does a run and notes what came of it.

    Raises:
        UserError: it failed.
    """
    print(f"{job.name}: {job.shown}", flush=True)
    results.begin(job)
    start = time.perf_counter()
    try:
        said = program.run(job.command, folder / "logs" / job.name.replace("/", "-").replace(" ", "-"))
    except UserError as error:
        raise UserError(f"{job.name}: {error}") from None
    seconds = time.perf_counter() - start
    keys = OF_CLEANING if job.kind == "cleaning" else OF_TRAINING
    known = job.kind == "cleaning" and job.scenes != PHOTOGRAPHS
    quality = cleaning_quality(Path(said["out"])) if known else {}
    results.finish(job, {**{key: said[key] for key in keys}, **quality}, seconds)


def tell(entries: Mapping[str, Entry], scenes: Sequence[Scenes], photographs: bool, folder: Path) -> None:
    """Prints the tables and writes the page and the picture, of what is finished.

    Raises:
        UserError: figures that cannot be compared, or nothing can be written.
    """
    found = tables(entries, scenes, photographs)
    print(f"\n{as_text(found)}\n")
    write_whole(folder / "cleaning_loop.md", as_page(found, entries).encode())
    drawn = picture(entries, scenes)
    if drawn is not None:
        save_png(drawn, folder / "cleaning_loop.png")
    print(f"report: {folder / 'cleaning_loop.md'}", flush=True)


def summary(entries: Mapping[str, Entry], jobs: Sequence[Job], scenes: Sequence[Scenes]) -> dict[str, Any]:
    """The figures that the last line prints."""
    scores = [scores_of(entries, one.name) for one in scenes]
    of_arms = {arm: [score for one in scores if (score := one[arm]) is not None] for arm in ARMS}
    gains = {f"{better} − {worse}": gains_of(entries, scenes, better, worse) for better, worse in GAINS}
    return {
        "runs": len(jobs),
        "seconds": round(sum(entries[job.name]["seconds"] for job in jobs), 1),
        "mAP": {arm: round(mean(found), 5) for arm, found in of_arms.items() if found},
        "gains": {name: round(mean(values) / 100, 5) for name, values in gains.items() if values},
    }


if __name__ == "__main__":
    command(f"{__spec__.name}.cleaning_loop", "output=outputs/cleaning_loop")
