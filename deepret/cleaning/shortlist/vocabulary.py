"""A shortlist: in a large class each photograph is compared with those that share most visual words with it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, PositiveInt
from scipy import sparse
from torch import Tensor

from deepret.cleaning.features.base import Features
from deepret.cleaning.features.store import FeatureStore
from deepret.cleaning.shortlist.base import Partners, Shortlist
from deepret.cleaning.verification.tentative import unit

ROWS = 256
"""Photographs whose scores with all others of their class are in memory at a time."""


class Vocabulary(Shortlist):
    """Compares every pair of a class of up to ``bound`` photographs, and in a larger one each with ``neighbours``.

    Those are the photographs whose words w, the nearest of ``words`` centres of features, agree most:

        s(a, b) = Σ_w t_a(w) · t_b(w),   t(w) ∝ √count(w) · log(n / photographs with w),   ‖t‖ = 1,

    so that the pairs of a class of n are n × neighbours at most, where all would be n²/2. The centres are found by
    k-means over a sample's features.

    Args:
        bound: photographs of a class of which all pairs are compared.
        neighbours: partners of each in a larger one.
        words: centres.
        sample: photographs whose features they are learned from.
        rounds: of k-means.
        seed: of its start.

    Source: Sivic and Zisserman, "Video Google: a text retrieval approach to object matching in videos", ICCV 2003.
    """

    def __init__(
        self,
        bound: Annotated[int, Field(ge=2)] = 200,
        neighbours: PositiveInt = 50,
        words: Annotated[int, Field(ge=2)] = 2048,
        sample: PositiveInt = 200,
        rounds: PositiveInt = 10,
        seed: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.bound = bound
        self.neighbours = neighbours
        self.words = words
        self.sample = sample
        self.rounds = rounds
        self.seed = seed
        self._centres: Tensor | None = None

    def limit(self, count: int) -> int | None:
        """``neighbours`` of a class of more than ``bound`` photographs; None for all."""
        return None if count <= self.bound else self.neighbours

    def partners(self, paths: list[str], sample: list[str], store: FeatureStore) -> Partners:
        """For each photograph of a class of n those that it is compared with, n arrays.

        Args:
            paths: the class's photographs.
            sample: photographs of all classes, which the words are learned from.
            store: gives features.
        """
        if self._centres is None:
            self._centres = self.learn([store.features(path) for path in sample[: self.sample]])
        counts = [count_words(store.features(path), self._centres) for path in paths]
        return nearest(weighted(sparse.vstack(counts).tocsr()), self.neighbours)

    def learn(self, found: list[Features]) -> Tensor:
        """The centres (words, D) of photographs' features, of length one; fewer where there are fewer features."""
        features = [unit(one) for one in found if len(one)]
        return k_means(torch.cat(features), self.words, self.rounds, self.seed) if features else torch.zeros(1, 1)


def k_means(vectors: Tensor, count: int, rounds: int, seed: int) -> Tensor:
    """Spherical k-means: the centres (count, D) of vectors (n, D) of length one, by FAISS where it is installed."""
    count = min(count, len(vectors))
    try:
        import faiss
    except ImportError:
        start = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(seed))[:count]
        return lloyd(vectors, vectors[start], rounds)
    found = faiss.Kmeans(
        vectors.shape[1], count, niter=rounds, seed=seed, spherical=True, min_points_per_centroid=1, verbose=False
    )
    found.train(vectors.numpy())
    return torch.from_numpy(np.asarray(found.centroids))


def lloyd(vectors: Tensor, centres: Tensor, rounds: int) -> Tensor:
    """Rounds of Lloyd's algorithm on vectors (n, D) of length one; a centre that nothing is near stays."""
    for _ in range(rounds):
        nearest_centre = assigned(vectors, centres)
        sums = torch.zeros_like(centres).index_add(0, nearest_centre, vectors)
        some = torch.bincount(nearest_centre, minlength=len(centres)) > 0
        centres = torch.where(some[:, None], torch.nn.functional.normalize(sums, dim=1), centres)
    return centres


def assigned(vectors: Tensor, centres: Tensor) -> Tensor:
    """The centre with which each vector has the largest product, (n,) int64."""
    return torch.cat([(part @ centres.T).argmax(dim=1) for part in torch.split(vectors, 8192)])


def count_words(found: Features, centres: Tensor) -> Any:
    """How often each word is in a photograph: a sparse row (1, words)."""
    if not len(found) or found.descriptors.shape[1] != centres.shape[1]:
        return sparse.csr_matrix((1, len(centres)), dtype=np.float32)
    words, counts = torch.unique(assigned(unit(found), centres), return_counts=True)
    places = np.zeros(len(words), np.int64), words.numpy()
    return sparse.csr_matrix((counts.float().numpy(), places), shape=(1, len(centres)))


def weighted(counts: Any) -> Any:
    """Photographs' words (n, words), weighted and each row of length one: √count · log(n / photographs with it)."""
    rare = np.log(counts.shape[0] / np.maximum(counts.getnnz(axis=0), 1))
    found = counts.sqrt().multiply(rare[None]).tocsr().astype(np.float32)
    length = np.sqrt(found.multiply(found).sum(axis=1)).A1
    return sparse.diags(1 / np.maximum(length, 1e-12)) @ found


def nearest(words: Any, count: int) -> Partners:
    """For each row of (n, words) the ``count`` other rows of the largest products, ascending; the first of equals."""
    partners = []
    for start in range(0, words.shape[0], ROWS):
        scores = (words[start : start + ROWS] @ words.T).toarray()
        scores[np.arange(len(scores)), start + np.arange(len(scores))] = -1
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        partners += [np.sort(row[row != start + i]).astype(np.int64) for i, row in enumerate(order)]
    return partners
