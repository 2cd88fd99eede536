"""PASCAL VOC: boxes of objects, for an RPN to learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal
from xml.etree import ElementTree

from pydantic import Field
from tqdm import tqdm

from deepret.data.check import first, report
from deepret.data.listing import Row
from deepret.data.photo import Box
from deepret.data.sets.published import PublishedSet
from deepret.errors import UserError

COUNTS = {"2007": {"train": 2501, "val": 2510, "test": 4952}, "2012": {"train": 5717, "val": 5823}}
"""Photographs of the two years that are used most; from memory."""
SIDES = ("xmin", "ymin", "xmax", "ymax")


class VOC(PublishedSet):
    """Photographs with the boxes of all objects of 20 kinds; none has a label: they are for an RPN.

    - Source: http://host.robots.ox.ac.uk/pascal/VOC: VOCtrainval_06-Nov-2007.tar and, for test,
      VOCtest_06-Nov-2007.tar, or VOCtrainval_11-May-2012.tar; ROOT is the folder VOCdevkit that they hold.
    - Layout: VOC2007/ImageSets/Main/train.txt, val.txt and, where it is there, test.txt, a name a line;
      VOC2007/Annotations/NAME.xml; VOC2007/JPEGImages/NAME.jpg. Boxes count pixels from 1, with their last ones; here
      (xmin − 1, ymin − 1, xmax, ymax).
      The test archives after 2007 bring no annotations: such photographs are left out.
    - Published use: detection. Here ``regions=rpn data=voc benchmark=none stages.ranking=0 stages.refinement=0``
      trains the RPN alone, and its recall on val chooses the best checkpoint.

    Args:
        root: the folder VOCdevkit.
        year: of VOC2007, …, VOC2012.
        difficult: whether objects that are marked as difficult count.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        split: which split is scored, where there are labels.
        cache: where it is kept which files are sound.
        download: whether what is missing below ``root`` is fetched first.

    Everingham et al., The PASCAL visual object classes challenge, IJCV 2010.
    """

    name: ClassVar[str] = "voc"
    fetch: ClassVar[str] = (
        "http://host.robots.ox.ac.uk/pascal/VOC has VOCtrainval_06-Nov-2007.tar: ROOT is the folder VOCdevkit that it "
        "holds, with VOC2007/JPEGImages, VOC2007/Annotations and VOC2007/ImageSets/Main."
    )

    def __init__(
        self,
        root: str,
        year: Annotated[str, Field(pattern=r"^20\d\d$")] = "2007",
        difficult: bool = False,
        strict: bool = False,
        split: Literal["val", "test"] = "val",
        cache: str | None = "~/.cache/deepret",
        download: bool = False,
    ) -> None:
        super().__init__(root, strict, cache, download)
        self.year = year
        self.difficult = difficult

    @property
    def official(self) -> str:
        """With its year."""
        return f"{self.name}{self.year}"

    def rows(self) -> list[Row]:
        """From the lists of train, val and, where it is there, test; the boxes from each photograph's annotation.

        Raises:
            UserError: a list or an annotation that is missing or cannot be read.
        """
        folder = f"VOC{self.year}"
        found, bare = [], []
        for split in ("train", "val", "test"):
            listed = f"{folder}/ImageSets/Main/{split}.txt"
            if split == "test" and not (self.root / listed).is_file():
                continue
            lines = self.lists.lines(listed)
            for number, words in tqdm(lines, f"boxes of {split}", unit=" images", disable=None, leave=False):
                if len(words) != 1:
                    raise self.lists.wrong(listed, number, words, "the name of a photograph")
                annotation = f"{folder}/Annotations/{words[0]}.xml"
                if split == "test" and not (self.root / annotation).is_file():
                    bare.append(words[0])
                    continue
                boxes = self.boxes(annotation)
                found.append(Row(f"{folder}/JPEGImages/{words[0]}.jpg", "", split, boxes, number))
        if bare:
            report(f"{self.root}: {len(bare):,} photographs of test have no annotation and are left out: {first(bare)}")
        return found

    def published(self) -> Mapping[str, int]:
        """The year's, where it is known; test where it is there."""
        test = (self.root / f"VOC{self.year}/ImageSets/Main/test.txt").is_file()
        return {s: n for s, n in COUNTS.get(self.year, {}).items() if s != "test" or test}

    def boxes(self, name: str) -> list[Box]:
        """The boxes of an annotation, half-open and from 0.

        Raises:
            UserError: it is missing or cannot be read, or a box is none.
        """
        try:
            objects = ElementTree.fromstring(self.lists.text(name)).findall("object")
            found = []
            for thing in objects:
                if self.difficult or thing.findtext("difficult", "0").strip() != "1":
                    x0, y0, x1, y1 = (float(thing.findtext(f"bndbox/{side}", "")) for side in SIDES)
                    found.append((x0 - 1, y0 - 1, x1, y1))
        except (ElementTree.ParseError, ValueError) as error:
            raise UserError(f"{self.root / name}: no annotation of VOC's ({error}).") from None
        for box in found:
            if not (box[0] < box[2] and box[1] < box[3]):
                raise UserError(f"{self.root / name}: {box} is no box x0, y0, x1, y1.")
        return found
