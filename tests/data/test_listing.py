"""images.csv is read as written, and each mistake in it is named by its line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deepret.data.listing import Row, read_list
from deepret.errors import UserError

HEAD = "path,label,split\n"
BOXED = "path,label,split,x0,y0,x1,y1\n"
PAIR = "1.jpg,a,train\n2.jpg,a,train\n"


@pytest.fixture
def listed(photos: Path):
    """Writes images.csv beside five files that are there."""
    for name in ("1.jpg", "2.jpg", "3.jpg", "sub/4.jpg", "a, b.jpg"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).touch()

    def written(text: str | bytes) -> Path:
        path = photos / "images.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return written


def test_rows_come_as_they_are_written(listed) -> None:
    path = listed(
        "\ufeffsplit,path ,label,x0,y0,x1,y1\r\n"
        "train,1.jpg,Tour Eiffel,0,1.5,20,30\r\n"
        "\r\n"
        "train,./2.jpg, Tour Eiffel ,,,,\r\n"
        'query,"a, b.jpg",été,,,,\r\n'
        "distractor,sub\\4.jpg,,,,,\r\n"
    )
    assert read_list(path) == [
        Row("1.jpg", "Tour Eiffel", "train", [(0, 1.5, 20, 30)], 2),
        Row("2.jpg", "Tour Eiffel", "train", [], 4),
        Row("a, b.jpg", "été", "query", [], 5),
        Row("sub/4.jpg", "", "distractor", [], 6),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["images.csv:1", "'path' is missing", "path,label,split"]),
        (HEAD, ["images.csv", "no photograph"]),
        (HEAD + "\n , ,\n", ["no photograph"]),
        ("file,label,split\n" + PAIR, ["images.csv:1", "no column 'file'", "path,label,split"]),
        ("path,labels,split\n" + PAIR, ["images.csv:1", "'labels'", "did you mean 'label'?"]),
        ("Path,label,split\n" + PAIR, ["'Path'", "did you mean 'path'?"]),
        ("path,label\n1.jpg,a\n", ["images.csv:1", "'split' is missing"]),
        ("path,label,split,label\n1.jpg,a,train,b\n", ["'label'", "twice"]),
        ("path;label;split\n1.jpg;a;train\n", ["images.csv:1", "separated by commas"]),
        ("path,label,split,x0,y0,x1\n1.jpg,a,train,0,0,9\n", ["images.csv:1", "'y1' is missing"]),
        ("path,label,split,author\n1.jpg,a,train,me\n", ["images.csv:1", "'author'"]),
        (HEAD + "1.jpg,a,train\n1.jpg,b,train\n", ["images.csv:3", "'1.jpg'", "line 2"]),
        (HEAD + "1.jpg,a,train\n./1.jpg,b,train\n", ["images.csv:3", "'1.jpg'", "line 2"]),
        (
            HEAD + PAIR + "gone.jpg,a,test\nlost.jpg,a,test\n",
            ["2 of 4 files", "'gone.jpg' (line 4)", "'lost.jpg' (line 5)"],
        ),
        (HEAD + "".join(f"{i}.png,a,train\n" for i in range(9)), ["9 of 9 files", "'2.png' (line 4) …"]),
        (HEAD + "sub,a,train\n1.jpg,a,train\n", ["1 of 2 files", "'sub' (line 2)"]),
        (HEAD + "1.jpg,,train\n", ["images.csv:2", "'1.jpg'", "empty label", "data.views"]),
        (HEAD + ",a,train\n", ["images.csv:2", "path is empty"]),
        (HEAD + "../gone.jpg,a,train\n", ["images.csv", "'../gone.jpg' (line 2)", "missing"]),
        (HEAD + "sub/../1.jpg,a,train\n", ["images.csv:2", "goes up after it has gone down", "'1.jpg'"]),
        (HEAD + "/nowhere/1.jpg,a,train\n", ["images.csv", "'/nowhere/1.jpg' (line 2)", "missing"]),
        (HEAD + PAIR + "3.jpg,a,tset\n", ["images.csv:4", "'tset'", "did you mean 'test'?"]),
        (HEAD + "1.jpg,a,\n", ["images.csv:2", "split ''", "distractor"]),
        (HEAD + "1.jpg,a,train,more\n", ["images.csv:2", "4 values for 3 columns", "quote"]),
        (HEAD + "1.jpg,a\n", ["images.csv:2", "2 values for 3 columns"]),
        (HEAD + PAIR + "3.jpg,b,train\n", ["images.csv", "1 class has one", "'b' (split=train, line 4)"]),
        (HEAD + PAIR + "3.jpg,b,test\nsub/4.jpg,c,val\n", ["2 classes have one", "'b' (split=test", "'c' (split=val"]),
        (BOXED + "1.jpg,a,train,5,0,5,9\n", ["images.csv:2", "5,0,5,9 is no box", "x0 < x1"]),
        (BOXED + "1.jpg,a,train,0,9,5,0\n", ["images.csv:2", "no box"]),
        (BOXED + "1.jpg,a,train,0,0,nan,9\n", ["images.csv:2", "nan"]),
        (BOXED + "1.jpg,a,train,0,0,inf,9\n", ["images.csv:2", "inf"]),
        (BOXED + "1.jpg,a,train,0,0,,9\n", ["images.csv:2", "no box"]),
        (BOXED + "1.jpg,a,train,0,0,wide,9\n", ["images.csv:2", "wide"]),
        (HEAD.encode() + "1.jpg,été,train".encode("latin-1"), ["images.csv", "UTF-8"]),
        (HEAD.encode() + "été.jpg,a,train".encode("latin-1"), ["images.csv", "UTF-8"]),  # and there is no such file
        (HEAD.replace("path", "pfad-é").encode("latin-1"), ["images.csv", "UTF-8"]),
        (HEAD.encode("utf-16"), ["images.csv", "UTF-8"]),
    ],
)
def test_each_mistake_is_named_where_it_stands(listed, text: str | bytes, parts: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        read_list(listed(text))
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_a_class_of_one_image_is_right_where_it_is_searched(listed) -> None:
    rows = read_list(listed(HEAD + "1.jpg,a,query\n2.jpg,a,gallery\n3.jpg,b,distractor\n"))
    assert len(rows) == 3


def test_names_that_a_disk_has_and_text_has_not(listed, photos: Path) -> None:
    names = [os.fsdecode(b"caf\xe9.jpg"), "a\\b.jpg", "sub\\c.jpg"]
    for name in names:
        (photos / name).touch()
    (photos / "sub" / "c.jpg").touch()  # another than the one whose name holds a backslash
    rows = "".join(f"{name},a,train\n" for name in names)
    found = read_list(listed((HEAD + rows).encode("utf-8", "surrogateescape")))
    assert [row.path for row in found] == names


def test_a_name_that_is_no_text_excuses_no_label(listed, photos: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    (photos / name).touch()
    with pytest.raises(UserError, match=r"images\.csv: cannot be read as a CSV file in UTF-8 .*save it as one"):
        read_list(listed((HEAD + f"{name},\udce9t\udce9,train\n").encode("utf-8", "surrogateescape")))
