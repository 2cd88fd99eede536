"""Principal components of L2-normalised vectors: what every PCA of the package is made with."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from deepret.errors import UserError

LARGEST = 20_000
"""Rows of the largest matrix that is decomposed: 3 GB in float64."""
DISTINCT = 1e-12
"""Directions whose variance is a smaller share of the largest one are rounding."""
ROUNDED = 1e-13
"""So are those of vectors of length one whose variance is smaller than this: float32 rounds each entry by 6e-8."""


class Principal(NamedTuple):
    """The components of a set of vectors, in float64.

    Args:
        mean: μ (D,), of the L2-normalised vectors.
        values: λ (k,), variances, the largest first.
        axes: v (k, D), orthonormal rows, the largest entry of each positive.
        average: the mean of all D eigenvalues of the covariance, null ones among them.
    """

    mean: Tensor
    values: Tensor
    axes: Tensor
    average: float

    def rows(self, whitening: float, shrinkage: float = 0.0) -> Tensor:
        """The projection (k, D) with rows v_iᵀ λ_i^(−w/2), where λ ← (1 − s) λ + s · mean λ."""
        values = (1 - shrinkage) * self.values + shrinkage * self.average
        return self.axes * values[:, None] ** (-whitening / 2)


def components(vectors: Tensor, dim: int, setting: str, of: str) -> Principal:
    """Exactly ``dim`` components of vectors (n, D), which need not be normalised.

    Args:
        vectors: on any device, or mapped from a file; they are gone over in blocks.
        dim: D at most.
        setting: what to call ``dim`` in a message.
        of: what to call the vectors.

    Raises:
        UserError: too few vectors, vectors that differ in fewer than ``dim`` directions, or some that are no numbers.
    """
    if len(vectors) <= dim:
        raise UserError(
            f"{setting}={dim}: it takes more than {dim} {of} to find as many components, and the training split gave "
            f"{len(vectors)}; lower dim, or give more images."
        )
    found = principal(vectors, dim, setting, of)
    if len(found.values) < dim:
        raise UserError(
            f"{setting}={dim}: the {len(vectors)} {of} of the training split differ in {len(found.values)} directions "
            f"only; lower dim, or give more images."
        )
    return found


def principal(vectors: Tensor, most: int, setting: str, of: str) -> Principal:
    """The components of vectors (n, D), n ≥ 2: all directions in which they differ, or the first ``most`` of them.

    Of fewer vectors than dimensions the covariance (D, D) is larger than it need be. With X the centred vectors,
    v = Xᵀ u / ‖Xᵀ u‖ is then had from the eigenvectors u of the Gram matrix X Xᵀ (n, n), whose eigenvalues are the
    same.

    Args:
        vectors: on any device, or mapped from a file.
        most: components that are wanted.
        setting: what to name in a message.
        of: what to call the vectors.

    Raises:
        UserError: vectors that are no numbers, or too many long ones.
    """
    count, length = vectors.shape
    if min(count, length) > LARGEST:
        raise UserError(
            f"{setting}: the components of {count:,} {of} of {length:,} dimensions take a matrix of more than "
            f"{LARGEST:,} rows; lower stages.fit_images to that many."
        )
    mean = mean_of(vectors, setting, of)
    if count < length:
        values, axes, total = _by_gram(vectors, mean, most)
    else:
        scatter = covariance(vectors, mean)
        values, columns = eigen(scatter)
        values, axes, total = values[:most], columns.T[:most], scatter.trace()
    distinct = int((values > (DISTINCT * values[:1]).clamp(min=ROUNDED)).sum())
    return Principal(mean, values[:distinct], upright(axes[:distinct]), float(total) / length)


def principal_rows(vectors: Tensor, dim: int, whitening: float) -> tuple[Tensor, Tensor]:
    """Mean (C,) and projection (dim, C) of region vectors (n, C), as ``components`` finds them."""
    found = components(vectors, dim, "projection.dim", "region vectors")
    return found.mean, found.rows(whitening)


def mean_of(vectors: Tensor, setting: str, of: str) -> Tensor:
    """The mean (D,) of L2-normalised vectors, in float64.

    Raises:
        UserError: vectors that are no numbers.
    """
    mean = torch.stack([unit(block).sum(0) for block in blocks(vectors)]).sum(0) / max(1, len(vectors))
    if not mean.isfinite().all():
        wrong = sum(int((~block.isfinite().all(1)).sum()) for block in blocks(vectors))
        raise UserError(
            f"{setting}: {wrong:,} of the {len(vectors):,} {of} of the training split are no numbers: the network's "
            f"weights have diverged, or their file is damaged; take others."
        )
    return mean


def covariance(vectors: Tensor, mean: Tensor) -> Tensor:
    """The covariance (D, D) of L2-normalised vectors (n, D), in float64."""
    scatter = torch.zeros(vectors.shape[1], vectors.shape[1], dtype=torch.float64, device=vectors.device)
    for block in blocks(vectors):
        centred = unit(block) - mean
        scatter += centred.T @ centred
    return scatter / (len(vectors) - 1)


def eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The eigenvalues (m,) of a symmetric matrix ≥ 0, the largest first, and its eigenvectors (m, m) in columns."""
    try:
        values, columns = torch.linalg.eigh(matrix)
    except RuntimeError as error:
        if "converge" not in str(error):
            raise
        # on some processors it gives up on matrices of low rank
        columns, values, _ = torch.linalg.svd(matrix)
        return values, columns
    return values.flip(0), columns.flip(1)


