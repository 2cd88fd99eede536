"""Codebooks that scikit-learn learns, the same to the last bit each time.

Its k-means adds up the shares of several threads in the order in which they end, so the last digits of its centres
change from run to run; on one thread they do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits
from torch import Tensor

ROUNDS = 100
"""Passes over the vectors at most; a codebook that would still move a little serves as well."""


@contextmanager
def repeatable() -> Iterator[None]:
    """One thread, and no word about codebooks that would still move."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def centres(vectors: Tensor, count: int, seed: int) -> Tensor:
    """K centres (K, D) of vectors (n, D), by k-means from one k-means++ start."""
    with repeatable():
        found = KMeans(count, n_init=1, max_iter=ROUNDS, random_state=seed).fit(vectors.double().numpy())
    return torch.from_numpy(found.cluster_centers_)


def mixture(vectors: Tensor, count: int, floor: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shares (K,), means (K, D) and deviations (K, D) of a mixture of Gaussians with diagonal covariance.

    Args:
        vectors: (n, D); not all of them alike.
        count: K.
        floor: what is added to every variance, as a share of the vectors' mean variance.
        seed: of the k-means start.
    """
    data = vectors.double()
    least = floor * float(data.var(0, correction=0).mean())
    learner = GaussianMixture(
        count, covariance_type="diag", init_params="kmeans", reg_covar=least, max_iter=ROUNDS, random_state=seed
    )
    with repeatable():
        found = learner.fit(data.numpy())
    shares, means, variances = map(torch.from_numpy, (found.weights_, found.means_, found.covariances_))
    return shares, means, variances.sqrt()


def dictionary(vectors: Tensor, count: int, penalty: float, seed: int) -> Tensor:
    """Atoms (K, D) of length one, of which few make up each of the vectors (n, D).

    Args:
        vectors: (n, D).
        count: K.
        penalty: weight of the sum of absolute coefficients in learning, for vectors whose mean square is one.
        seed: of the start and of the batches.
    """
    data = vectors.double()
    data = data / data.square().sum(1).mean().sqrt()
    learner = MiniBatchDictionaryLearning(
        count, alpha=penalty, fit_algorithm="cd", batch_size=256, max_iter=10, random_state=seed
    )
    with repeatable():
        found = torch.from_numpy(learner.fit(data.numpy()).components_)
    return torch.nn.functional.normalize(found, dim=1)
