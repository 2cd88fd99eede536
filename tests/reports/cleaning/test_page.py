from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import numpy as np
import pytest
from PIL import Image

from deepret.cleaning.pairs.threshold import Threshold
from deepret.cleaning.stages import Cleaned
from deepret.data.listing import Row
from deepret.errors import UserError
from deepret.reports.cleaning import page as module
from deepret.reports.cleaning.page import write_report

Make = Callable[..., Cleaned]
CHAIN = [(0, 1), (1, 2)]
EMPTY = {"meta", "link", "img", "br", "path", "rect", "circle", "image"}


class Page(HTMLParser):
    """What a browser finds in a page: tags with their attributes, and text; tags that are not closed in order fail."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [a for t, a in self.tags if t == tag and all(a.get(k.rstrip("_")) == v for k, v in wanted.items())]


def test_what_is_said_is_there(made: Make, tmp_path: Path) -> None:
    threshold = Threshold(np.linspace(0, 40, 2000), [])
    found = made({"a": (5, 3, CHAIN), "b": (2, 2, [(0, 1)])}, across=([(0, 5)], 1234), threshold=threshold)
    path = write_report(tmp_path / "out", found, 5, {"command": "deepret clean out=<x>", "written": Path("images.csv")})
    assert path == tmp_path / "out/report.html"
    page = Page(path)
    assert page.all("html", lang="en")
    assert "Cleaned: set" in page.text
    text = " ".join(page.text.split())
    for figure in [
        "photographs 7",
        "classes 2",
        "kept 5 71.4 %",
        "dropped 2 28.6 %",
        "verified pairs 3 of 11 compared",
        "pairs across 1,234",
        "threshold 20.0 read off pairs across",
        "false links 0.1 %",
        "command deepret clean out=<x>",
        "written images.csv",
        "no verified pair with another of its class 2",
        "features 1 min 3 s",
        "refined in 7 rounds",
        "a 5 3 2 40.0 % 10 2 20.0",
    ]:
        assert figure in text


def test_what_was_left_out_before_is_said(made: Make, tmp_path: Path) -> None:
    left_out = [(Row("a/broken.jpg", "a", "train"), "the file is empty")]
    text = " ".join(Page(write_report(tmp_path / "out", made({"a": (2, 2, [(0, 1)])}), 0, {}, left_out)).text.split())
    assert "photographs 3" in text
    assert "dropped 1 33.3 %" in text
    assert "the file is empty 1" in text


def test_each_drawn_photograph_is_in_graph_and_grid(made: Make, tmp_path: Path) -> None:
    found = made({"a": (5, 3, CHAIN), "b": (2, 2, [(0, 1)])})
    page = Page(write_report(tmp_path / "out", found, 1, {}))
    thumbnails = sorted((tmp_path / "out/report").iterdir())
    assert [path.name for path in thumbnails] == [f"{i}.jpg" for i in range(5)]  # none of the class that is not drawn
    for path in thumbnails:
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert image.size == (160, 80)
    files = {f"report/{path.name}" for path in thumbnails}
    assert {a["src"] for a in page.all("img")} == {a["href"] for a in page.all("image")} == files
    assert all(a["alt"] for a in page.all("img"))
    assert len(page.all("circle", class_="ring kept")) == 3 + 1  # and one in the legend
    assert len(page.all("circle", class_="ring dropped")) == 2 + 1
    assert [a["class"] for a in page.all("figure")] == ["kept"] * 3 + ["dropped"] * 2
    targets = {a["id"] for _, a in page.tags if "id" in a}
    assert {a["href"][1:] for a in page.all("a") if a["href"].startswith("#")} <= targets
    assert len(page.all("a", href="#class-0")) == 1
    assert not page.all("a", href="#class-1")


def test_boxes_lie_in_pixels_of_the_photograph(made: Make, tmp_path: Path) -> None:
    found = made({"a": (3, 2, [(0, 1)])})
    found.boxes.first[1] = np.nan
    page = Page(write_report(tmp_path / "out", found, 1, {}))
    assert len(page.all("svg", viewbox="0 0 200 100")) == 2
    place = {"x": "50.0", "y": "20.0", "width": "50.0", "height": "40.0"}
    assert len(page.all("rect", class_="box first", **place)) == 1
    place = {"x": "40.0", "y": "10.0", "width": "80.0", "height": "70.0"}
    assert len(page.all("rect", class_="box last", **place)) == 2


def test_names_are_text_and_addresses_are_encoded(made: Make, tmp_path: Path) -> None:
    label = '<b>Ä & "o" 100%#1?\''
    found = made(
        {label: (3, 2, [(0, 1)])},
        reasons=["copy of <script>alert(1)</script>.png"],
        name=lambda label, i: f"{label}/{i} %41&<\udcff>.png",
    )
    path = write_report(tmp_path / "out", found, 1, {"<i>": "a & b"})
    page = Page(path)
    assert not page.all("script")
    assert not page.all("b")
    assert not page.all("i")
    for text in [label, "<script>alert(1)</script>.png", "0 %41&<\ufffd>.png", "<i>", "a & b"]:
        assert text in page.text
    hrefs = [a["href"] for a in page.all("a") if not a["href"].startswith("#")]
    assert len(hrefs) == 3
    for row, href in enumerate(hrefs):
        assert href.isascii()
        assert not set(href) & set(" <>\"#&'")
        assert urlsplit(href).scheme == "file"
        file = os.fsdecode(unquote_to_bytes(urlsplit(href).path))
        assert file == str(found.catalogue.root / found.catalogue.paths[row])
        assert Path(file).is_file()


def test_nothing_comes_from_the_network(made: Make, tmp_path: Path) -> None:
    text = write_report(tmp_path / "out", made({"a": (3, 2, [(0, 1)])}), 1, {}).read_text()
    assert "http:" not in text
    assert "https:" not in text
    assert "<script" not in text
    assert "@import" not in text


def test_photographs_that_are_gone_are_grey(made: Make, tmp_path: Path) -> None:
    found = made({"a": (3, 2, [(0, 1)])})
    (found.catalogue.root / "a/0.png").unlink()
    (found.catalogue.root / "a/2.png").write_bytes(b"no image")
    write_report(tmp_path / "out", found, 1, {})
    for row, grey in enumerate([True, False, True]):
        with Image.open(tmp_path / f"out/report/{row}.jpg") as image:
            assert image.size == (160, 80)
            red, green, blue = image.getpixel((80, 40))
            assert (red == green == blue) == grey


def test_an_earlier_pages_thumbnails_go(made: Make, tmp_path: Path) -> None:
    folder = tmp_path / "out/report"
    folder.mkdir(parents=True)
    (folder / "77.jpg").write_bytes(b"old")
    (folder / "mine.jpg").write_bytes(b"somebody's")
    write_report(tmp_path / "out", made({"a": (2, 0, [])}), 1, {})
    assert sorted(path.name for path in folder.iterdir()) == ["0.jpg", "1.jpg", "mine.jpg"]


def test_classes_that_seem_to_be_one_are_named(made: Make, tmp_path: Path) -> None:
    threshold = Threshold(np.zeros(2000), [(0, 2)])
    classes = {"a": (3, 3, CHAIN), "b": (3, 3, CHAIN), "c": (3, 1, [])}
    found = made(classes, across=([(0, 6), (1, 6), (2, 7), (0, 3)], 50), threshold=threshold)
    text = " ".join(Page(write_report(tmp_path / "out", found, 1, {})).text.split())
    assert "a and c 3 links" in text
    assert "a and b" not in text


def test_without_pairs_or_classes_there_is_a_page(made: Make, tmp_path: Path) -> None:
    page = Page(write_report(tmp_path / "none", made({}), 3, {}))
    assert "No pairs were compared." in page.text
    assert "Nothing is dropped." in page.text
    page = Page(write_report(tmp_path / "one", made({"a": (1, 0, [])}, threshold=Threshold(np.zeros(0), [])), 3, {}))
    assert not page.all("img")  # one photograph is no graph


def test_a_large_set_has_a_bounded_page(made: Make, tmp_path: Path) -> None:
    classes = {f"{i:05}": (8, 8 - i % 8, [(0, 1)] if i % 8 < 7 else []) for i in range(module.MOST_CLASSES + 50)}
    classes["large"] = (400, 1, [])
    found = made(classes, photographs=False)
    page = Page(write_report(tmp_path / "out", found, 2, {}))
    text = " ".join(page.text.split())
    assert len(page.all("th", scope="row")) == module.MOST_CLASSES + 1 + 2  # a reason and two stages
    assert "51 more classes" in text
    assert len(page.all("img")) == 60 + 8
    assert "Not drawn: 0 kept and 340 dropped photographs." in text
    assert len(list((tmp_path / "out/report").iterdir())) == 68


def test_a_full_disk_is_a_clear_message(made: Make, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match="could not be written"):
        write_report(tmp_path / "out", made({"a": (2, 2, [(0, 1)])}), 1, {})


def test_a_page_is_the_same_when_it_is_made_again(made: Make, tmp_path: Path) -> None:
    found = made({"a": (9, 6, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)])})
    one = write_report(tmp_path / "out", found, 1, {}).read_bytes()
    assert write_report(tmp_path / "out", found, 1, {}).read_bytes() == one
    assert Counter(one)[0] == 0
