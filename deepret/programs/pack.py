"""``deepret pack``: photographs in a few large tar files instead of millions of small ones."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from tqdm import tqdm

from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.photographs import Photographs
from deepret.errors import UserError
from deepret.files import replacing, write_whole


def pack(root: str, out: str, images: PositiveInt = 10_000, seed: NonNegativeInt = 0) -> dict[str, object]:
    """Packs a folder of photographs into tar files and an images.csv that lists them as they were listed.

    Each photograph is a sample as WebDataset has it: its own bytes, its label as KEY.cls, and path, label and split as
    KEY.json. They are dealt out at random, so that a stretch of a file holds all classes alike. Data that name ``out``
    give the same training as ``root``.

    Args:
        root: the folder, as ``data=catalogue`` reads it.
        out: where the tar files go; a folder that is empty or not there yet.
        images: photographs in each.
        seed: of the dealing out.

    Raises:
        UserError: no photographs, or a folder that holds something already or cannot be written.
    """
    target = Path(out).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"out={out}: there is something already; name a folder that is empty.")
    catalogue = Photographs(root).load()
    order = np.random.default_rng(seed).permutation(len(catalogue))
    digits = max(6, len(str(len(catalogue))))
    paths = [""] * len(catalogue)
    with tqdm(total=len(catalogue), desc="packing", unit=" images", disable=None) as bar:
        for number in range(0, len(catalogue), images):
            name = f"photographs-{number // images:06d}.tar"
            with replacing(target / name) as part, tarfile.open(part, "w") as tar:
                for place, row in enumerate(order[number : number + images].tolist(), start=number):
                    key = f"{place:0{digits}d}"
                    paths[row] = f"{name}/{_add(tar, key, catalogue, row)}"
                    bar.update()
    write_whole(target / "images.csv", _listed(catalogue, paths).encode("utf-8", "surrogateescape"))
    tars = len(range(0, len(catalogue), images))
    return {"images": len(catalogue), "tars": tars, "out": str(target)}


def _add(tar: tarfile.TarFile, key: str, catalogue: Catalogue, row: int) -> str:
    """Adds one photograph with what is known of it; gives its name in the tar."""
    path = catalogue.root / catalogue.paths[row]
    about = {"path": catalogue.paths[row], "label": catalogue.labels[row], "split": catalogue.splits[row]}
    name = f"{key}{path.suffix.lower()}"
    _write(tar, name, members.content(path))
    _write(tar, f"{key}.cls", catalogue.labels[row].encode("utf-8", "surrogateescape"))
    _write(tar, f"{key}.json", json.dumps(about).encode())
    return name


def _write(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _listed(catalogue: Catalogue, paths: list[str]) -> str:
    """The catalogue's own list with other paths."""
    header, *rows = csv.reader(io.StringIO(catalogue.csv()))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([path, *row[1:]] for path, row in zip(paths, rows, strict=True))
    return text.getvalue()
