"""Search among sets of codes: what ONE compares images, or an image and a class, by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from deepret.data.check import report
from deepret.errors import UserError
from deepret.search.compressed import Codec
from deepret.search.exact import check_length, inner_products, order_keys, split_keys
from deepret.search.sets import as_sets, present

Compression = Annotated[str, Field(pattern=r"^(SQ4|SQ8|PQ[1-9]\d*)$")]

PAIRS = 2**23
"""Inner products that are held at once."""
ASKED = 32
"""Images that are asked to see what compression loses."""
NEAREST = 10
"""Of how many nearest images it is seen how many compressed codes find."""


class ObjectIndex:
    """Compares every object of a query with every object of every candidate.

    With the objects x of a query q, all of length one, and the objects y of a candidate c, their distance is the mean,
    over the query's objects, of the smallest distance to one of the candidate's:

        d(q, c) = 1/|q| Σ_x min_y ‖x − y‖² = 2 − 2 s(q, c),   s(q, c) = 1/|q| Σ_x max_y ⟨x, y⟩

    so the largest s is the smallest d. A candidate is one image, or all images of a class: then the same search tells
    the class of an image. Rows of zeros are no objects. A candidate without any has the score −∞ and comes last; for a
    query without any all candidates score 0. A code an image is a set of one.

    With ``compress`` codes are kept compressed, by FAISS; a score is then exactly that of what is read back from them,
    brought to length one again. What it saves and loses is told as codes are added.

    Args:
        block: objects compared at once, but for a candidate that has more: bounds the memory, not the result.
        compress: as FAISS calls it, ``SQ8`` or ``SQ4`` for so many bits a dimension, or ``PQ32``, say, for 32 bytes an
            object, the number of a 256th part of each of as many parts; None keeps codes as they are.

    Paper: Xie, Hong, Zhang, Tian, "Image classification and retrieval are ONE", ICMR 2015.
    """

    sets: ClassVar[bool] = True
    """That it takes sets of codes, and candidates of several images."""

    def __init__(self, block: Annotated[int, Field(ge=1)] = 65536, compress: Compression | None = None) -> None:
        self.block = block
        self.codec = None if compress is None else Codec(compress)
        self._dim: int | None = None
        self._codes = torch.empty(0, 0)
        self._owner = torch.empty(0, dtype=torch.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, codes: Tensor, candidates: Tensor | None = None) -> None:
        """Appends images; each is a candidate of its own, whose id is its place in the order of adding, from 0.

        Args:
            codes: sets (n, K, D), or one code an image (n, D).
            candidates: (n,) int64, the candidate that each image belongs to instead, from 0; it may be there already.

        Raises:
            UserError: codes of another length than those already there, or too few to learn a compression from.
        """
        sets = _checked(codes, self._dim)
        owner = torch.arange(len(self), len(self) + len(sets)) if candidates is None else candidates.cpu()
        if owner.shape != sets.shape[:1] or owner.dtype != torch.int64 or (owner < 0).any():
            raise ValueError(f"candidates are ids from 0, one of each of the {len(sets)} images, not {owner}")
        there = present(sets)
        objects = sets[there]
        if self.codec is not None:
            objects = self.codec.encode(objects)
            self._tell(sets, self.codec.decode(objects))
        self._codes = objects if self._dim is None else torch.cat([self._codes, objects])
        self._owner = torch.cat([self._owner, owner.to(self._owner)[torch.nonzero(there)[:, 0].cpu()]])
        self._dim = sets.shape[2]
        self._count = max([self._count, *(owner + 1).tolist()])
        if (self._owner[1:] < self._owner[:-1]).any():
            self._owner, order = self._owner.sort(stable=True)
            self._codes = self._codes[order.to(self._codes.device)]

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Scores (Q, min(k, n)) float32 and ids (Q, min(k, n)) int64 of the k best candidates, best first; ties by id.

        Args:
            queries: sets (Q, K, D), or one code an image (Q, D).
            k: how many.

        Raises:
            UserError: an empty index, or queries of another length than the codes.
        """
        if self._dim is None:
            raise UserError("the index is empty: add codes before searching.")
        sets, k = _checked(queries, self._dim).to(self._codes.device), min(k, len(self))
        best = torch.empty(len(sets), 0, dtype=torch.int64, device=sets.device)
        step = max(1, PAIRS // (min(self.block, max(1, len(self._codes))) * max(1, sets.shape[1])))
        for first, last, codes, owner in self._blocks():
            found = [
                order_keys(scores(chunk, codes, owner, last - first), first).topk(min(k, last - first)).values
                for chunk in torch.split(sets, step)
            ]
            best = torch.cat([best, torch.cat(found)], dim=1) if found else best
            best = best.topk(min(k, best.shape[1])).values
        return split_keys(best)

    def _blocks(self) -> Iterator[tuple[int, int, Tensor, Tensor]]:
        """Candidates ``first`` … ``last − 1`` with all their objects (m, D), and whose each is (m,), from 0."""
        ends = torch.bincount(self._owner, minlength=len(self)).cumsum(0)
        first = start = 0
        while first < len(self):
            last = max(first + 1, int(torch.searchsorted(ends, start + self.block, right=True)))
            end = int(ends[last - 1])
            codes = self._codes[start:end]
            codes = codes if self.codec is None else self.codec.decode(codes)
            yield first, last, codes, (self._owner[start:end] - first).to(codes.device)
            first, start = last, end

    def _tell(self, sets: Tensor, decoded: Tensor) -> None:
        """Says how many bytes an image takes, and how many of the exact nearest images compressed codes find."""
        assert self.codec is not None
        near = torch.zeros_like(sets)
        near[present(sets)] = decoded
        asked = torch.linspace(0, len(sets) - 1, min(ASKED, len(sets))).long()
        found = []
        for table in (sets, near):
            index = ObjectIndex(self.block)
            index.add(table)
            ids = index.search(sets[asked], NEAREST + 1)[1]
            found.append([[i for i in row if i != own][:NEAREST] for row, own in zip(ids.tolist(), asked, strict=True)])
        shares = [len({*one} & {*other}) / max(1, len(one)) for one, other in zip(*found, strict=True)]
        a_set, size = len(decoded) / max(1, len(sets)), self.codec.size
        report(
            f"index.compress={self.codec.name}: {size * a_set:,.0f} bytes an image instead of "
            f"{4 * sets.shape[2] * a_set:,.0f}; of each image's {NEAREST} nearest by exact codes it finds "
            f"{100 * sum(shares) / max(1, len(shares)):.1f} % ({len(asked)} images asked)."
        )


def scores(queries: Tensor, codes: Tensor, owner: Tensor, count: int) -> Tensor:
    """s(q, c) (Q, count) of sets of queries (Q, K, D) and candidates whose objects are codes (m, D).

    Args:
        queries: absent objects are zero.
        codes: none of them absent.
        owner: (m,) int64, the candidate of each, from 0.
        count: candidates.
    """
    size, most, dim = queries.shape
    there = present(queries)
    best = queries.new_full((size * most, count), -torch.inf)
    products = inner_products(queries.reshape(-1, dim), codes)
    best = best.scatter_reduce(1, owner.expand(len(products), -1), products, "amax").view(size, most, count)
    found = queries.new_zeros(size, count)
    for i in range(most):  # in one order everywhere, so that equal candidates have equal scores
        found += torch.where(there[:, i, None], best[:, i], 0.0)
    return found / there.sum(dim=1, keepdim=True).clamp(min=1)


def _checked(codes: Tensor, dim: int | None) -> Tensor:
    """Codes as sets (n, K, D) of float32.

    Raises:
        UserError: they are of another length than those known.
    """
    sets = as_sets(codes.detach().float())
    if sets.ndim != 3:
        raise UserError(f"codes of shape {tuple(codes.shape)}: an index of objects takes (n, K, D), or (n, D).")
    check_length(sets.flatten(0, 1), dim)
    return sets
