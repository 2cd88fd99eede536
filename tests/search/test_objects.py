from __future__ import annotations

import math
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deepret.errors import UserError
from deepret.parts import check
from deepret.search.exact import ExactIndex
from deepret.search.objects import ObjectIndex


def sets(counts: list[int], seed: int, dim: int = 4, most: int = 0) -> Tensor:
    """Sets of so many codes of length one, absent ones zero and anywhere in their rows."""
    generator = torch.Generator().manual_seed(seed)
    table = torch.zeros(len(counts), max([most, 1, *counts]), dim)
    for i, count in enumerate(counts):
        places = torch.randperm(table.shape[1], generator=generator)[:count]
        table[i, places] = F.normalize(torch.randn(count, dim, generator=generator), dim=1)
    return table


def slow_distance(query: list[Tensor], candidate: list[Tensor]) -> float:
    """The mean over the query's objects of the smallest squared distance to an object of the candidate."""
    total = 0.0
    for x in query:
        total += min((float((x - y) @ (x - y)) for y in candidate), default=math.inf)
    return total / len(query)


def objects(table: Tensor) -> list[list[Tensor]]:
    """The objects of each image that are there."""
    return [[row for row in image if row.any()] for image in table]


counts = st.lists(st.integers(0, 4), min_size=1, max_size=7)


@given(counts, counts, st.integers(0, 99), st.sampled_from([1, 3, 65536]))
def test_scores_are_those_of_the_smallest_distances_whatever_the_blocks(
    asked: list[int], there: list[int], seed: int, block: int
) -> None:
    queries, database = sets(asked, seed), sets(there, seed + 1)
    index = ObjectIndex(block=block)
    index.add(database)
    scores, ids = index.search(queries, len(there))
    for query, row, names in zip(objects(queries), scores, ids.tolist(), strict=True):
        assert sorted(names) == list(range(len(there)))
        if not query:
            assert row.tolist() == [0.0] * len(there)
            assert names == list(range(len(there)))
            continue
        for score, name in zip(row.tolist(), names, strict=True):
            distance = slow_distance(query, objects(database)[name])
            assert 2 - 2 * score == pytest.approx(distance, abs=1e-5)
        assert row.tolist() == sorted(row.tolist(), reverse=True)


@given(counts, st.lists(st.integers(0, 3), min_size=7, max_size=7), st.integers(0, 99), st.sampled_from([1, 65536]))
def test_a_class_is_a_candidate_with_the_objects_of_all_its_images(
    there: list[int], classes: list[int], seed: int, block: int
) -> None:
    queries, database = sets([2, 1, 3], seed), sets(there, seed + 1)
    owner = torch.tensor(classes[: len(there)])
    index = ObjectIndex(block=block)
    half = len(there) // 2
    index.add(database[:half], owner[:half])
    index.add(database[half:], owner[half:])
    assert len(index) == int(owner.max()) + 1
    scores, ids = index.search(queries, 10)
    for query, row, names in zip(objects(queries), scores.tolist(), ids.tolist(), strict=True):
        assert sorted(names) == list(range(len(index)))
        for score, name in zip(row, names, strict=True):
            own = [
                y for image, one in zip(objects(database), owner.tolist(), strict=True) if one == name for y in image
            ]
            assert 2 - 2 * score == pytest.approx(slow_distance(query, own), abs=1e-5)


def test_sets_of_one_are_found_as_by_the_exact_index() -> None:
    database, queries = sets([1] * 150, 0, dim=24)[:, 0], sets([1] * 9, 1, dim=24)[:, 0]
    database[70:90] = database[0]  # and ties fall the same way
    found, wanted = ObjectIndex(block=64), ExactIndex()
    for part in database.split(60):
        found.add(part)
        wanted.add(part)
    assert len(found) == len(wanted)
    for k in (1, 20, 150, 1000):
        own, other = found.search(queries, k), wanted.search(queries, k)
        assert torch.equal(own[1], other[1])
        assert torch.allclose(own[0], other[0], atol=1e-6)


@pytest.mark.parametrize("block", [5, 64, 65536])
def test_equal_sets_tie_and_come_in_the_order_of_adding(block: int) -> None:
    index = ObjectIndex(block=block)
    index.add(sets([3], 0, dim=40).expand(70, -1, -1))
    scores, ids = index.search(sets([5, 2], 1, dim=40), 70)
    assert ids.tolist() == [list(range(70))] * 2
    assert all(len(row.unique()) == 1 for row in scores)


