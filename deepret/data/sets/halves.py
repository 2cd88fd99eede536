"""Sets of metric learning: one half of the classes to learn from, the other as test."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from deepret.data.listing import Row
from deepret.data.sets.published import PublishedSet, held_out


class Halves(PublishedSet):
    """Published use: learn from the one half, test on the other; val is held out from the first here.

    Args:
        root: the folder.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        val_share: share of the classes to learn from that choose the best checkpoint.
        split_seed: of that draw.
        split: which split is scored.
        cache: where it is kept which files are sound.
        download: whether what is missing below ``root`` is fetched first.

    Oh Song et al., Deep metric learning via lifted structured feature embedding, CVPR 2016.
    """

    def __init__(
        self,
        root: str,
        strict: bool = False,
        val_share: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        split_seed: NonNegativeInt = 0,
        split: Literal["val", "test"] = "test",
        cache: str | None = "~/.cache/deepret",
        download: bool = False,
    ) -> None:
        super().__init__(root, strict, cache, download)
        self.val_share = val_share
        self.split_seed = split_seed

    @abstractmethod
    def halves(self) -> list[Row]:
        """The rows of both halves, train and test.

        Raises:
            UserError: a list that is missing or cannot be read.
        """

    def rows(self) -> list[Row]:
        """Both halves, with val held out.

        Raises:
            UserError: a list that is missing or cannot be read.
        """
        return held_out(self.halves(), self.val_share, self.split_seed)
