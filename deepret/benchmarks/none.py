"""No benchmark: a training that is not scored."""

from __future__ import annotations

from deepret.benchmarks.result import Describe, Result
from deepret.errors import UserError


class NoBenchmark:
    """Scores nothing: for training on data that have no test split."""

    def evaluate(self, describe: Describe) -> Result:
        """Refuses.

        Raises:
            UserError: always.
        """
        raise UserError("benchmark=none: it has nothing to score; take benchmark=split, or benchmark=oxford5k.")
