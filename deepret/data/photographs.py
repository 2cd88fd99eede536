"""People's own photographs: a list, a folder of folders, or a flat folder."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.check import IMAGES, first, report
from deepret.data.folder import LeftOut, check_folder, images_below, label_of, leave_out, sound
from deepret.data.listing import Row, read_list
from deepret.data.views import view_catalogue
from deepret.errors import UserError

Share = Annotated[float, Field(ge=0, le=1)]


class Photographs:
    """Reads a folder of photographs.

    With ``images.csv`` in it, the file says everything: path, label, split, and where known the box x0, y0, x1, y1 of
    the object in pixels. Without, each sub-folder is a label, and classes are shared out to train, val and test from a
    seed, no class to two; in a tar file it is the folder in there, or what stands beside the photograph. A flat folder
    without either has no labels and is for evaluation and search only.

    Args:
        root: the folder.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        val_share: share of the classes that go to val, where there is no images.csv.
        test_share: share of the classes that go to test, where there is no images.csv.
        split_seed: of that draw.
        split: which split is scored.
        views: a folder of unlabelled photographs, each a class of its own in training; null for none.
        view_share: their share of each batch's classes.
        cache: where it is kept which files are sound.
    """

    def __init__(
        self,
        root: str,
        strict: bool = False,
        val_share: Annotated[float, Field(ge=0, lt=1)] = 0.15,
        test_share: Share = 0.25,
        split_seed: NonNegativeInt = 0,
        split: Literal["val", "test"] = "test",
        views: str | None = None,
        view_share: Share = 0.4,
        cache: str | None = "~/.cache/deepret",
    ) -> None:
        self.root = Path(root).expanduser()
        self.strict = strict
        self.val_share = val_share
        self.test_share = test_share
        self.split_seed = split_seed
        self.views = views
        self.view_share = view_share
        self.cache = None if cache is None else Path(cache).expanduser()

    def load(self, single: bool = False) -> Catalogue:
        """The catalogue, each file looked at.

        Args:
            single: whether an images.csv may list classes of one image, which are left out; they end it otherwise.

        Raises:
            UserError: no such folder, nothing in it, or an images.csv that contradicts itself or the files.
        """
        check_folder(self.root, "data.root")
        listed = self.root / "images.csv"
        if listed.is_file():
            if self.test_share == 1:
                report(f"data.test_share=1 counts for nothing: {listed} says what is train, val and test.")
            found = without_single_images(sound(self.root, read_list(listed, single), self.strict, self.cache))
            report_shared_labels(found)
        else:
            found = without_single_images(sound(self.root, self._folders(), self.strict, self.cache, self._shared_out))
        if self.views is None:
            return found
        return found.joined(view_catalogue(Path(self.views), self.strict, self.cache, "data.views"))

    def _shared_out(self, rows: list[Row], usable: list[bool]) -> list[Row]:
        """Rows with the splits of their classes; those of a class that less than two usable files have stay as are."""
        counts = Counter(row.label for row, use in zip(rows, usable, strict=True) if use and row.label)
        labels = sorted(label for label, count in counts.items() if count > 1)
        split = class_splits(labels, self.val_share, self.test_share, self.split_seed)
        return [replace(row, split=split.get(row.label, row.split)) for row in rows]

    def _folders(self) -> list[Row]:
        """Rows from the folders' names, not yet shared out; a flat folder's photographs have no label.

        Raises:
            UserError: there is no photograph, or the labels are one folder further down.
        """
        files = images_below(self.root)
        if not files:
            if (self.root / "cleaning.json").is_file():
                raise UserError(
                    f"data.root={self.root}: the cleaning there is not finished; its command again goes on."
                )
            packed = next(self.root.rglob("*.tar.*z*"), None)
            mend = f"; {packed.name} has to be unpacked: gunzip makes a .tar of it" if packed else ""
            raise UserError(f"data.root={self.root}: there is no photograph in it (endings: {' '.join(IMAGES)}){mend}.")
        in_tars = any(members.split(file) for file in files)
        check = self._check_tars if in_tars else self._check_folders
        check(files)
        labels = [label_of(self.root, file) for file in files]
        names = [file.relative_to(self.root).as_posix() for file in files]
        if not any(labels):
            return [Row(name, "", "gallery") for name in names]
        loose = [name for name, label in zip(names, labels, strict=True) if not label]
        if loose:
            text, why = f"{len(loose):,} photographs have no label and are left out", "no label"
            if not in_tars:
                text = f"sub-folders are labels, so {len(loose):,} photographs beside them are left out"
                why = "beside the folders that are labels"
            rows = [(Row(name, "", ""), why) for name in loose]
            leave_out(LeftOut(f"{self.root}: {text}: {first(loose, 3)}", rows))
        return [Row(name, label, "train") for name, label in zip(names, labels, strict=True) if label]

    def _check_folders(self, files: list[Path]) -> None:
        """Looks for labels that are not where they are looked for.

        Raises:
            UserError: the labels are one folder further down.
        """
        inside = [parts for file in files if len(parts := file.relative_to(self.root).parts) > 1]
        tops, below = {parts[0] for parts in inside}, {parts[1] for parts in inside if len(parts) > 2}
        if len(tops) == 1 and len(below) > 1:
            only = self.root / tops.pop()
            raise UserError(
                f"data.root={self.root}: all sub-folders are in {only.name}; did you mean data.root={only}?"
            )

    def _check_tars(self, files: list[Path]) -> None:
        """Looks for what becomes of ``tar cf photos.tar photos``, where all that is inside would have one label.

        Raises:
            UserError: the labels are one folder further down.
        """
        inside = [parts[1].split("/") for parts in map(members.split, files) if parts is not None]
        tops, below = {names[0] for names in inside if len(names) > 1}, {names[1] for names in inside if len(names) > 2}
        if len(tops) == 1 and len(below) > 1 and len(inside) == len(files):
            top = tops.pop()
            raise UserError(
                f"data.root={self.root}: all folders in the tar files there are in {top}, which would be their label; "
                f"pack what is in it, tar -C {top} -cf NAME.tar ., or with deepret pack root={top} out=DIR."
            )


def class_splits(labels: list[str], val_share: float, test_share: float, seed: int) -> dict[str, str]:
    """Shares classes out to train, val and test; two at least stay in train, val and test get one where they can.

    A test share of 1 leaves nothing to train.

    The order is that of a hash of seed and label, so that a class more or less moves three others at most.
    """
    order = sorted(
        labels, key=lambda label: hashlib.sha256(f"{seed}:{label}".encode("utf-8", "surrogateescape")).digest()
    )
    spare = len(labels) if test_share == 1 else max(len(labels) - 2, 0)
    test = min(spare, max(round(test_share * len(labels)), 1 if test_share > 0 else 0))
    val = min(spare - test, max(round(val_share * len(labels)), 1 if val_share > 0 else 0))
    return {label: "test" if i < test else "val" if i < test + val else "train" for i, label in enumerate(order)}


def without_single_images(catalogue: Catalogue) -> Catalogue:
    """Leaves out, and names, the classes of train, val and test of which one image is left: nothing compares with it.

    Raises:
        UserError: there is no other class.
    """
    keys = list(zip(catalogue.splits, catalogue.labels, strict=True))
    counts = Counter((split, label) for split, label in keys if label and split in ("train", "val", "test"))
    single = sorted(label for (_, label), count in counts.items() if count == 1)
    if not single:
        return catalogue
    found = catalogue.subset(i for i, key in enumerate(keys) if counts.get(key, 2) > 1)
    if not any(found.labels):
        raise UserError(
            f"{catalogue.root}: every class has one image only; a class needs two at least, and photographs without "
            f"labels train with data=views data.root={catalogue.root}."
        )
    names = first(map(repr, single))
    text = f"{catalogue.root}: {len(single):,} classes of one image are left out, as nothing compares with it: {names}"
    lost = [i for i, key in enumerate(keys) if counts.get(key) == 1]
    rows = [Row(catalogue.paths[i], catalogue.labels[i], catalogue.splits[i]) for i in lost]
    leave_out(LeftOut(text, [(row, "the only photograph of its class") for row in rows]))
    return found


def report_shared_labels(catalogue: Catalogue) -> None:
    """Says so where a class is both trained on and scored."""
    of = {
        s: {a for a, b in zip(catalogue.labels, catalogue.splits, strict=True) if b == s and a}
        for s in catalogue.splits
    }
    scored = set().union(*(of.get(split, set()) for split in ("val", "test", "query")))
    shared = sorted(of.get("train", set()) & scored)
    if shared:
        where = [split for split in ("val", "test", "query") if of.get(split, set()) & set(shared)]
        report(
            f"{catalogue.root / 'images.csv'}: {len(shared):,} classes of train are in {' and '.join(where)} too, so "
            f"the score is not one of unseen classes: {first(map(repr, shared))}"
        )
