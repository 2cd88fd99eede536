from __future__ import annotations

import re
from typing import Annotated, Literal

import pytest
from pydantic import Field

from deepret import parts
from deepret.errors import UserError
from deepret.parts import build, check, signature


class Part:
    """Stands for any part."""

    def __init__(
        self,
        channels: int,
        width: Annotated[int, Field(ge=1, le=8)],
        kind: Literal["a", "b"] = "a",
        sides: list[int] | None = None,
    ):
        self.values = (channels, width, kind, sides)


HERE = f"{__name__}.Part"


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "locate", lambda target: Part)
    signature.cache_clear()


@pytest.mark.usefixtures("part")
@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"width": 3}, None),
        ({"width": 3, "sides": [1, 2]}, None),
        ({}, r"part.width is missing"),
        ({"width": 9}, r"part.width=9: .*less than or equal to 8 \(wanted: int ≥ 1 and ≤ 8\)"),
        ({"width": True}, r"part.width=True"),
        ({"width": 3, "sides": ["x"]}, r"part.sides=\['x'\]"),
        ({"width": 3, "knd": "a"}, r"part.knd: .*did you mean 'kind'"),
    ],
)
def test_a_part_is_checked_against_its_constructor(node: dict, message: str | None) -> None:
    whole = {"part": {"_target_": HERE, **node}}
    if message is None:
        check(whole)
    else:
        with pytest.raises(UserError) as error:
            check(whole)
        assert re.search(message, str(error.value))


@pytest.mark.usefixtures("part")
def test_build_supplies_what_is_asked_for_by_name() -> None:
    assert build({"_target_": HERE, "width": 2}, channels=7, stride=32).values == (7, 2, "a", None)


def test_a_target_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(UserError, match=r"deepret\.nothing\.Here cannot be imported"):
        check({"loss": {"_target_": "deepret.nothing.Here"}})


class Whole:
    """Stands for a part that is made of others, by their names."""

    def __init__(self, parts: dict[str, Part | None], sizes: dict[str, int] | None = None):
        self.parts, self.sizes = parts, sizes


INNER = {"_target_": HERE, "width": 3}
MADE_OF = {"_target_": f"{__name__}.Whole"}


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "locate", lambda target: Whole if target.endswith("Whole") else Part)
    signature.cache_clear()


@pytest.mark.usefixtures("both")
def test_parts_by_their_names_are_checked_and_made() -> None:
    node = {**MADE_OF, "parts": {"one": INNER, "none": None}, "sizes": {"one": 2}}
    check({"loss": node})
    made = build(node, channels=7)
    assert made.parts["one"].values == (7, 3, "a", None)
    assert made.parts["none"] is None
    assert made.sizes == {"one": 2}
    with pytest.raises(UserError, match=r"loss\.parts\.one\.width=9"):
        check({"loss": {**node, "parts": {"one": {**INNER, "width": 9}}}})
    with pytest.raises(UserError, match=r"loss\.sizes"):
        check({"loss": {**node, "sizes": {"one": "two"}}})
