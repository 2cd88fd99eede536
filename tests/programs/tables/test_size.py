"""How the time of a photograph is measured, by a clock that stands still but for what it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from deepret.programs.tables import measured
from deepret.programs.tables.measured import Descriptor


def test_other_work_in_one_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {"a": iter([0.010, 0.900]), "b": iter([0.800, 0.020]), "c": iter([0.030, 0.031])}
    now, asked = [0.0], []

    class Clocked:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def share(self, photos: list[str]) -> tuple[Tensor, Tensor]:
            if asked:  # the first is not timed
                now[0] += next(taken[photos[0]])
            asked.append(photos[0])
            return torch.ones(1, 8), torch.zeros(1, dtype=torch.int64)

    monkeypatch.setattr(measured, "Describer", Clocked)
    monkeypatch.setattr(measured, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(measured, "fitting_rows", lambda *_: [0, 1, 2])
    descriptor: Any = Descriptor.__new__(Descriptor)
    descriptor.catalogue = SimpleNamespace(photo="abc".__getitem__)
    descriptor.config = {"seed": 0, "evaluation_precision": "32"}
    descriptor.network, descriptor.device = None, torch.device("cpu")
    found = descriptor.size(3)
    assert (found["dim"], found["ms"], found["images"]) == (8, 20.0, 3)
    assert asked == ["a", *"abc", *"abc"]
