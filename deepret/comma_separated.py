"""Rows as CSV text that reads back as it was, whatever is in the names of files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def comma_separated(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV, a newline after each.

    Python 3.11 leaves a carriage return unquoted where lines end in newlines, and refuses it when it reads it back.

    Args:
        rows: the header first; values are written as ``str`` has them.
    """
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        (quoted if any("\r" in str(value) for value in row) else plain).writerow(row)
    return text.getvalue()
