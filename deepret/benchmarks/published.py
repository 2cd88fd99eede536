"""Figures that others have published, to be read beside those of a whole copy of the same benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from deepret.benchmarks.result import Result


@lru_cache(maxsize=1)
def published() -> dict[str, dict[str, list[tuple[str, float, str]]]]:
    """System, figure and source of each metric of each benchmark."""
    found: Any = OmegaConf.to_container(OmegaConf.load(Path(__file__).with_suffix(".yaml")))
    return {
        benchmark: {
            metric: [(str(s), float(v), str(source)) for s, v, source in rows] for metric, rows in metrics.items()
        }
        for benchmark, metrics in found.items()
    }


def beside(results: Iterable[Result]) -> list[list[object]]:
    """Rows (system, benchmark, metric, figure, source) of the benchmarks among results.

    None of a benchmark of which a part is missing, or to which something was added: its name is another one then.
    """
    return beside_names(result.benchmark for result in results)


def beside_names(benchmarks: Iterable[str]) -> list[list[object]]:
    """The same of benchmarks by the names that their results have."""
    return [
        [system, benchmark, metric, value, source]
        for benchmark in dict.fromkeys(benchmarks)
        for metric, rows in published().get(benchmark, {}).items()
        for system, value, source in rows
    ]
