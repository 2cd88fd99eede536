"""Measures cells: the network of a row is made and fitted once, and described with once for each column."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from deepret.benchmarks.result import SCORES, Result
from deepret.data.photo import Photo
from deepret.distributed.launch import cores
from deepret.errors import UserError
from deepret.models.build import build_network, load_state
from deepret.models.network import Network
from deepret.models.principal import Principal, principal, project, told
from deepret.parts import build
from deepret.programs.shared import describer, device_of, first_network, index_of, threads, within_memory
from deepret.programs.tables.cells import Cell
from deepret.programs.tables.columns import Column
from deepret.programs.tables.rows import Row
from deepret.runs import checkpoint as checkpoints
from deepret.runs.made_with import cpu
from deepret.search.describe import Describer
from deepret.search.reduced import Describe, first_entries
from deepret.training.fitting.parts import fitting_rows

ROUNDS = 2
"""So often each photograph is timed; the smallest time counts."""


class Once:
    """Describes each list of photographs once, and keeps the codes for as long as it lives itself.

    Args:
        describe: photographs → codes.
    """

    def __init__(self, describe: Describe) -> None:
        self.describe = describe
        self._codes: dict[tuple[Photo, ...], Tensor] = {}

    def __call__(self, photos: Sequence[Photo]) -> Tensor:
        """Codes (n, D)."""
        key = tuple(photos)
        if key not in self._codes:
            self._codes[key] = self.describe(photos)
        return self._codes[key]


class Descriptor:
    """A row at work, its parts fitted.

    Args:
        row: the network.
        config: its configuration.
        fit: what parts, and the PCA of fewer dimensions, are fitted on.
        dims: of which the largest says how many components are looked for.

    Raises:
        UserError: weights that cannot be had, or parts that cannot be fitted.
    """

    def __init__(self, row: Row, config: dict[str, Any], fit: Column, dims: Sequence[int]) -> None:
        threads(config)
        self.config = config
        self.dims = list(dims)
        self.device = device_of(config)
        self.catalogue = fit.catalogue
        self.network = self._made(row)
        self.describe = describer(self.network, config, self.device)
        self._principal: Principal | None = None

    def _made(self, row: Row) -> Network:
        if row.checkpoint is None or row.before:
            return first_network(self.config, self.catalogue, self.device)
        found = checkpoints.load(row.checkpoint)
        network = build_network(self.config, weights=False)
        changed = ("regions.",) if self.config["regions"] != found["deepret"]["config"]["regions"] else ()
        load_state(network, checkpoints.network_state(found), str(row.checkpoint), optional=changed)
        return network

    def size(self, images: int) -> dict[str, Any]:
        """Dimensions, and milliseconds from one photograph to its code, decoding included.

        That is the median over a few photographs of the smaller of two times, taken in two rounds over all of them:
        other work on the machine makes one longer, never shorter.

        Args:
            images: how many; one more goes before, for what is done but once.
        """
        chosen = [self.catalogue.photo(i) for i in fitting_rows(self.catalogue, images, self.config["seed"])]
        plain = Describer(
            self.network,
            batch_size=1,
            workers=0,
            device=self.device,
            precision=self.config["evaluation_precision"],
            progress=False,
        )
        dim = plain.share(chosen[:1])[0].shape[1]  # one without a local feature has a code, too
        rounds = [[_milliseconds(plain, photo) for photo in chosen] for _ in range(ROUNDS)]
        taken = statistics.median(map(min, *rounds))
        return {"dim": dim, "ms": round(taken, 2), "images": len(chosen), "on": self._machine()}

    def _machine(self) -> str:
        if self.device.type == "cuda":
            return f"one {torch.cuda.get_device_name(self.device)}"
        count = torch.get_num_threads()
        return f"{count} thread{'s' if count > 1 else ''} of {cores()} cores, {cpu()}"

    def scores(self, column: Column, describe: Describe) -> dict[str, Any]:
        """The figures of whole codes."""
        found = self._result(column, describe)
        metric = metric_of(found)
        figures = {"benchmark": found.benchmark, "metric": metric, "value": round(found.metrics[metric], 6)}
        return {**figures, "metrics": found.summary(), "counts": dict(found.counts)}

    def reduced(self, column: Column, describe: Describe, whitening: float) -> dict[str, Any]:
        """The figures of fewer dimensions; None of more than there are, and of whitening what is in order already."""
        if getattr(self.network.head, "ordered", False):
            most, in_order = 0 if whitening else cast(int, self.network.head.dim), describe
        else:
            found = self._components()
            rows = found.rows(whitening)
            # In float64, as the eigenvectors are: of whitened ones the last count for most.
            most, in_order = len(rows), Once(lambda photos: project(describe(photos), found.mean, rows))
        values: dict[str, float | None] = {str(dims): None for dims in self.dims}
        for dims in self.dims:
            if dims <= most:
                result = self._result(column, first_entries(in_order, dims))
                values[str(dims)] = round(result.metrics[metric_of(result)], 6)
        return {"dims": values}

    def _components(self) -> Principal:
        """The components of the fit photographs' codes, found once."""
        if self._principal is None:
            rows = fitting_rows(self.catalogue, self.config["stages"]["fit_images"], self.config["seed"])
            if len(rows) < 2:
                raise UserError("fit: a PCA takes two photographs at least; give more, or dims=[].")
            codes = self.describe([self.catalogue.photo(i) for i in rows])
            self._principal = principal(codes[told(codes)], max(self.dims), "dims", "codes")
        return self._principal

    def _result(self, column: Column, describe: Describe) -> Result:
        index = index_of({"index": column.config["index"]})
        benchmark = build(
            column.config["benchmark"], catalogue=column.catalogue if column.of_catalogue else None, index=index
        )
        with within_memory("a smaller extract_batch"):
            found: Result = benchmark.evaluate(describe)
        return found


def figures_of(cell: Cell, descriptor: Descriptor, describe: Describe, timed: int) -> dict[str, Any]:
    """What comes of a cell.

    Args:
        cell: what is measured.
        descriptor: its row at work.
        describe: the descriptor's, or what keeps its codes.
        timed: photographs that the time of one is measured on.

    Raises:
        UserError: photographs that cannot be read or described.
    """
    if cell.column is None:
        return descriptor.size(timed)
    if cell.kind == "scores":
        return descriptor.scores(cell.column, describe)
    return descriptor.reduced(cell.column, describe, cell.whitening)


def metric_of(result: Result) -> str:
    """What a benchmark is told by in the table: a score that is no share where there is one, else its main metric."""
    return next((name for name in result.metrics if name in SCORES), result.main)


def _milliseconds(describe: Describer, photo: Photo) -> float:
    start = time.perf_counter()
    describe.share([photo])
    return 1000 * (time.perf_counter() - start)
