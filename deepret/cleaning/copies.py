"""Copies of photographs beside the catalogue that lists them, under names that every disk can have."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.files import LONGEST, cut, write_whole

PHOTOGRAPHS = "photographs"
"""The folder that photographs are copied to, if they are."""
ENDING = 16
"""Bytes of an ending; what is longer is a part of the name."""
COUNTER = 16
"""Bytes that are left for a number."""
REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]|^\.+|^ +')
"""What Windows takes in no name, bytes that are no UTF-8, and what makes a file a hidden one or is lost in a list."""
DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)", re.IGNORECASE)
"""Names that Windows gives to devices, whatever their endings."""


def copied(catalogue: Catalogue) -> Catalogue:
    """Copies the photographs of a catalogue below its root; gives it with their new paths.

    A copy that is there already, byte for byte, is not made again.

    Args:
        catalogue: with paths to the photographs where they are, and the root that they are copied to.

    Raises:
        UserError: a photograph that cannot be read, or the disk is full.
    """
    names, paths = Names(), []
    rows = tqdm(range(len(catalogue)), "copying photographs", unit=" images", disable=None, leave=False)
    for row in rows:
        source = catalogue.root / catalogue.paths[row]
        name = names.of(catalogue.labels[row] or catalogue.splits[row], source.name)
        target = catalogue.root / PHOTOGRAPHS / name
        try:
            content = members.content(source)
            if not _holds(target, content):
                write_whole(target, content)
        except OSError as error:
            raise UserError(f"{source}: cannot be copied ({error.strerror or error}); mend it, then go on.") from None
        paths.append(f"{PHOTOGRAPHS}/{name}")
    return replace(catalogue, paths=paths)


def _holds(file: Path, content: bytes) -> bool:
    return file.is_file() and file.stat().st_size == len(content) and file.read_bytes() == content


class Names:
    """Names of copies, each in a form that no other has on any disk."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def of(self, label: str, file: str) -> str:
        """LABEL/FILE, or LABEL/FILE with a number where that is taken."""
        folder, (stem, ending) = plain(cut(plain(label), LONGEST)), os.path.splitext(plain(file))
        if len(os.fsencode(ending)) > ENDING:
            stem, ending = stem + ending, ""
        stem = plain(cut(stem, LONGEST - ENDING - COUNTER))
        first = name = f"{folder}/{stem}{ending}"
        number = self._last.get(_key(first), 1)
        while _key(name) in self._last:
            number += 1
            name = f"{folder}/{stem}-{number}{ending}"
        self._last[_key(name)] = 1
        self._last[_key(first)] = number
        return name


def _key(name: str) -> str:
    """What is the same for two names that some disk takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def plain(name: str) -> str:
    """A name with ``_`` for all that some disk refuses."""
    name = re.sub(r"[. ]+$", "_", REFUSED.sub("_", name)) or "_"
    return f"_{name}" if DEVICE.match(name) else name
