"""``deepret data``: says what a set of photographs holds, what is wrong with it, and what is in it twice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from deepret.data.catalogue import Catalogue
from deepret.data.check import first, report
from deepret.data.duplicates.leaks import SCORED, Copies, Scored, copies, counted, refuse, told
from deepret.data.folder import NAMED, Broken, collected
from deepret.parts import build
from deepret.programs.leaks import benchmark_prints, cache_of, catalogue_prints, check_allowed
from deepret.programs.shared import last_line, prepare
from deepret.quiet import quiet
from deepret.reports.contents import by_split, class_sizes, sizes_table, split_table
from deepret.reports.gallery import save_png
from deepret.reports.pairs import by_kind, pairs_table, side_by_side, write_pairs

DRAWN = 60
"""So many pairs are drawn, leaks first."""


def check_data(cfg: DictConfig, overrides: list[str]) -> dict[str, Any]:
    """Prints what there is, draws what is there twice, and gives the figures that the last line prints.

    Args:
        cfg: check.yaml as composed.
        overrides: the command line's words, which are in it already.

    Raises:
        UserError: data that cannot be read, or, after all else has been said, leaks that are not allowed.
    """
    start = time.perf_counter()
    quiet()
    config = prepare(cfg, "data")
    check_allowed(config)
    allowed = config.get("allow") or []
    with collected(Broken) as broken:
        catalogue: Catalogue = build(config["data"], seed=config["seed"]).load()
    benchmark = benchmark_prints(config)
    counts, sizes = by_split(catalogue), class_sizes(catalogue)
    print(f"{catalogue.root}: {len(catalogue):,} photographs; {len(broken):,} files cannot be used")
    print(split_table(counts))
    if sizes:
        print(f"\n{sizes_table(sizes)}", flush=True)
    if benchmark is not None:
        print(f"\n{of_benchmark(benchmark)}", flush=True)
    found = catalogue_prints(config, catalogue)
    pairs = copies(catalogue, found, SCORED, benchmark, config["within"], cache_of(config))
    flat = found.flat + (benchmark.prints.flat if benchmark else 0)
    print(f"\n{pairs_table(pairs, NAMED)}" if pairs else "\nno near-duplicates")
    if flat:
        print(f"flat, so they are compared byte by byte alone: {flat:,} photographs")
    if any(pair.leak and pair.of[1] in allowed for pair in pairs):
        report(f"{told([pair for pair in pairs if pair.of[1] in allowed])}, which is allowed.")
    values = {
        "photographs": len(catalogue),
        "splits": {split: number._asdict() for split, number in counts.items()},
        "classes": len(sizes),
        "broken": len(broken),
        "flat": flat,
        "duplicates": {kind: len(some) for kind, some in by_kind(pairs).items()},
        "leaks": counted(pairs),
        **kept(pairs, config),
        "seconds": round(time.perf_counter() - start, 1),
    }
    last_line(values)
    refuse(pairs, allowed)
    return values


def of_benchmark(benchmark: Scored) -> str:
    """How many photographs a benchmark has, and which of them cannot be used."""
    found = benchmark.prints
    broken = [f"{found.path(i)} ({found.wrong[i]})" for i in sorted(found.wrong)]
    said = f"{benchmark.name}: {len(found):,} photographs; {len(broken):,} files cannot be used"
    return f"{said}: {first(broken, NAMED)}" if broken else said


def kept(pairs: Sequence[Copies], config: dict[str, Any]) -> dict[str, str]:
    """Writes the pairs, and draws the first of them, where that is asked for; gives the files.

    Where there are none, too: an earlier check's would be taken for this one's.

    Raises:
        UserError: one cannot be written.
    """
    files: dict[str, str] = {}
    if config["pairs"]:
        files["pairs"] = str(write_pairs(pairs, Path(config["pairs"]).expanduser()))
    if config["picture"]:
        files["picture"] = str(save_png(side_by_side(pairs[:DRAWN]), Path(config["picture"]).expanduser()))
    for name, file in files.items():
        print(f"{name}: {file}")
    return files
