from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deepret.reports.lines import COLOURS, apart, lines, styles

DIMS = (16, 32, 64, 128, 256, 512)


def colours_in(picture: Image.Image) -> dict[str, int]:
    """How many pixels there are of each colour."""
    return {f"#{r:02x}{g:02x}{b:02x}": n for n, (r, g, b) in picture.getcolors(1 << 24) or []}  # type: ignore[misc]


@pytest.mark.parametrize("count", [1, 3, 20])
def test_there_is_a_line_for_each_name(count: int) -> None:
    names = {f"name {i}": [(d, 10 + i + j) for j, d in enumerate(DIMS)] for i in range(count)}
    found = colours_in(lines({"mAP %": names}, "dimensions"))
    assert len(set(styles(count))) == count
    for style in styles(count):
        assert found[style.colour] > 500


def test_many_lines_of_one_colour_have_other_markers_and_dashes() -> None:
    assert len(set(styles(100))) == 100
    for place in range(len(COLOURS)):
        same = styles(20)[place :: len(COLOURS)]
        assert len({style.marker for style in same}) == len({style.dash for style in same}) == len(same)


def test_names_that_want_one_place_share_it_and_others_stay() -> None:
    assert apart({"a": 50.0, "b": 50.0, "c": 50.0, "d": 90.0}, 0, 100, 12) == {"a": 38, "b": 50, "c": 62, "d": 90}
    assert apart({"a": 1.0, "b": 1.0}, 0, 100, 12) == {"a": 0, "b": 12}
    assert apart({"a": 99.0, "b": 99.0}, 0, 100, 12) == {"a": 88, "b": 100}


def test_a_name_has_one_colour_in_every_panel_and_only_where_it_has_points() -> None:
    first, second = [(16, 1.0), (32, 2.0)], [(16, 2.0), (64, 1.0)]
    both = colours_in(lines({"one": {"a": first}, "two": {"a": first, "b": second}}, "dimensions"))
    one = colours_in(lines({"one": {"a": first, "b": second}}, "dimensions"))
    assert {style.colour for style in styles(2)} <= set(both)
    assert both[styles(2)[1].colour] == pytest.approx(one[styles(2)[1].colour], rel=0.2)
    assert both[styles(2)[0].colour] > one[styles(2)[0].colour]


def test_one_point_and_one_height_are_drawn_too() -> None:
    assert lines({"one": {"a": [(16, 3.0)]}}, "dimensions").width > 500


def test_larger_figures_are_higher_up() -> None:
    def middle(picture: Image.Image, colour: str) -> float:
        pixels = picture.load()
        assert pixels is not None
        wanted = tuple(bytes.fromhex(colour[1:]))
        rows = [y for y in range(picture.height) for x in range(90, 600) if pixels[x, y] == wanted]
        return sum(rows) / len(rows)

    picture = lines({"one": {"low": [(16, 10.0), (512, 20.0)], "high": [(16, 60.0), (512, 70.0)]}}, "dimensions")
    low, high = (style.colour for style in styles(2))
    assert middle(picture, high) < middle(picture, low)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_names_stand_apart_in_their_order_within_the_panel(wanted: list[float]) -> None:
    places = apart({str(i): y for i, y in enumerate(wanted)}, 0, 100, 12)
    found = [places[str(i)] for i in sorted(range(len(wanted)), key=lambda i: wanted[i])]
    assert all(b - a >= 12 - 1e-9 for a, b in pairwise(found))
    assert found[0] >= -1e-9
    assert found[-1] <= 100 + 1e-9


def test_names_that_are_far_apart_stay() -> None:
    assert apart({"a": 50.0, "b": 10.0}, 0, 100, 12) == {"a": 50.0, "b": 10.0}
