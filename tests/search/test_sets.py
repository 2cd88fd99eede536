from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from deepret.search.sets import as_sets, joined, padded_sets, present


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_objects_stand_in_their_image_in_their_order_and_zeros_behind_them(counts: list[int]) -> None:
    image = torch.tensor([i for i, count in enumerate(counts) for _ in range(count)], dtype=torch.int64)
    vectors = torch.arange(1.0, 2 * len(image) + 1).view(-1, 2)
    found = padded_sets(vectors, image, len(counts))
    assert found.shape == (len(counts), max(counts), 2)
    for i, count in enumerate(counts):
        assert torch.equal(found[i, :count], vectors[image == i])
        assert not found[i, count:].any()
    assert present(found).sum(dim=1).tolist() == counts
    assert torch.equal(found[present(found)], vectors)


def test_tables_are_joined_with_room_for_the_image_with_most_objects() -> None:
    one, other = torch.ones(2, 1, 3), 2 * torch.ones(1, 4, 3)
    found = joined([one, other])
    assert found.shape == (3, 4, 3)
    assert present(found).sum(dim=1).tolist() == [1, 1, 4]
    assert torch.equal(joined([torch.ones(2, 3), torch.zeros(1, 3)]), torch.tensor([[1.0] * 3, [1.0] * 3, [0.0] * 3]))


def test_one_code_is_a_set_of_one() -> None:
    assert as_sets(torch.ones(2, 3)).shape == (2, 1, 3)
    assert as_sets(torch.ones(2, 4, 3)).shape == (2, 4, 3)
