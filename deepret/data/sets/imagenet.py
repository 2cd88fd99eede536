"""ImageNet, and what is laid out like it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from deepret.data import members
from deepret.data.check import first, report
from deepret.data.folder import images_below, label_of
from deepret.data.listing import Row
from deepret.data.sets.published import PublishedSet
from deepret.errors import UserError

KAGGLE = "ILSVRC/Data/CLS-LOC"
"""Where Kaggle's archive has train and val."""
SOLUTION = "LOC_val_solution.csv"
DEVKIT = "ILSVRC2012_devkit_t12/data"


def class_of(folder: Path, image: Path) -> str:
    """The class of a photograph of train: its folder, or the tar file of its class; empty where it lies in neither."""
    label, parts = label_of(folder, image), members.split(image)
    return parts[0].stem if not label and parts is not None and "/" not in parts[1] else label


class ImageNet(PublishedSet):
    """Photographs of 1,000 kinds of things: 1,281,167 to learn from, and 50,000 as val, of the same kinds.

    - Source: https://image-net.org/download, or Kaggle's imagenet-object-localization-challenge; ROOT holds train and
      val, or is the folder of Kaggle's archive.
    - Layout: train/CLASS/….JPEG, or train/CLASS.tar as ILSVRC2012_img_train.tar holds them; val/CLASS/….JPEG, or
      val/….JPEG with LOC_val_solution.csv (ImageId,PredictionString) in ROOT, or with the folder
      ILSVRC2012_devkit_t12 in ROOT. Any folders of classes will do.
    - Published use: classification. Here val is scored by search in itself, so the figure is one of kinds that were
      learned, not of unseen ones.

    Args:
        root: the folder.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        split: which split is scored; there is no test.
        cache: where it is kept which files are sound.

    Russakovsky et al., ImageNet large scale visual recognition challenge, IJCV 2015. The counts are from memory.
    """

    name: ClassVar[str] = "imagenet"
    fetch: ClassVar[str] = (
        "ROOT holds train/CLASS/NAME.JPEG and val/CLASS/NAME.JPEG; a flat val needs LOC_val_solution.csv or "
        "ILSVRC2012_devkit_t12 beside it; https://image-net.org/download has them."
    )

    def __init__(
        self,
        root: str,
        strict: bool = False,
        split: Literal["val", "test"] = "val",
        cache: str | None = "~/.cache/deepret",
    ) -> None:
        super().__init__(root, strict, cache)

    def rows(self) -> list[Row]:
        """From the folders of classes, and the labels of a flat val.

        Raises:
            UserError: no folder train, or a flat val whose labels are missing or cannot be read.
        """
        folder = self.root / KAGGLE if (self.root / KAGGLE).is_dir() else self.root
        if not (folder / "train").is_dir():
            raise UserError(f"data.root={self.root}: there is no folder train in {folder}. {self.fetch}")
        train = [self._row(path, class_of(folder / "train", path), "train") for path in images_below(folder / "train")]
        loose = [row.path for row in train if not row.label]
        if loose:
            report(f"{self.root}: {len(loose):,} photographs of train lie in no class and are left out: {first(loose)}")
        files = images_below(folder / "val") if (folder / "val").is_dir() else []
        labels = {path: label_of(folder / "val", path) for path in files}
        if not all(labels.values()):
            known = self._labels()
            labels = {path: label or known.get(path.stem, "") for path, label in labels.items()}
            lost = [path for path, label in labels.items() if not label]
            if lost:
                raise UserError(f"{lost[0]}: nothing says what it shows, and {len(lost) - 1:,} others. {self.fetch}")
        return [row for row in train if row.label] + [self._row(path, label, "val") for path, label in labels.items()]

    def _row(self, path: Path, label: str, split: str) -> Row:
        return Row(path.relative_to(self.root).as_posix(), label, split)

    def _labels(self) -> dict[str, str]:
        """The class of each photograph of a flat val, by its name without ending.

        Raises:
            UserError: neither list is there, or one cannot be read.
        """
        if (self.root / SOLUTION).is_file() or not (self.root / DEVKIT).is_dir():
            columns = ("ImageId", "PredictionString")
            found = {}
            for where, (name, prediction) in self.lists.csv(SOLUTION, columns):
                if not prediction:
                    raise UserError(f"{where}: {name!r} without a class; wanted: ImageId,CLASS x0 y0 x1 y1 …")
                found[name] = prediction.split()[0]
            return found
        return self._devkit()

    def _devkit(self) -> dict[str, str]:
        """From ILSVRC2012_validation_ground_truth.txt, a number a line, and the names of the numbers in meta.mat."""
        from scipy.io import loadmat

        try:
            synsets = loadmat(str(self.root / DEVKIT / "meta.mat"), squeeze_me=True)["synsets"]
            names = {str(int(row["ILSVRC2012_ID"])): str(row["WNID"]) for row in synsets}
        except Exception as error:  # a broken file raises anything
            raise self.lists.unread(f"{DEVKIT}/meta.mat", error) from None
        name = f"{DEVKIT}/ILSVRC2012_validation_ground_truth.txt"
        found = {}
        for number, words in self.lists.lines(name):
            if len(words) != 1 or words[0] not in names:
                raise self.lists.wrong(name, number, words, "the number of a class in meta.mat")
            found[f"ILSVRC2012_val_{number:08d}"] = names[words[0]]
        return found
