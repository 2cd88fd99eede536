from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepret.data.loading import Batch
from deepret.losses.triplet import Triplet
from deepret.training.mining.all import All
from deepret.training.mining.pool import Pool
from deepret.training.mining.semi_hard import SemiHard
from deepret.training.ranking import Ranking, pair_figures
from deepret.training.references.batch import WholeBatch

MARGIN = 0.3
LABELS = torch.arange(4).repeat_interleave(3)


def codes_of(seed: int = 0, dim: int = 16, scale: float = 1.0) -> Tensor:
    """Codes of four classes of three, some nearer to their class than others."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(4, dim, generator=random)[LABELS]
    return scale * F.normalize(centres + 1.2 * torch.randn(12, dim, generator=random), dim=1)


def active_share(codes: Tensor) -> float:
    """The share of all triplets of the batch that have a loss, one after the other."""
    found = []
    for q in range(12):
        for p in range(12):
            for n in range(12):
                if p != q and LABELS[p] == LABELS[q] != LABELS[n]:
                    near, far = ((codes[q] - codes[i]).square().sum() for i in (p, n))
                    found.append(float(MARGIN + near - far > 0))
    return sum(found) / len(found)


def logged(miner: Any, codes: Tensor) -> dict[str, Tensor]:
    """What a step over these codes logs, computed where Lightning computes it: under autocast."""
    module = Ranking(nn.Identity(), Triplet(MARGIN), miner, WholeBatch(), lambda _: (None, None), {})  # type: ignore[arg-type, return-value]
    found: dict[str, Tensor] = {}
    module.codes = lambda _: codes  # type: ignore[method-assign]
    module.log = lambda name, value, **_: found.update({name: value})  # type: ignore[method-assign, assignment]
    module.log_dict = lambda values, **_: found.update(values)  # type: ignore[method-assign, assignment]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        module.training_step(Batch([], torch.arange(12), torch.arange(12), LABELS), 0)
    return found


@pytest.mark.parametrize("miner", [All(), SemiHard(MARGIN), Pool(MARGIN)], ids=lambda m: type(m).__name__)
def test_active_triplets_are_a_share_of_the_whole_batch(miner: Any) -> None:
    codes = codes_of()
    expected = active_share(codes)
    assert 0.1 < expected < 0.9
    assert float(logged(miner, codes)["active triplets"]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_distances_are_exact_under_autocast(scale: float) -> None:
    codes = codes_of(1, scale=scale)
    same = LABELS[:, None] == LABELS
    pairs = {
        "distance of positives": [(i, j) for i in range(12) for j in range(12) if i != j and same[i, j]],
        "distance of negatives": [(i, j) for i in range(12) for j in range(12) if not same[i, j]],
    }
    found = logged(All(), codes)
    for name, rows in pairs.items():
        expected = sum(float((codes[i].double() - codes[j]).norm()) for i, j in rows) / len(rows)
        assert found[name].dtype == torch.float32
        assert float(found[name]) == pytest.approx(expected, rel=1e-5)


def test_figures_of_a_batch_without_pairs_are_zero() -> None:
    nothing = torch.zeros(12, 12, dtype=torch.bool)
    found = pair_figures(codes_of(), nothing, nothing)
    assert float(found["distance of positives"]) == float(found["distance of negatives"]) == 0


def test_spread_tells_collapsed_codes_from_spread_ones() -> None:
    nothing = torch.zeros(12, 12, dtype=torch.bool)
    one = F.normalize(torch.ones(1, 16), dim=1).expand(12, 16)
    assert float(pair_figures(one, nothing, nothing)["spread"]) == pytest.approx(0, abs=1e-6)
    assert float(pair_figures(torch.eye(12), nothing, nothing)["spread"]) == pytest.approx(1 - 1 / 12)
    assert float(pair_figures(7 * torch.eye(12), nothing, nothing)["spread"]) == pytest.approx(1 - 1 / 12)
