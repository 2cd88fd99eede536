"""What makes a link, and what becomes of a class that is linked so: settings of conf/clean.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class LinkSettings:
    """How much two photographs have to have in common.

    Args:
        false_links: links that a photograph which shows something else may have by mistake, with all that it is
            compared with; the threshold of scores follows from it.
        across: pairs of different classes that are compared for it, at most.
        threshold: a score that takes its place; null reads it off those pairs.
    """

    false_links: Annotated[float, Field(gt=0, lt=1)] = 0.01
    across: NonNegativeInt = 20000
    threshold: PositiveFloat | None = None


@dataclass(frozen=True)
class GraphSettings:
    """What is kept of a class.

    Args:
        communities: whether each large enough component becomes a class of its own; otherwise the largest is kept.
        least: photographs of a component that is kept, at the least.
        links: to others of its component that each photograph needs.
        duplicates: whether of copies of one photograph one is kept.
        unverified: what becomes of a class in which no pair is verified.
    """

    communities: bool = False
    least: Annotated[int, Field(ge=2)] = 2
    links: PositiveInt = 1
    duplicates: bool = True
    unverified: Literal["drop", "keep", "stop"] = "drop"
