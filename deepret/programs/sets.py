"""Which networks, indexes and benchmarks go together where an image is a set of codes."""

from __future__ import annotations

from typing import Any

from deepret.errors import UserError
from deepret.parts import locate

SETS = "keeps regions apart, so an image is a set of codes"


def keeps_apart(config: dict[str, Any]) -> bool:
    """Whether the network gives an image a set of codes in place of one."""
    return not getattr(locate(config["aggregation"]["_target_"]), "one_code", True)


def check_sets(config: dict[str, Any]) -> None:
    """Refuses, before any work, an index that compares one code an image where there are sets of them.

    Raises:
        UserError: it is such a one; or the benchmark's candidates are classes, and the index has images only.
    """
    takes = getattr(locate(config["index"]["_target_"]), "sets", False) if config.get("index") else False
    if keeps_apart(config) and not takes:
        raise UserError(f"aggregation: this one {SETS}, which are searched by index=objects.")
    exact = config.get("index") is None or config["index"]["_target_"].endswith(".ExactIndex")
    if getattr(locate(config["benchmark"]["_target_"]), "of_classes", False) and not (takes or exact):
        raise UserError(
            f"benchmark={locate(config['benchmark']['_target_']).__name__.lower()}: its candidates are classes of "
            f"several photographs: take index=objects, or index=torch."
        )


def refuse_sets(config: dict[str, Any], what: str) -> None:
    """Refuses a network that gives sets of codes where one code an image is needed.

    Args:
        config: the configuration.
        what: what needs one, which begins the message's second half.

    Raises:
        UserError: it does.
    """
    if keeps_apart(config):
        raise UserError(f"aggregation: this one {SETS}, and {what}; take aggregation=sum.")
