from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from deepret.comma_separated import comma_separated

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.lists(st.lists(VALUES, min_size=2, max_size=4)))
def test_rows_read_back_as_they_were(rows: list[list[str]]) -> None:
    assert list(csv.reader(io.StringIO(comma_separated(rows), newline=""))) == rows


def test_only_what_needs_quotes_has_them() -> None:
    rows: list[list[object]] = [["path", "label"], ["a.jpg", "b"], ["a,b.jpg", 1], ["a\rb.jpg", 2]]
    assert comma_separated(rows) == 'path,label\na.jpg,b\n"a,b.jpg",1\n"a\rb.jpg","2"\n'
