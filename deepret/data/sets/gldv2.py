"""Google Landmarks v2, the part to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt
from tqdm import tqdm

from deepret.data.folder import images_below
from deepret.data.listing import Row
from deepret.data.members import TAR
from deepret.data.sets.lists import Lists
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
        listed = read_train(self.lists, self.list == "clean")
        found = [
            Row(packed.get(name) or f"train/{'/'.join(name[:3])}/{name}.jpg", label, "train")
            for _, name, label in tqdm(listed, "reading the list", unit=" images", disable=None, leave=False)
        ]
        return held_out(found, self.val_share, self.split_seed)

    def published(self) -> Mapping[str, int]:
        """The list's."""
        return {"train": 1_580_470 if self.list == "clean" else 4_132_914}


def read_train(lists: Lists, clean: bool) -> Iterator[tuple[str, str, str]]:
    """Place in the list, id and landmark of each photograph for training, in the official order.

    Args:
        lists: where the list is.
        clean: whether it is ``train_clean.csv``, landmark_id and images, or ``train.csv``, id and landmark_id.

    Raises:
        UserError: it is missing or cannot be read, or what is no id or no landmark.
    """
    name, column = ("train_clean.csv", "images") if clean else ("train.csv", "id")
    for where, (landmark, ids) in lists.csv(name, ("landmark_id", column)):
        for image in ids.split() or [""]:
            if not image or "/" in image or not landmark:
                raise UserError(
                    f"{where}: landmark {landmark!r}, photograph {image!r}; wanted: the number of a landmark and ids "
                    f"of photographs."
                )
            yield where, image, landmark
