"""The class of a photograph, by the search that finds photographs: a catalogue's own classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat
from sklearn.svm import LinearSVC
from torch import Tensor

from deepret.benchmarks.result import LISTED, Describe, Result
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.search.objects import ObjectIndex


class Classification:
    """Finds the class of photographs, each class being a candidate of all that is known of it.

    - Source: the catalogue.
    - Query rule: of each class of the split a share is known, drawn at random, one photograph at least, and the others
      ask. Where test is asked for and the catalogue has the splits ``query`` and ``gallery``, the gallery is known and
      the queries ask.
    - Candidates: classes; a class's objects are those of all its known photographs (``ObjectIndex``). With one code a
      photograph the class is that of the nearest known one.
    - Figures: the share of queries whose class comes first, and, on the same codes, that of a linear support vector
      machine: one against the rest, on the sum of an image's codes, of length one. Left out and counted: photographs
      without a label, and those of a class that has none that is known, or none that asks.
    - Image size: the network's own. Never partial.

    Args:
        catalogue: what is classified.
        split: which split; test is for the last word, val for choices.
        share: of each class that is known.
        seed: of the draw.
        linear: C of the linear classifier, the weight of a mistake against wide margins; None leaves it out.
        index: gives an empty index of objects; none compares everything, exactly.

    Paper: Xie, Hong, Zhang, Tian, "Image classification and retrieval are ONE", ICMR 2015.
    """

    name: ClassVar[str] = "classification"
    of_classes: ClassVar[bool] = True
    """That its index must take candidates of several photographs."""

    def __init__(
        self,
        catalogue: Catalogue,
        split: Literal["val", "test"] = "test",
        share: Annotated[float, Field(gt=0, lt=1)] = 0.5,
        seed: Annotated[int, Field(ge=0)] = 0,
        linear: PositiveFloat | None = 10.0,
        index: Callable[[], ObjectIndex] | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.split = split
        self.share = share
        self.seed = seed
        self.linear = linear
        self.index = index

    def evaluate(self, describe: Describe) -> Result:
        """Describes the classes' photographs once and classifies those that ask.

        Raises:
            UserError: fewer than two classes with photographs of both kinds.
        """
        known, asked, left_out = self.rows()
        ids = self.catalogue.label_ids()
        names, classes = torch.unique(ids[known], return_inverse=True)
        if len(names) < 2:
            raise UserError(
                f"benchmark=classification: {self.catalogue.root} has {len(names)} classes with two photographs of "
                f"split {self.split!r}, one that is known and one that asks, and it takes two at least: give labels to "
                f"more, or take benchmark.split={'val' if self.split == 'test' else 'test'}."
            )
        truth = torch.searchsorted(names, ids[asked])
        photos = [[self.catalogue.photo(row) for row in rows] for rows in (known, asked)]
        codes, queries = describe(photos[0]), describe(photos[1])
        index = ObjectIndex() if self.index is None else self.index()
        index.add(codes, classes)
        ranking = index.search(queries, LISTED)[1].cpu()
        right = ranking[:, 0] == truth
        metrics = {"accuracy": float(right.double().mean())}
        if self.linear is not None:
            found = linear_classes(codes, classes, queries, self.linear, self.seed)
            metrics["linear accuracy"] = float((found == truth).double().mean())
        first = [int(torch.nonzero(classes == number)[0]) for number in range(len(names))]
        return Result(
            benchmark=self.name if self.split == "test" else f"{self.name} (val)",
            metrics=metrics,
            counts={"queries": len(asked), "database": len(known), "classes": len(names), "left_out": left_out},
            queries=photos[1],
            database=[photos[0][row] for row in first],
            ranking=ranking,
            relevant=[{number} for number in truth.tolist()],
            ap=right.double(),
        )

    def rows(self) -> tuple[list[int], list[int], int]:
        """Rows of the catalogue that are known and that ask, ascending, and how many of the splits do neither."""
        splits, labels = self.catalogue.splits, self.catalogue.labels
        if self.split == "test" and "query" in splits and "gallery" in splits:
            groups = [[i for i, s in enumerate(splits) if s == name] for name in ("gallery", "query")]
            both = set.intersection(*({labels[i] for i in rows} for rows in groups)) - {""}
            known, asked = ([i for i in rows if labels[i] in both] for rows in groups)
            return known, asked, sum(map(len, groups)) - len(known) - len(asked)
        there = [i for i, s in enumerate(splits) if s == self.split]
        members: dict[str, list[int]] = {}
        for i in there:
            members.setdefault(labels[i], []).append(i)
        generator, known, asked = torch.Generator().manual_seed(self.seed), [], []
        for label, rows in sorted(members.items()):
            order = torch.randperm(len(rows), generator=generator).tolist()
            count = min(max(1, round(self.share * len(rows))), len(rows) - 1)
            if label and count:
                known += [rows[i] for i in order[:count]]
                asked += [rows[i] for i in order[count:]]
        return sorted(known), sorted(asked), len(there) - len(known) - len(asked)


def linear_classes(codes: Tensor, classes: Tensor, queries: Tensor, cost: float, seed: int = 0) -> Tensor:
    """The classes (Q,) that a linear support vector machine, one against the rest, gives to queries.

    Args:
        codes: (n, D), or sets (n, K, D), of which the objects are added up.
        classes: (n,) int64.
        queries: (Q, D) or (Q, K, D).
        cost: C.
        seed: of the order in which the solver goes over the codes.
    """
    learned, asked = (whole(table).double().numpy() for table in (codes, queries))
    machine = LinearSVC(C=cost, random_state=seed, max_iter=10_000).fit(learned, classes.numpy())
    return torch.from_numpy(machine.predict(asked)).long()


def whole(codes: Tensor) -> Tensor:
    """Codes (n, D), or the sums of sets (n, K, D), of length one."""
    return F.normalize(codes.sum(dim=1) if codes.ndim == 3 else codes, dim=1)
