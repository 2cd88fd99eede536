"""The lists that published sets come with: lines of words, and CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepret.errors import UserError

WIDEST = 2**24
"""Letters in a value of a CSV file at most: all photographs of a class may stand in one."""


@dataclass(frozen=True)
class Lists:
    """The lists below a folder, for training and for a benchmark alike.

    Args:
        root: the folder.
        key: the setting that names it, for messages.
        remedy: what is to be put there, a sentence that ends messages.
    """

    root: Path
    key: str
    remedy: str

    def text(self, name: str) -> str:
        """What a file holds.

        Raises:
            UserError: it is missing, or no text.
        """
        try:
            return (self.root / name).read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise self.unread(name, error) from None

    def lines(self, name: str) -> list[tuple[int, list[str]]]:
        """Number and words of each line of a file that is not empty.

        Raises:
            UserError: it is missing, or no text.
        """
        return [(n, line.split()) for n, line in enumerate(self.text(name).splitlines(), 1) if line.strip()]

    def csv(self, name: str, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """The rows of a CSV file that has some columns, as ``read_csv`` gives them.

        Raises:
            UserError: it cannot be read, or lacks a column.
        """
        if not (self.root / name).is_file():
            raise self.unread(name, FileNotFoundError(2, "No such file or directory"))
        return read_csv(self.root / name, columns, self.remedy)

    def unread(self, name: str, error: Exception) -> UserError:
        """What says that a file cannot be read, and what is to be put there."""
        why = error.strerror if isinstance(error, OSError) and error.strerror else error or type(error).__name__
        return UserError(f"{self.key}={self.root}: {name} cannot be read ({why}). {self.remedy}")

    def wrong(self, name: str, number: int, words: Sequence[str], wanted: str) -> UserError:
        """What says that a line is none."""
        return UserError(f"{self.root / name}, line {number}: {' '.join(words)!r}; wanted: {wanted}.")


def read_csv(path: Path, columns: Sequence[str], remedy: str) -> Iterator[tuple[str, list[str]]]:
    """Place and values of some columns of each row of a CSV file; what a short row lacks is empty.

    Args:
        path: the file.
        columns: those that are wanted; others are left out.
        remedy: where it is to be had, a sentence that ends the message.

    Raises:
        UserError: it cannot be read, or lacks a column.
    """
    csv.field_size_limit(WIDEST)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            missing = [name for name in columns if name not in header]
            if missing:
                raise UserError(f"{path}: it has no column {', '.join(missing)}. {remedy}")
            places = [header.index(name) for name in columns]
            for row in filter(None, reader):
                yield f"{path}, line {reader.line_num}", [row[i].strip() if i < len(row) else "" for i in places]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot be read ({why}). {remedy}") from None
