"""Visual words and shortlists against loops, by FAISS and without."""

from __future__ import annotations

import math
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from cleaning.made import descriptors, features
from scipy import sparse

from deepret.cleaning.features.base import Features
from deepret.cleaning.shortlist import vocabulary
from deepret.cleaning.shortlist.vocabulary import Vocabulary, count_words, k_means, lloyd, nearest, weighted
from deepret.cleaning.verification.tentative import unit


class Given:
    """Stands for a store: features by name, and which were asked for."""

    def __init__(self, found: dict[str, Features]) -> None:
        self.found = found
        self.asked: list[str] = []

    def features(self, path: str) -> Features:
        self.asked.append(path)
        return self.found[path]


def groups(count: int, each: int, seed: int = 0) -> dict[str, Features]:
    """Photographs a0 a1 … b0 …: those of one letter have most of their features in common but for noise."""
    random = np.random.default_rng(seed)
    found = {}
    for group in range(count):
        own = descriptors(30, seed + group + 1)
        for i in range(each):
            noisy = (own + random.normal(0, 8, own.shape)).clip(0, 255).astype(np.uint8)
            noisy[:6] = descriptors(6, 1000 + 50 * group + i)
            found[f"{chr(97 + group)}{i}"] = features(np.zeros((30, 2)), noisy)
    return found


