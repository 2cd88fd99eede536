"""``deepret clean``: a noisy folder becomes clean classes with boxes."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from deepret.cleaning.cleaned import kind
from deepret.cleaning.output import (
    PHOTOGRAPHS,
    box_of,
    cleaned_catalogue,
    copied,
    dropped,
    write_dropped,
    write_pairs,
)
from deepret.cleaning.stages import Cleaned, Cleaning
from deepret.data.catalogue import SPLITS, Catalogue
from deepret.data.folder import collected
from deepret.data.listing import Row
from deepret.data.photographs import Photographs
from deepret.errors import UserError, closest
from deepret.files import write_whole
from deepret.parts import build
from deepret.programs.shared import last_line, prepare
from deepret.quiet import quiet
from deepret.reports.cleaning.page import write_report
from deepret.reports.table import table
from deepret.runs.lock import LOCK, hold, let_go

MARK = "cleaning.json"
"""The file that says that a folder is a cleaning's own, and what came out."""
WRITTEN = ("images.csv", "dropped.csv", "pairs.parquet", "report.html")
FOLDERS = ("report", PHOTOGRAPHS)
"""What a cleaning writes, and what ``overwrite`` takes away."""


def clean(cfg: DictConfig, overrides: list[str]) -> dict[str, Any]:
    """Cleans a set and gives the figures that the last line prints.

    Args:
        cfg: clean.yaml as composed.
        overrides: the command line's words, which are in it already.

    Raises:
        UserError: data that cannot be read, a folder that holds something else, a disk that takes no more, shards that
            are not there yet, or nothing that is kept.
    """
    start = time.perf_counter()
    quiet()
    config = prepare(cfg, "clean")
    check_splits(config["splits"])
    shard = shard_of(config["shard"], config["merge"])
    data, out = build(config["data"], seed=config["seed"]), Path(config["out"]).expanduser()
    check_free(out, config["overwrite"])
    with collected() as left_out:
        catalogue: Catalogue = data.load(single=True) if isinstance(data, Photographs) else data.load()
    check_apart(out, catalogue.root)
    cleaning = Cleaning(
        catalogue,
        config["splits"],
        build(config["features"]),
        build(config["verification"]),
        build(config["shortlist"]),
        build(config["propagation"]),
        build(config["links"]),
        build(config["graph"]),
        Path(config["cache"]).expanduser(),
        config["seed"],
        config["threads"],
    )
    if not cleaning.classes:
        raise UserError(
            f"{catalogue.root}: no photograph of {', '.join(config['splits'])} has a label, so there are no classes to "
            f"clean: put them into folders, one a class, or write images.csv."
        )
    if shard is not None:
        return compare_share(cleaning, *shard, start)
    if config["merge"]:
        check_all_there(cleaning)
    else:
        print(f"{catalogue.root}: {sum(map(len, cleaning.classes)):,} photographs of {len(cleaning.classes):,} classes")
    unusable = cleaning.look()
    cleaning.match()
    found = cleaning.finish(unusable)
    values = {**write(found, left_out, out, config, overrides), "seconds": round(time.perf_counter() - start, 1)}
    last_line(values)
    return values


def check_splits(splits: list[str]) -> None:
    """Refuses splits that there are not.

    Raises:
        UserError: a name that no split has, or none at all.
    """
    if not splits:
        raise UserError("splits=[]: nothing would be cleaned; splits=[train] cleans what is trained on.")
    for split in splits:
        if split not in SPLITS:
            raise UserError(f"splits={split}: there is no such split; {closest(split, SPLITS)}")


def shard_of(text: str | None, merge: bool) -> tuple[int, int] | None:
    """i and n of ``shard=i/n``.

    Raises:
        UserError: it is none, or is asked for together with ``merge``.
    """
    if text is None:
        return None
    if merge:
        raise UserError(f"shard={text} merge=true: a shard compares pairs, and merging comes when all have; take one.")
    first, _, count = str(text).partition("/")
    if not (first.isdecimal() and count.isdecimal() and int(first) < int(count)):
        raise UserError(f"shard={text}: write shard=i/n with i from 0 to n − 1, such as shard=0/4.")
    return int(first), int(count)


def check_apart(out: Path, root: Path) -> None:
    """Makes sure that what is written does not mix with the photographs, or replace any.

    Raises:
        UserError: the folder is, or is in, that of the photographs, or these are where something is written to.
    """
    there, photographs = out.resolve(), root.resolve()
    if there == photographs or there.is_relative_to(photographs):
        raise UserError(f"out={out}: that is in {root}, of which it would become a part; name a folder elsewhere.")
    if any(photographs.is_relative_to(there / name) for name in FOLDERS):
        raise UserError(f"out={out}: the photographs of {root} would be replaced; name a folder elsewhere.")


