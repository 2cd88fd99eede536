"""Which stages a configuration asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from deepret.config import build, locate
from deepret.training.settings import StageSettings

FIRST = "1-ranking"


@dataclass(frozen=True)
class Stage:
    """One stage: its folder's name, what learns, how long, and over which regions."""

    name: str
    kind: Literal["ranking", "proposals"]
    epochs: int
    first_regions: bool
    rate: float = 1.0


def plan(config: dict[str, Any]) -> list[Stage]:
    """The stages that a configuration asks for: one, or three where the regions are learned proposals."""
    stages: StageSettings = build(config["stages"])
    if not learns_regions(config):
        return [Stage(FIRST, "ranking", stages.ranking, False)]
    return [
        Stage(FIRST, "ranking", stages.ranking, True),
        Stage("2-proposals", "proposals", stages.proposals, False),
        Stage("3-ranking", "ranking", stages.refinement, False, stages.refinement_rate),
    ]


def learns_regions(config: dict[str, Any]) -> bool:
    """Whether the regions are proposals that need a stage of their own."""
    return bool(getattr(locate(config["regions"]["_target_"]), "trained", False))
