"""``deepret pack``: photographs in a few large tar files instead of millions of small ones."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from tqdm import tqdm

from deepret.comma_separated import comma_separated
from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.photographs import Photographs
from deepret.errors import UserError
from deepret.files import PARTS, replacing, write_whole
from deepret.runs.lock import LOCK, writing

BEGUN = ".begun"
"""A file beside tars that are not all there yet: what is packed."""


def pack(root: str, out: str, images: PositiveInt = 10_000, seed: NonNegativeInt = 0) -> dict[str, object]:
    """Packs a folder of photographs into tar files and an images.csv that lists them as they were listed.

    Each photograph is a sample as WebDataset has it: its own bytes, its label as KEY.cls, and path, label and split as
    KEY.json. They are dealt out at random, so that a stretch of a file holds all classes alike. Data that name ``out``
    give the same training as ``root``, its classes shared out as they are by default. The same command goes on with
    what was cut off.

    Args:
        root: the folder, as ``data=catalogue`` reads it.
        out: where the tar files go; a folder that is empty or not there yet.
        images: photographs in each.
        seed: of the dealing out.

    Raises:
        UserError: no photographs, one that cannot be read, or a folder that holds something else or cannot be written.
    """
    target = Path(out).expanduser()
    if target.resolve().is_relative_to(Path(root).expanduser().resolve()):
        raise UserError(f"out={out}: that is in {root}, of which it would become a part; name a folder elsewhere.")
    check_free(target)
    catalogue = Photographs(root).load()
    what = hashlib.sha256(f"{images} {seed} {_listed(catalogue, catalogue.paths)}".encode(errors="surrogateescape"))
    with writing(target):
        check_free(target, what.hexdigest())
        return _packed(catalogue, target, images, seed, what.hexdigest())


def check_free(target: Path, what: str | None = None) -> None:
    """Makes sure that a folder is empty, or one that has begun to be packed.

    Args:
        target: the folder.
        what: what is to be packed, once that is known.

    Raises:
        UserError: it holds something else.
    """
    mark = target / BEGUN
    if not mark.is_file():
        own = (LOCK, f".{BEGUN}.*.part")
        if target.exists() and not (target.is_dir() and all(any(map(path.match, own)) for path in target.iterdir())):
            raise UserError(f"out={target}: there is something already; name a folder that is empty.")
    elif what is not None and mark.read_text() != what:
        raise UserError(f"out={target}: other photographs have begun to be packed there; name a folder that is empty.")


def _packed(catalogue: Catalogue, target: Path, images: int, seed: int, what: str) -> dict[str, object]:
    """``pack``, while the folder is held."""
    write_whole(target / BEGUN, what.encode())
    for begun in target.glob(PARTS):
        begun.unlink()
    order = np.random.default_rng(seed).permutation(len(catalogue))
    digits = max(6, len(str(len(catalogue))))
    paths = [""] * len(catalogue)
    with tqdm(total=len(catalogue), desc="packing", unit=" images", disable=None) as bar:
        for number in range(0, len(catalogue), images):
            name = f"photographs-{number // images:06d}.tar"
            rows = order[number : number + images].tolist()
            keys = [f"{place:0{digits}d}" for place in range(number, number + len(rows))]
            for key, row in zip(keys, rows, strict=True):
                paths[row] = f"{name}/{key}{_ending(catalogue, row)}"
            if (target / name).is_file():
                bar.update(len(rows))
                continue
            with replacing(target / name) as part, tarfile.open(part, "w") as tar:
                for key, row in zip(keys, rows, strict=True):
                    _add(tar, key, catalogue, row)
                    bar.update()
    write_whole(target / "images.csv", _listed(catalogue, paths).encode("utf-8", "surrogateescape"))
    (target / BEGUN).unlink()
    tars = len(range(0, len(catalogue), images))
    return {"images": len(catalogue), "tars": tars, "out": str(target)}


def _ending(catalogue: Catalogue, row: int) -> str:
    return Path(catalogue.paths[row]).suffix.lower()


def _add(tar: tarfile.TarFile, key: str, catalogue: Catalogue, row: int) -> None:
    """Adds one photograph with what is known of it.

    Raises:
        UserError: it cannot be read.
    """
    path = catalogue.root / catalogue.paths[row]
    try:
        content = members.content(path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror or error}); mend it, then give the same command again."
        ) from None
    about = {"path": catalogue.paths[row], "label": catalogue.labels[row], "split": catalogue.splits[row]}
    _write(tar, f"{key}{_ending(catalogue, row)}", content)
    _write(tar, f"{key}.cls", catalogue.labels[row].encode("utf-8", "surrogateescape"))
    _write(tar, f"{key}.json", json.dumps(about).encode())


def _write(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _listed(catalogue: Catalogue, paths: list[str]) -> str:
    """The catalogue's own list with other paths."""
    header, *rows = csv.reader(io.StringIO(catalogue.csv(), newline=""))
    return comma_separated([header, *([path, *row[1:]] for path, row in zip(paths, rows, strict=True))])