def check_free(out: Path, overwrite: bool) -> None:
    """Makes sure that a folder holds nothing that may not be replaced.

    Raises:
        UserError: it holds something that no cleaning wrote, or a cleaning that is not to be overwritten.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"out={out}: that is a file; name a folder.")
    if not (out / MARK).is_file():
        if any(path.name != LOCK for path in out.iterdir()):
            raise UserError(f"out={out}: there is something already, of no cleaning; name a folder that is empty.")
    elif _finished(out) and not overwrite:
        raise UserError(f"out={out}: a cleaning is there already: overwrite=true replaces it, or name another folder.")


def _finished(out: Path) -> bool:
    try:
        return bool(json.loads((out / MARK).read_text(encoding="utf-8"))["finished"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def compare_share(cleaning: Cleaning, shard: int, shards: int, start: float) -> dict[str, Any]:
    """Compares one share of the pairs; gives the figures that the last line prints."""
    blocks = cleaning.matcher.share(shard, shards)
    there = len(blocks) - len(cleaning.matcher.missing(blocks))
    cleaning.match(shard, shards)
    values = {
        "shard": shard,
        "shards": shards,
        "blocks": len(blocks),
        "there_before": there,
        "seconds": round(time.perf_counter() - start, 1),
    }
    last_line(values)
    return values


def check_all_there(cleaning: Cleaning) -> None:
    """Makes sure that all shards are done.

    Raises:
        UserError: blocks are missing.
    """
    missing = len(cleaning.matcher.missing(cleaning.matcher.blocks))
    if missing:
        raise UserError(
            f"merge=true: {missing:,} of {len(cleaning.matcher.blocks):,} blocks of pairs are not compared yet: run the"
            f" shards that are not done, with the same settings and cache, or leave merge=true out: it does the rest."
        )


def write(
    found: Cleaned, left_out: list[tuple[Row, str]], out: Path, config: dict[str, Any], overrides: list[str]
) -> dict[str, Any]:
    """Writes what came out, images.csv last; gives the figures.

    Raises:
        UserError: the disk is full, another program writes there, or nothing is kept.
    """
    write_whole(out / MARK, json.dumps({"finished": False}).encode())
    try:
        hold(out)
    except UserError:
        raise UserError(f"out={out}: another program writes there; wait for it, or stop it.") from None
    try:
        values = _written(found, left_out, out, config, overrides)
    finally:
        let_go(out)
        (out / LOCK).unlink(missing_ok=True)
    return values


def _written(
    found: Cleaned, left_out: list[tuple[Row, str]], out: Path, config: dict[str, Any], overrides: list[str]
) -> dict[str, Any]:
    """``write``, while the folder is held."""
    for name in WRITTEN:
        (out / name).unlink(missing_ok=True)
    for name in FOLDERS if config["overwrite"] else ():
        shutil.rmtree(out / name, ignore_errors=True)
    rows = dropped(found, left_out)
    write_dropped(out / "dropped.csv", rows)
    links = write_pairs(out / "pairs.parquet", found)
    catalogue = cleaned_catalogue(found, out)
    if config["copy"]:
        catalogue = copied(catalogue, catalogue)
    reasons = Counter(kind(why) for *_, why in rows)
    kept = sum(len(one.labels) for one in found.classes)
    values = {
        "photographs": sum(len(one.rows) for one in found.classes) + len(left_out),
        "classes": len(found.classes),
        "kept": kept,
        "classes_kept": len({label for one in found.classes for label in one.labels.values()}),
        "dropped": dict(reasons.most_common()),
        "boxes": sum(box_of(found, row) is not None for one in found.classes for row in one.labels),
        "links": links,
        "compared": sum(one.compared for one in found.classes),
        "across": found.across.count,
        "false_links": config["links"]["false_links"],
        "thresholds": sorted({round(one.threshold, 2) for one in found.classes}),
        "stages": {name: round(seconds, 1) for name, seconds in found.seconds.items()},
        "out": str(out),
    }
    more = {"command": " ".join(["deepret clean", *overrides]), "cleaned": str(found.catalogue.root)}
    write_report(out, found, config["drawn"], more, left_out)
    if not kept:
        raise UserError(
            f"nothing is kept: no class has two photographs that are verified to show the same; {out / 'report.html'} "
            f"shows what was compared. graph.unverified=keep passes such classes on."
        )
    catalogue.write_csv(out / "images.csv")
    write_whole(out / MARK, json.dumps({"finished": True, **values, "config": config}, indent=1).encode())
    print(table(["dropped because", "photographs"], list(reasons.most_common())) if reasons else "nothing is dropped")
    print(f"kept: {kept:,} photographs; report: {out / 'report.html'}", flush=True)
    return values
