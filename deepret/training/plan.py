"""Which stages a configuration asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from deepret.errors import UserError
from deepret.parts import build, locate
from deepret.training.settings import StageSettings

FIRST = "1-ranking"


@dataclass(frozen=True)
class Stage:
    """One stage: its folder's name, what learns, how long, and over which regions."""

    name: str
    kind: Literal["ranking", "proposals", "detection"]
    epochs: int
    first_regions: bool
    rate: float = 1.0


def plan(config: dict[str, Any]) -> list[Stage]:
    """The stages that a configuration asks for: one, or three where proposals are to be learned.

    ``trainer.max_epochs`` caps each. A ranking stage of no epochs passes its network on as it is. Where
    ``stages.detection`` has epochs, a detector learns on the proposals, last of all.

    Raises:
        UserError: no epoch for regions that start from random numbers, or detection without proposals.
    """
    stages: StageSettings = build(config["stages"])
    cap = config["trainer"].get("max_epochs")

    def epochs(wanted: int) -> int:
        return wanted if cap is None or cap < 0 else min(wanted, cap)

    if not learns_regions(config):
        if stages.detection:
            raise UserError(
                f"stages.detection={stages.detection}: a detector looks at the proposals of an RPN that is learned "
                f"with it: take regions=rpn without regions.weights, or stages.detection=0."
            )
        return [Stage(FIRST, "ranking", epochs(stages.ranking), False)]
    if epochs(stages.proposals) == 0:
        name = "stages.proposals" if stages.proposals == 0 else "trainer.max_epochs"
        raise UserError(
            f"{name}=0: the regions are proposals, and an RPN that has learned nothing has none: take {name}=1 at "
            f"least, or regions=grid."
        )
    included = stages.refinement if stages.refinement_included else 0
    found = [
        Stage(FIRST, "ranking", epochs(max(stages.ranking - included, 0)), True),
        Stage("2-proposals", "proposals", epochs(stages.proposals), False),
        Stage("3-ranking", "ranking", epochs(stages.refinement), False, stages.refinement_rate),
    ]
    return [*found, Stage("4-detection", "detection", epochs(stages.detection), False)] if stages.detection else found


def learns_regions(config: dict[str, Any]) -> bool:
    """Whether the regions are proposals that need a stage of their own: an RPN that is not taken from elsewhere."""
    return proposes(config) and config["regions"].get("weights") is None


def proposes(config: dict[str, Any]) -> bool:
    """Whether the regions are the proposals of an RPN, which learns by a loss of its own."""
    return bool(getattr(locate(config["regions"]["_target_"]), "trained", False))