def test_a_candidate_without_objects_comes_last() -> None:
    index = ObjectIndex()
    index.add(sets([0, 2, 0, 1], 0))
    scores, ids = index.search(sets([2], 1), 4)
    assert {*ids[0, :2].tolist()} == {1, 3}
    assert ids[0, 2:].tolist() == [0, 2]
    assert scores[0, 2:].tolist() == [-math.inf] * 2


def test_wrong_use_is_refused() -> None:
    index = ObjectIndex()
    with pytest.raises(UserError, match="empty: add codes"):
        index.search(torch.ones(1, 2, 4), 1)
    index.add(torch.ones(1, 2, 4))
    with pytest.raises(UserError, match="codes of 3 dimensions do not fit an index of 4"):
        index.search(torch.ones(1, 2, 3), 1)
    with pytest.raises(UserError, match=re.escape("codes of shape (4,): an index of objects takes (n, K, D)")):
        index.add(torch.ones(4))
    for wrong in (torch.tensor([-1]), torch.tensor([0, 1]), torch.tensor([0.0])):
        with pytest.raises(ValueError, match="candidates are ids from 0, one of each of the 1 images"):
            index.add(torch.ones(1, 2, 4), wrong)


@pytest.mark.parametrize("name", ["IVF4,PQ8", "PQ", "PQ0", "sq8", "SQ8 "])
def test_a_compression_that_there_is_not_is_refused_before_any_work(name: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"index.compress={name!r}")):
        check({"index": {"_target_": "deepret.search.objects.ObjectIndex", "compress": name}})


@pytest.mark.parametrize(("name", "size"), [("SQ8", 16), ("SQ4", 8), ("PQ4", 4)])
def test_compressed_scores_are_those_of_what_is_read_back(name: str, size: int) -> None:
    pytest.importorskip("faiss", reason="FAISS is not installed")
    database, queries = sets([3, 0, 2, 1] * 60, 0, dim=16), sets([2, 3, 1], 1, dim=16)
    index = ObjectIndex(block=50, compress=name)
    bytes_an_image = f"{1.5 * size:,.0f} bytes an image instead of 96"
    with pytest.warns(UserWarning, match=rf"index.compress={name}: {bytes_an_image}; .* finds \d+\.\d % \(32 images"):
        index.add(database)
    assert index.codec is not None
    assert index.codec.size == size
    plain = ObjectIndex()
    back = torch.zeros_like(database)
    there = (database != 0).any(dim=2)
    back[there] = index.codec.decode(index.codec.encode(database[there]))
    assert torch.allclose(back[there].norm(dim=1), torch.ones(int(there.sum())), atol=1e-6)
    assert not torch.equal(back, database)
    plain.add(back)
    own, other = index.search(queries, 240), plain.search(queries, 240)
    assert torch.allclose(own[0], other[0], atol=1e-6)
    assert (own[1] == other[1]).double().mean() > 0.9  # equal sets aside, rounding may swap neighbours


def test_a_byte_a_dimension_finds_nearly_what_exact_codes_find() -> None:
    pytest.importorskip("faiss", reason="FAISS is not installed")
    database = sets([3] * 100, 0, dim=16)
    shares = []
    for name in ("SQ8", "PQ1"):
        with pytest.warns(UserWarning, match=r"index\.compress") as said:
            ObjectIndex(compress=name).add(database)
        shares.append(float(re.findall(r"([\d.]+) %", str(said[0].message))[0]))
    assert shares[0] > 90 > shares[1] > 5


def test_what_faiss_cannot_compress_is_one_message() -> None:
    pytest.importorskip("faiss", reason="FAISS is not installed")
    with pytest.raises(UserError, match=r"index\.compress=PQ5: FAISS cannot compress 300 objects of 16 dim.*take SQ8"):
        ObjectIndex(compress="PQ5").add(sets([1] * 300, 0, dim=16))
    with pytest.raises(UserError, match=r"index\.compress=PQ4: FAISS cannot compress 20 objects"):
        ObjectIndex(compress="PQ4").add(sets([1] * 20, 0, dim=16))


def test_without_faiss_compression_is_refused_and_exact_search_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(UserError, match=r"index\.compress=SQ8 needs FAISS.*take index\.compress=null"):
        ObjectIndex(compress="SQ8")
    ObjectIndex().add(torch.ones(1, 4))
