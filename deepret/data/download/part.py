"""What has come of a file so far, beside the file: its bytes, and where they are from."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import IO

from tqdm import tqdm

from deepret.errors import UserError
from deepret.files import ROOM, why, write_whole


class Part:
    """``NAME.part``, and in ``NAME.part.json`` its address, the server's mark of this version and the file's length.

    Args:
        path: the file that is to be.
    """

    def __init__(self, path: Path) -> None:
        self.whole = path
        self.path = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.json")
        self.url: str | None = None
        self.mark: str | None = None
        self.total: int | None = None
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            noted = json.loads(self.note.read_text("utf-8"))
            self.url, self.mark, self.total = noted["url"], noted["mark"], noted["total"]

    def __len__(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def begin(self, url: str, mark: str | None, total: int | None) -> None:
        """Starts from nothing.

        Raises:
            UserError: the folder cannot be written.
        """
        self.remove()
        self.url, self.mark, self.total = url, mark, total
        write_whole(self.note, json.dumps({"url": url, "mark": mark, "total": total}).encode())

    def open(self) -> IO[bytes]:
        """The bytes, to write more behind them; without a buffer, so that what was written is there.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            return self.path.open("ab", buffering=0)
        except OSError as error:
            raise UserError(f"{self.path} cannot be written: {why(error)}; {ROOM}") from None

    def add(self, file: IO[bytes], data: bytes, total: int | None) -> None:
        """Writes more of it.

        Raises:
            UserError: the disk takes no more; what is there is kept.
        """
        left = memoryview(data)
        try:
            while left:
                left = left[file.write(left) :]
        except OSError as error:
            missing = "" if total is None else f", with {amount(total - len(self))} still to come"
            raise UserError(
                f"{self.path} cannot be written: {why(error)}{missing}; make room there and give the same command "
                f"again: it goes on after the {amount(len(self))} that have come."
            ) from None

    def finish(self) -> None:
        """Gives it the file's name in one step.

        Raises:
            UserError: the disk is full or the folder cannot be written.
        """
        try:
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(self.path, self.whole)
        except OSError as error:
            raise UserError(f"{self.whole} could not be written: {why(error)}; {ROOM}") from None
        self.remove()

    def remove(self) -> None:
        """Takes it away."""
        self.url = self.mark = self.total = None
        for path in (self.path, self.note):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def amount(count: int) -> str:
    """A number of bytes for people."""
    return f"{tqdm.format_sizeof(max(count, 0), '', 1000)}B"