@pytest.fixture(params=["FAISS", "none"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "FAISS":
        pytest.importorskip("faiss")
    else:
        monkeypatch.setitem(sys.modules, "faiss", None)
    return str(request.param)


def slow_lloyd(vectors: np.ndarray, centres: np.ndarray, rounds: int) -> np.ndarray:
    for _ in range(rounds):
        own: list[list[np.ndarray]] = [[] for _ in centres]
        for vector in vectors:
            own[max(range(len(centres)), key=lambda c: float(vector @ centres[c]))].append(vector)
        sums = [np.sum(some, axis=0) if some else None for some in own]
        centres = np.array([c if s is None else s / np.linalg.norm(s) for c, s in zip(centres, sums, strict=True)])
    return centres


def test_lloyd_as_loops() -> None:
    vectors = unit(features(np.zeros((80, 2)), descriptors(80)))
    start = torch.cat([vectors[:6], -vectors[:1]])  # nothing is near the last
    found = lloyd(vectors, start, 4)
    expected = slow_lloyd(vectors.double().numpy(), start.double().numpy(), 4)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert torch.equal(found[-1], start[-1])


def test_k_means_finds_what_lies_together(library: str) -> None:
    random = np.random.default_rng(0)
    middles = descriptors(5).astype(float)
    some = np.repeat(middles, 40, axis=0) + random.normal(0, 3, (200, 128))
    vectors = unit(features(np.zeros((200, 2)), some.clip(0, 255).astype(np.uint8)))
    found = k_means(vectors, 25, 10, 0)
    assert found.shape == (25, 128)
    np.testing.assert_allclose(found.norm(dim=1), 1, atol=1e-5)
    near = (vectors @ found.T).max(dim=1).values
    assert near.min() > 0.99
    assert torch.equal(k_means(vectors, 25, 10, 0), found), "not the same again"


def test_no_more_centres_than_vectors(library: str) -> None:
    vectors = unit(features(np.zeros((7, 2)), descriptors(7)))
    assert len(k_means(vectors, 100, 3, 0)) == 7


def test_count_words_one_by_one() -> None:
    centres = unit(features(np.zeros((9, 2)), descriptors(9)))
    some = features(np.zeros((50, 2)), descriptors(50, 1))
    expected = Counter(
        max(range(9), key=lambda c: float(vector.double() @ centres[c].double())) for vector in unit(some)
    )
    found = count_words(some, centres).toarray()[0]
    assert {w: int(n) for w, n in enumerate(found) if n} == dict(expected)
    empty = features(np.zeros((0, 2)), np.zeros((0, 1), np.uint8))
    assert count_words(empty, centres).shape == (1, 9)
    assert count_words(empty, centres).nnz == 0


def counts(n: int = 40, words: int = 30, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    found = random.poisson(0.3, (n, words)).astype(np.float32)
    found[:, 0] = 1  # in all of them: it says nothing
    found[5] = 0  # no word at all
    found[:, 1] = 0  # in none
    return found


def slow_weighted(some: np.ndarray) -> np.ndarray:
    n, words = some.shape
    found = np.zeros((n, words))
    for w in range(words):
        have = sum(some[a, w] > 0 for a in range(n))
        for a in range(n):
            found[a, w] = math.sqrt(some[a, w]) * math.log(n / max(have, 1))
    for a in range(n):
        length = math.sqrt(sum(x * x for x in found[a]))
        found[a] = found[a] / length if length else 0
    return found


def test_weighted_as_loops() -> None:
    some = counts()
    some[5, 0] = 1
    np.testing.assert_allclose(weighted(sparse.csr_matrix(some)).toarray(), slow_weighted(some), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows", [256, 7])
@pytest.mark.parametrize("count", [1, 5, 39, 60])
def test_nearest_as_loops(monkeypatch: pytest.MonkeyPatch, rows: int, count: int) -> None:
    monkeypatch.setattr(vocabulary, "ROWS", rows)
    words = slow_weighted(counts())
    found = nearest(sparse.csr_matrix(words), count)
    for i, own in enumerate(found):
        score = [float(words[i] @ words[j]) for j in range(len(words))]
        others = sorted((j for j in range(len(words)) if j != i), key=lambda j: (-score[j], j))[:count]
        assert own.dtype == np.int64
        assert own.tolist() == sorted(own.tolist())
        assert len(own) == min(count, 39)
        assert i not in own
        np.testing.assert_allclose(sorted(score[j] for j in own), sorted(score[j] for j in others), atol=1e-9)


def test_partners_are_those_that_show_the_same(library: str) -> None:
    given = Given(groups(4, 6))
    names = list(given.found)
    shortlist = Vocabulary(bound=10, neighbours=5, words=120)
    found = shortlist.partners(names, names, given)  # type: ignore[arg-type]
    assert found is not None
    for name, own in zip(names, found, strict=True):
        assert {names[j][0] for j in own} == {name[0]}
        assert names.index(name) not in own


def test_all_pairs_of_a_class_that_is_small_enough() -> None:
    assert Vocabulary(bound=6, neighbours=3).limit(6) is None
    assert Vocabulary(bound=6, neighbours=3).limit(7) == 3


def test_words_are_learned_once_from_a_sample(library: str) -> None:
    given = Given(groups(3, 6))
    names = list(given.found)
    shortlist = Vocabulary(bound=4, neighbours=2, words=40, sample=5)
    one = shortlist.partners(names, names, given)  # type: ignore[arg-type]
    assert given.asked == names[:5] + names
    given.asked.clear()
    two = shortlist.partners(names, names[::-1], given)  # type: ignore[arg-type]
    assert given.asked == names
    assert [own.tolist() for own in one or []] == [own.tolist() for own in two or []]


def test_photographs_without_features_have_partners_too(library: str) -> None:
    given = Given(groups(2, 4))
    given.found["a0"] = features(np.zeros((0, 2)), np.zeros((0, 1), np.uint8))
    names = list(given.found)
    found = Vocabulary(bound=4, neighbours=3, words=40).partners(names, names, given)  # type: ignore[arg-type]
    assert [len(own) for own in found or []] == [3] * 8
    nothing = Given({str(i): given.found["a0"] for i in range(6)})
    found = Vocabulary(bound=4, neighbours=2).partners(list(nothing.found), ["0"], nothing)  # type: ignore[arg-type]
    assert [own.tolist() for own in found or []] == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 1]]
