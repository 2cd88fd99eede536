"""A PCA for each part, against PCAs of the parts alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deepret.errors import UserError
from deepret.models.projection.parts_pca import PartsPCA
from deepret.models.projection.pca import PCA


def samples(count: int = 200, channels: int = 14) -> Tensor:
    return torch.rand(count, channels, generator=torch.Generator().manual_seed(5)) + 0.1


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("lengths", [[8, 6], [14], [5, 5, 4]])
def test_equals_the_parts_alone(lengths: list[int], normalise: bool) -> None:
    projection = PartsPCA(14, lengths, dim=3, whitening=0.5, normalise=normalise)
    assert not projection.fitted
    projection.fit(samples())
    assert projection.fitted
    assert projection.dim == 3 * len(lengths)
    wanted, start = [], 0
    for length in lengths:
        alone = PCA(length, 3, 0.5, normalise)
        alone.fit(samples()[:, start : start + length])
        wanted.append(alone(samples()[:20, start : start + length]))
        start += length
    assert torch.equal(projection(samples()[:20]), torch.cat(wanted, 1))


def test_state_carries_the_fit() -> None:
    projection, copy = PartsPCA(14, [8, 6], dim=3), PartsPCA(14, [8, 6], dim=3)
    projection.fit(samples())
    copy.load_state_dict(projection.state_dict())
    assert copy.fitted
    assert torch.equal(copy(samples()), projection(samples()))


def test_refuses_lengths_that_do_not_add_up() -> None:
    with pytest.raises(UserError, match=r"projection.lengths=\[8, 5\]: they add up to 13, .* 14 channels"):
        PartsPCA(14, [8, 5])


def test_refuses_more_dimensions_than_a_part_has() -> None:
    with pytest.raises(UserError, match=r"projection.dim=7: the shortest of the parts has 6 numbers"):
        PartsPCA(14, [8, 6], dim=7)


def test_refuses_to_be_used_before_it_is_fitted() -> None:
    with pytest.raises(UserError, match="not fitted"):
        PartsPCA(14, [8, 6], dim=3)(samples())
