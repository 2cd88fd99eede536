"""Scores every descriptor on several benchmarks and writes the field's tables.

deepret report table landmarks=DIR
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from deepret import config as configuration
from deepret.data.check import report
from deepret.data.folder import check_folder
from deepret.errors import UserError
from deepret.programs.evaluate import trained_on
from deepret.programs.tables.asked import Asked
from deepret.programs.tables.cells import cells_of
from deepret.programs.tables.columns import SCENES, Column, check_columns, read_column, read_columns
from deepret.programs.tables.command import check_lists, command_of
from deepret.programs.tables.composed import Composer
from deepret.programs.tables.fitted import check_allowed, refuse_fitted
from deepret.programs.tables.rows import (
    COLUMNS,
    ELSEWHERE,
    Row,
    check_views,
    checkpoint_rows,
    read_rows,
    refuse_words,
    viewed_rows,
)
from deepret.programs.tables.work import measure
from deepret.programs.tables.written import Written
from deepret.reports.results import Results
from deepret.runs.lock import HeldError, hold, let_go
from deepret.training.fitting.parts import fitting_rows

Listed = Sequence[str] | str
"""A text is refused with what to write."""
LISTS = ("rows", "fit", "views", "scenes", "words", "configs", "allow")


def descriptor_table(
    output: str = "outputs/table",
    rows: Listed | None = None,
    landmarks: str | None = None,
    covers: str | None = None,
    ukbench: str | None = None,
    benchmarks: Mapping[str, Sequence[str]] = {},
    checkpoints: Mapping[str, str] = {},
    fit: Listed = (),
    dims: Sequence[PositiveInt] = (16, 32, 64, 128, 256, 512),
    whitening: Sequence[Annotated[float, Field(ge=0, le=1)]] = (0.0,),
    views: bool | Listed = False,
    scenes: Listed = (),
    words: Listed = (),
    configs: Listed = (),
    allow: Listed = (),
    keep_maps: bool = True,
    timed: PositiveInt = 8,
    retime: bool = False,
    wandb: Literal["offline", "online", "disabled"] = "disabled",
    cache: str = "~/.cache/deepret",
) -> dict[str, Any]:
    """Scores descriptors on benchmarks: figures, dimensions, bytes, time, and what is left with fewer dimensions.

    Parts that start from statistics are fitted once, on one set's train split, for all benchmarks. What is measured is
    kept in ``results.json`` of the output folder: the same command goes on wherever it was cut off, and measures again
    only what depends on something that has changed. Beside it are ``table.md``, ``table.csv``, and ``dims.csv`` and
    ``dims.png`` of fewer dimensions.

    Args:
        output: the folder of tables and results.
        rows: descriptors: an experiment and words, such as "gem pooling.p=4", or words alone; by default all
            experiments that are descriptors and whose weights need no download.
        landmarks: a folder of photographs as data=catalogue reads it, whose test split is a benchmark.
        covers: another one.
        ukbench: a folder of UKB's photographs, or of the first of them.
        benchmarks: more, by name, each with words as eval.py takes them, such as
            {oxford5k: [benchmark=oxford5k, benchmark.root=DIR]}; words that are neither of data nor benchmark are the
            descriptors' on it alone.
        checkpoints: trained networks by name, scored before and after.
        fit: words of the data that parts are fitted on, such as [data=catalogue, data.root=DIR]; landmarks by default,
            or the scenes where there are none.
        dims: fewer dimensions, by a PCA that is fitted as parts are; [] for none.
        whitening: of that PCA: 0 is plain, 1 whitening; each has its tables.
        views: whether several scales, mirrored photographs and both are tried, of mac, rmac and gem; or of which rows.
        scenes: more words of the rendered scenes, such as data.size=256.
        words: more words of every descriptor, such as input.size=256 or threads=2.
        configs: more configuration folders.
        allow: columns that may hold copies of photographs that parts are fitted on.
        keep_maps: whether the backbone's maps are kept under the cache, so that all descriptors share them.
        timed: photographs that the time of one is measured on.
        retime: whether times that are there are measured again, such as those that other work has made longer.
        wandb: whether the tables become a run of W&B, sent later or at once.
        cache: as for the programs.

    Returns:
        what the last line prints: ``figures`` of each descriptor on each benchmark, shares in 0…1, and what ``failed``.

    Raises:
        UserError: an unknown row or benchmark, or a folder that is missing, before any work.
    """
    given = dict(locals())
    check_lists(given, LISTS)
    start, folder, kept = time.perf_counter(), Path(output).expanduser(), Path(cache).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"output={output}: this is a file; name a folder.")
    for name in configs:
        check_folder(Path(name).expanduser(), "configs")
    refuse_words(words, (*COLUMNS, *ELSEWHERE, "experiment"), "words")
    listed = read_rows(rows, configs)
    trained = checkpoint_rows(checkpoints, listed)
    viewed = viewed_rows(views, listed, configs)
    columns = read_columns(scenes, {"landmarks": landmarks, "covers": covers}, ukbench, benchmarks, kept, configs)
    learned = to_fit(fit, columns, kept, configs)
    check_views([row for row, _ in viewed], [*words, *(word for column in columns for word in column.more)])
    composer = Composer(words, kept, keep_maps, configs)
    check_allowed(columns, allow)
    asked = Asked(listed, trained, viewed, columns, list(dict.fromkeys(dims)), list(dict.fromkeys(whitening)), words)
    if not asked.all_rows():
        raise UserError("rows=[]: there is nothing to measure; name a descriptor, or give checkpoints.")
    drawn: set[tuple[int, int]] = set()
    for row in asked.all_rows():
        for column in columns:
            config = composer.config(row, column.more, column.given)
            drawn.add((config["stages"]["fit_images"], config["seed"]))
    check_columns(columns, learned)
    fitted = {i for images, seed in drawn for i in fitting_rows(learned.catalogue, images, seed)}
    refuse_fitted(columns, learned, fitted, allow)
    command = command_of(descriptor_table, given)
    for row in asked.all_rows():
        fewer = asked.dims if row in asked.first_rows() else []
        asked.cells[row] = cells_of(row, columns, learned, composer, fewer, asked.whitening, timed, command)
    seen = seen_in_training(trained, columns)
    for text in seen:
        report(text)
    results = Results(folder / "results.json")
    results.entries()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hold(folder)
    except OSError as error:
        raise UserError(f"output={output}: no folder can be made there: {error.strerror}.") from None
    except HeldError:
        raise UserError(f"output={output}: another program writes there; wait for it, or stop it.") from None
    try:
        written = Written(folder, asked, results, f"fitted on {' '.join(learned.words)}", command, seen)
        failed = measure(asked, learned, composer, results, timed, written.files, retime)
        written.tell(failed)
        if wandb != "disabled":
            written.to_wandb(wandb, failed)
    finally:
        let_go(folder)
    return {**written.summary(failed), "seconds": round(time.perf_counter() - start, 1)}


def seen_in_training(trained: Sequence[tuple[Row, Row]], columns: Sequence[Column]) -> list[str]:
    """What is to be said of columns with classes that a checkpoint was trained on."""
    return [
        f"{row.name} on {column.name}: {text}"
        for _, row in trained
        for column in columns
        if column.of_catalogue and row.checkpoint is not None
        for text in trained_on(column.catalogue, row.checkpoint, drawn="test_share" in column.config["data"])
    ]


def to_fit(words: Sequence[str], columns: Sequence[Column], cache: Path, configs: Sequence[str]) -> Column:
    """What parts are fitted on: what is asked for, the landmarks where there are some, or the scenes.

    Raises:
        UserError: words that are not of data, or do not compose.
    """
    if not words:
        named = {column.name: column for column in columns}
        return named.get("landmarks", named[SCENES])
    others = {*configuration.known("eval")} - {"data"}
    refuse_words(words, (*others, *ELSEWHERE, "experiment"), "fit")
    return read_column("fit", words, cache, configs)
