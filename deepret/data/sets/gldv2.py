"""Google Landmarks v2, the part to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt
from tqdm import tqdm

from deepret.data.folder import images_below
from deepret.data.listing import Row
from deepret.data.members import TAR
from deepret.data.sets.published import PublishedSet, held_out
from deepret.errors import UserError


class GLDv2(PublishedSet):
    """Landmarks of the world: 4,132,914 photographs of 203,094, of which the clean list keeps 1,580,470 of 81,313.

    - Source: https://github.com/cvdfoundation/google-landmark: train.csv or train_clean.csv in ROOT, and what is in
      images_000.tar to images_499.tar below ROOT/train; the tar files themselves will do there, too.
    - Lists: train.csv: id,url,landmark_id; train_clean.csv: landmark_id,images, whose ids are separated by blanks. The
      photograph abcd… is train/a/b/c/abcd….jpg.
    - Published use: learn from the clean list; val is held out from it here. Some landmarks of Oxford and Paris are in
      it that the revisited benchmarks ask for.

    Args:
        root: the folder.
        list: which of the two lists.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        val_share: share of the landmarks that choose the best checkpoint.
        split_seed: of that draw.
        split: which split is scored; test is the benchmark gldv2_retrieval.
        cache: where it is kept which files are sound.
        download: whether what is missing below ``root`` is fetched first.

    Weyand et al., CVPR 2020; the clean list: Yokoo et al., Two-stage discriminative re-ranking, CVPRW 2020. The counts
    are from memory.
    """

    name: ClassVar[str] = "gldv2"
    fetch: ClassVar[str] = (
        "From https://github.com/cvdfoundation/google-landmark: put train.csv or train_clean.csv (the setting list) "
        "into ROOT, and what is in images_000.tar to images_499.tar, or the tar files, into ROOT/train."
    )

    def __init__(
        self,
        root: str,
        list: Literal["clean", "full"] = "clean",
        strict: bool = False,
        val_share: Annotated[float, Field(ge=0, lt=1)] = 0.02,
        split_seed: NonNegativeInt = 0,
        split: Literal["val", "test"] = "val",
        cache: str | None = "~/.cache/deepret",
        download: bool = False,
    ) -> None:
        super().__init__(root, strict, cache, download)
        self.list = list
        self.val_share = val_share
        self.split_seed = split_seed

    def rows(self) -> list[Row]:
        """From train_clean.csv or train.csv.

        Raises:
            UserError: it is missing or cannot be read, or a tar file cannot.
        """
        folder = self.root / "train"
        packed = {}
        if any(folder.glob(f"*{TAR}")):
            packed = {path.stem: path.relative_to(self.root).as_posix() for path in images_below(folder)}
        pairs = self._clean() if self.list == "clean" else self._full()
        found = [
            Row(packed.get(name) or f"train/{name[0]}/{name[1]}/{name[2]}/{name}.jpg", label, "train")
            for name, label in tqdm(pairs, "reading the list", unit=" images", disable=None, leave=False)
        ]
        return held_out(found, self.val_share, self.split_seed)

    def published(self) -> Mapping[str, int]:
        """The list's."""
        return {"train": 1_580_470 if self.list == "clean" else 4_132_914}

    def _full(self) -> Iterator[tuple[str, str]]:
        """Id and landmark of each photograph of train.csv."""
        for number, row in enumerate(self.lists.csv("train.csv", ("id", "landmark_id")), 2):
            yield self._checked("train.csv", number, row["id"], row["landmark_id"])

    def _clean(self) -> Iterator[tuple[str, str]]:
        """Id and landmark of each photograph of train_clean.csv."""
        name = "train_clean.csv"
        for number, row in enumerate(self.lists.csv(name, ("landmark_id", "images")), 2):
            for image in row["images"].split() or [""]:
                yield self._checked(name, number, image, row["landmark_id"])

    def _checked(self, name: str, number: int, image: str, label: str) -> tuple[str, str]:
        if len(image) < 3 or "/" in image or not label:
            raise UserError(
                f"{self.root / name}, line {number}: landmark {label!r}, photograph {image!r}; wanted: the number of a "
                f"landmark and ids of photographs."
            )
        return image, label
