"""INSTRE, by the protocol of Iscen et al."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from deepret.benchmarks.ground_truth.pickled import read_revisited
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.truth import Setting, Truth
from deepret.errors import UserError


class INSTRE(Benchmark):
    """Objects: 27,293 photographs of 250 objects, and 1,250 queries with boxes, five an object.

    - Source: the photographs of INSTRE-S1, S2 and M in ROOT, their paths as the ground truth has them; the ground truth
      as gnd_instre.pkl, with imlist, qimlist and gnd, of which each entry has ok and bbx.
    - Query rule: the image is cut by the query's box; queries are no part of the database.
    - Positives: ok. Ignored: nothing.
    - Image size: the network's own; published figures use a larger side of 1024.
    - Partial: one of the photographs, or of the queries, is missing.

    Wang and Jiang, INSTRE: A new benchmark for instance-level object retrieval and recognition, 2015; Iscen et al.,
    Efficient diffusion on region manifolds, CVPR 2017.
    """

    name: ClassVar[str] = "instre"
    count: ClassVar[int] = 27_293
    asked: ClassVar[int | None] = 1250
    settings: ClassVar[Mapping[str, Setting]] = {"": Setting(("ok",))}

    def truth(self) -> Truth:
        """``gnd_instre.pkl``.

        Raises:
            UserError: it is not there, or cannot be read.
        """
        path = self.root / "gnd_instre.pkl"
        if not path.is_file():
            raise UserError(
                f"benchmark.root={self.root}: there is no {path.name} in it: make one of the published gnd_INSTRE.mat, "
                f"a pickle of imlist, qimlist and gnd with ok and bbx, counted from 0."
            )
        return read_revisited(path, ("ok",))
