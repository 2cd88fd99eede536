"""What a program looks for leaks in: the configuration's data and its benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepret.benchmarks.none import NoBenchmark
from deepret.benchmarks.protocol import Benchmark
from deepret.data.catalogue import Catalogue
from deepret.data.check import report
from deepret.data.duplicates.leaks import SCORED, Scored, copies, counted, refuse
from deepret.data.duplicates.prints import Prints, prints
from deepret.errors import UserError, closest
from deepret.parts import build, locate

INSTEAD = ("ranking", "descriptors")
"""A benchmark's settings that name what is scored in place of photographs."""


def check_allowed(config: dict[str, Any]) -> None:
    """Refuses names in ``allow`` that nothing has.

    Raises:
        UserError: one that is neither a split that is scored nor the benchmark.
    """
    name = benchmark_name(config)
    names = [*SCORED, *([name] if name else [])]
    for word in config.get("allow") or []:
        if word not in names:
            raise UserError(f"allow={word}: nothing that is scored has this name; {closest(word, names)}")


def benchmark_name(config: dict[str, Any]) -> str | None:
    """The name of a benchmark that has photographs of its own; None of any other."""
    target = locate(config["benchmark"]["_target_"])
    return str(target.name) if isinstance(target, type) and issubclass(target, Benchmark) else None


def benchmark_prints(config: dict[str, Any]) -> Scored | None:
    """The photographs that a benchmark holds out, without its distractors; None where it has none of its own.

    Raises:
        UserError: files of it that are missing, or cannot be fetched where ``download`` asks for it, or be read.
    """
    node, name = config["benchmark"], benchmark_name(config)
    if name is None or any(node.get(key) for key in INSTEAD):
        return None
    benchmark: Benchmark = build({key: value for key, value in node.items() if key != "distractors"})
    benchmark.prepare()
    files = benchmark.held_out(benchmark.truth()).values()
    return Scored(name, prints(benchmark.root, [str(path.absolute()) for path in files], cache_of(config)))


def catalogue_prints(config: dict[str, Any], catalogue: Catalogue) -> Prints:
    """The hashes of a catalogue's photographs."""
    return prints(catalogue.root, catalogue.paths, cache_of(config))


def cache_of(config: dict[str, Any]) -> Path | None:
    """Where it is kept what files are: where the data keep it, if they do."""
    kept = config["data"]["cache"] if "cache" in config["data"] else config["cache"]
    return None if kept is None else Path(kept).expanduser()


def refuse_leaks(config: dict[str, Any], catalogue: Catalogue, fitted: Sequence[int] | None = None) -> dict[str, int]:
    """Compares train with what a training is scored on, but for what is allowed; gives how many leaks there are.

    Data that are ``disjoint`` are not looked at, but for views, which are compared with a benchmark of photographs.

    Args:
        config: with data, benchmark and ``allow``.
        catalogue: the photographs.
        fitted: rows of train that an evaluation fits parts on: these alone are compared then, with what is scored now,
            which takes seconds of large sets too. None compares all of train.

    Raises:
        UserError: leaks.
    """
    allowed = config.get("allow") or []
    disjoint = getattr(locate(config["data"]["_target_"]), "disjoint", False)
    learned = [i for i in (range(len(catalogue)) if fitted is None else fitted) if catalogue.splits[i] == "train"]
    learned = [i for i in learned if catalogue.views[i] or not disjoint]
    scored = () if disjoint else scored_splits(config, choosing=fitted is None)
    scored = tuple(split for split in scored if split in catalogue.splits)
    if not learned or not (scored or benchmark_name(config)):
        return {}
    if allowed:
        report(f"allow=[{','.join(allowed)}]: it is not looked at whether there are copies of train's photographs.")
    scored = tuple(split for split in scored if split not in allowed)
    benchmark = None if benchmark_name(config) in allowed else benchmark_prints(config)
    if benchmark is None and not scored:
        return {}
    catalogue = catalogue.subset([*learned, *(i for i, split in enumerate(catalogue.splits) if split in scored)])
    found = catalogue_prints(config, catalogue)
    pairs = copies(catalogue, found, scored, benchmark, within=False, cache=cache_of(config))
    refuse(pairs, allowed)
    return counted(pairs)


def scored_splits(config: dict[str, Any], choosing: bool) -> tuple[str, ...]:
    """The splits of the data that are scored.

    Args:
        config: with the benchmark.
        choosing: whether there is a training, whose checkpoint is chosen by val.
    """
    node = config["benchmark"]
    if benchmark_name(config) or locate(node["_target_"]) is NoBenchmark:
        return ("val",) if choosing else ()
    if node.get("split") == "val":
        return ("val",)
    return SCORED if choosing or "split" not in node else tuple(split for split in SCORED if split != "val")