def upright(rows: Tensor) -> Tensor:
    """Rows with the sign that makes the largest entry of each positive, so that the same data give the same rows."""
    return rows * rows.gather(1, rows.abs().argmax(dim=1, keepdim=True)).sign()


def unit(vectors: Tensor) -> Tensor:
    """The vectors, each of length one, in float64."""
    return F.normalize(vectors.double(), dim=1)


def told(codes: Tensor) -> Tensor:
    """Which of codes (n, D) say something: those that are not zero, as a photograph's without local features is."""
    return torch.cat([(block != 0).any(dim=1) for block in blocks(codes)])


def project(codes: Tensor, mean: Tensor, rows: Tensor) -> Tensor:
    """P (L2(x) − μ) of codes x (n, D), in float64, in blocks; a code of zero stays zero.

    Args:
        codes: they need not be normalised.
        mean: μ (D,).
        rows: P (k, D).
    """
    found = torch.cat([(unit(block) - mean) @ rows.T for block in blocks(codes)])
    return found * told(codes)[:, None]


def blocks(vectors: Tensor) -> tuple[Tensor, ...]:
    """The vectors in blocks, which bounds the memory that float64 takes."""
    return torch.split(vectors, max(1, min(4096, 2**24 // max(1, vectors.shape[1]))))


def _by_gram(vectors: Tensor, mean: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Eigenvalues and eigenvectors (k, D) of the covariance, and the sum of all, without making it."""
    parts = blocks(vectors)
    places = torch.split(torch.arange(len(vectors), device=vectors.device), len(parts[0]))
    gram = torch.empty(len(vectors), len(vectors), dtype=torch.float64, device=vectors.device)
    for i, part in enumerate(parts):
        centred = unit(part) - mean
        for j in range(i + 1):
            found = centred @ (unit(parts[j]) - mean).T
            gram[places[i][:, None], places[j]] = found
            gram[places[j][:, None], places[i]] = found.T
    values, columns = eigen(gram)
    columns = columns[:, :most]
    axes = torch.zeros(columns.shape[1], vectors.shape[1], dtype=torch.float64, device=vectors.device)
    for part, place in zip(parts, places, strict=True):
        axes += columns[place].T @ (unit(part) - mean)
    return values[:most] / (len(vectors) - 1), F.normalize(axes, dim=1), gram.trace() / (len(vectors) - 1)
