"""``deepret clean``: a noisy folder becomes clean classes with boxes."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections import Counter
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from deepret.cleaning.cleaned import kind
from deepret.cleaning.copies import copied
from deepret.cleaning.folder import begin, check_apart, check_free, check_outside, finish
from deepret.cleaning.output import box_of, cleaned_catalogue, dropped, write_dropped, write_pairs
from deepret.cleaning.stages import Cleaned, Cleaning
from deepret.data.catalogue import SPLITS, Catalogue
from deepret.data.folder import collected
from deepret.data.listing import Row
from deepret.data.photographs import Photographs
from deepret.errors import UserError, closest
from deepret.parts import build
from deepret.programs.shared import last_line, prepare
from deepret.quiet import quiet
from deepret.reports.cleaning.page import write_report
from deepret.reports.table import table
from deepret.runs.lock import writing


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
    out = Path(config["out"]).expanduser()
    if config["data"].get("root"):  # before anything is written there
        check_outside(out, Path(config["data"]["root"]).expanduser())
    check_free(out, config["overwrite"])
    with contextlib.nullcontext() if shard is not None else writing(out):
        return _cleaned(config, out, shard, overrides, start)


def _cleaned(
    config: dict[str, Any], out: Path, shard: tuple[int, int] | None, overrides: list[str], start: float
) -> dict[str, Any]:
    """``clean``, while no other program writes in the folder; a shard writes nothing there either."""
    data = build(config["data"], seed=config["seed"])
    with collected() as left_out:
        catalogue: Catalogue = data.load(single=True) if isinstance(data, Photographs) else data.load()
    check_apart(out, catalogue, left_out)
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
        UserError: the disk is full, something else is there by now, or nothing is kept.
    """
    begin(out, config["overwrite"])
    rows = dropped(found, left_out)
    write_dropped(out / "dropped.csv", rows)
    links = write_pairs(out / "pairs.parquet", found)
    catalogue = cleaned_catalogue(found, out)
    if config["copy"]:
        catalogue = copied(catalogue)
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
    more = {
        "command": shlex.join(["deepret", "clean", *overrides]),
        "cleaned": str(found.catalogue.root),
        "a class without any verified pair": {"drop": "is dropped", "keep": "is kept as it is", "stop": "ends it"}[
            config["graph"]["unverified"]
        ],
    }
    write_report(out, found, config["drawn"], more, left_out)
    if not kept:
        raise UserError(
            f"nothing is kept: no class has two photographs that are verified to show the same; {out / 'report.html'} "
            f"shows what was compared. graph.unverified=keep passes such classes on."
        )
    catalogue.write_csv(out / "images.csv")
    finish(out, {**values, "config": config})
    print(table(["dropped because", "photographs"], list(reasons.most_common())) if reasons else "nothing is dropped")
    print(f"kept: {kept:,} photographs; report: {out / 'report.html'}", flush=True)
    return values
