"""COCO: boxes of objects, for an RPN to learn."""

from __future__ import annotations

import contextlib
import importlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from deepret.data.listing import Row
from deepret.data.photo import Box
from deepret.data.sets.published import PublishedSet
from deepret.errors import UserError

COUNTS = {"2014": {"train": 82_783, "val": 40_504}, "2017": {"train": 118_287, "val": 5_000}}
"""Photographs of the two years; from memory."""


class COCO(PublishedSet):
    """Photographs with the boxes of all objects of 80 kinds; none has a label: they are for an RPN.

    - Source: https://cocodataset.org/#download: train2017.zip, val2017.zip and annotations_trainval2017.zip, in ROOT.
    - Layout: annotations/instances_train2017.json and instances_val2017.json; train2017/NAME.jpg and val2017/NAME.jpg.
      A box is x, y, width, height; crowds (``iscrowd``) are left out.
    - Published use: detection. Here ``regions=rpn data=coco benchmark=none stages.ranking=0 stages.refinement=0``
      trains the RPN alone, and its recall on val chooses the best checkpoint.

    Args:
        root: the folder.
        year: 2017, or 2014.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        split: which split is scored, where there are labels.
        cache: where it is kept which files are sound.
        download: whether what is missing below ``root`` is fetched first.

    Lin et al., Microsoft COCO, ECCV 2014.
    """

    name: ClassVar[str] = "coco"
    fetch: ClassVar[str] = (
        "https://cocodataset.org/#download has train2017.zip, val2017.zip and annotations_trainval2017.zip: unpack "
        "them in ROOT, so that it holds train2017, val2017 and annotations."
    )

    def __init__(
        self,
        root: str,
        year: Annotated[str, Field(pattern=r"^20\d\d$")] = "2017",
        strict: bool = False,
        split: Literal["val", "test"] = "val",
        cache: str | None = "~/.cache/deepret",
        download: bool = False,
    ) -> None:
        super().__init__(root, strict, cache, download)
        self.year = year

    @property
    def official(self) -> str:
        """With its year."""
        return f"{self.name}{self.year}"

    def rows(self) -> list[Row]:
        """From the instances of train and val.

        Raises:
            UserError: one of them is missing or cannot be read, or a box is none.
        """
        return [row for split in ("train", "val") for row in self._of(split)]

    def published(self) -> Mapping[str, int]:
        """The year's, where it is known."""
        return COUNTS.get(self.year, {})

    def _of(self, split: str) -> list[Row]:
        name = f"annotations/instances_{split}{self.year}.json"
        boxes: dict[int, list[Box]] = defaultdict(list)
        if not (self.root / name).is_file():
            raise self.lists.unread(name, FileNotFoundError(2, "No such file or directory"))
        try:
            with contextlib.redirect_stdout(None):  # it tells what it does
                found = load_pycocotools().COCO(str(self.root / name))
            for thing in found.loadAnns(found.getAnnIds(iscrowd=False)):
                x, y, w, h = map(float, thing["bbox"])
                if w > 0 and h > 0:
                    boxes[thing["image_id"]].append((x, y, x + w, y + h))
            files = {number: str(image["file_name"]) for number, image in found.imgs.items()}
        except (
            OSError,
            ValueError,
            ArithmeticError,
            TypeError,
            LookupError,
            AttributeError,
            AssertionError,
            RecursionError,
        ) as error:
            said = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise UserError(f"{self.root / name}: no instances of COCO's ({said}); take the published file.") from None
        strange = next((i for i in boxes if i not in files), None)
        if strange is not None:
            raise UserError(f"{self.root / name}: a box is of image {strange}, which is not listed.")
        return [Row(f"{split}{self.year}/{file}", "", split, boxes[i]) for i, file in files.items()]


def load_pycocotools() -> Any:
    """The module ``pycocotools.coco``.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module("pycocotools.coco")
    except ImportError:
        raise UserError("data=coco needs pycocotools, which is not installed: pip install 'deepret[coco]'.") from None
