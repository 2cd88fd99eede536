"""The settings of a run that belong to no single part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from deepret.errors import UserError


@dataclass(frozen=True)
class BatchSettings:
    """What one step of ranking looks at.

    Args:
        images: images a step, over all ranks.
        images_per_class: K of P × K; P = images / K classes.
        size: larger side of a training image, in pixels; both sides with ``input=square``.
        multiple: both sides become multiples of this many pixels, so that a batch has few shapes.
        microbatch: images whose activations are in memory at a time, on each rank; None for the whole batch's.
    """

    images: Annotated[int, Field(ge=4)]
    images_per_class: Annotated[int, Field(ge=2)]
    size: Annotated[int, Field(ge=32)]
    multiple: PositiveInt = 32
    microbatch: PositiveInt | None = None


@dataclass(frozen=True)
class StageSettings:
    """How long each stage lasts, and when it is good enough. An epoch is ``steps`` batches.

    Args:
        steps: batches an epoch; after each epoch the state is saved.
        save_every: steps between two saves within an epoch of ranking, or None for none; SIGUSR1 and SIGTERM save too.
        learns: the parts of the network that learn to rank, by name, such as [weighting], or all; others are frozen.
            What a loss learns itself learns whatever is named.
        ranking: epochs of ranking, with the grid where the regions are proposals; 0 passes the network on as it is.
        proposals: epochs over the cached maps, for regions that are learned, which need one at least.
        refinement: epochs of ranking over the proposals; 0 passes the network on as it is.
        refinement_included: whether these are taken off ``ranking``, so that proposals take no more steps of ranking
            than other regions do.
        detection: epochs over cached maps in which a detector learns, last of all; 0 for no detector.
        proposals_rate: the RPN's learning rate, as a multiple of the optimiser's.
        refinement_rate: share of the learning rate that the refinement starts at.
        projection_rate: the projection's learning rate in ranking, as a multiple of the optimiser's.
        validate_every: epochs between two scores on val.
        patience: scores without a better one after which a ranking stage ends, or null for never; the proposals take
            all their epochs.
        map_variants: augmented copies of each image whose maps the proposals learn on.
        joint_images: images with boxes beside each batch of ranking, on each rank, where ``regions.joint`` is true.
        fit_images: images of the train split that parts are fitted on, at most.
        fit_regions: regions of each of them that parts are fitted on, at most, drawn at random.
    """

    steps: PositiveInt
    ranking: NonNegativeInt
    proposals: NonNegativeInt
    refinement: NonNegativeInt
    refinement_included: bool = False
    detection: NonNegativeInt = 0
    learns: Literal["all"] | list[str] = "all"
    save_every: PositiveInt | None = None
    proposals_rate: PositiveFloat = 10.0
    refinement_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    projection_rate: PositiveFloat = 1.0
    validate_every: PositiveInt = 1
    patience: PositiveInt | None = None
    map_variants: PositiveInt = 2
    joint_images: PositiveInt = 4
    fit_images: PositiveInt = 2000
    fit_regions: PositiveInt = 100


@dataclass(frozen=True)
class FitSettings:
    """What an evaluation needs of the stages.

    Args:
        fit_images: images of the train split that parts, or the PCA of ``dims``, are fitted on, at most.
        fit_regions: regions of each of them that parts are fitted on, at most, drawn at random.
    """

    fit_images: PositiveInt = 2000
    fit_regions: PositiveInt = 100


PROGRAM: dict[str, Any] = {
    "name": Annotated[str, Field(pattern=r"^[^/\\\\]+$")],
    "seed": Annotated[int, Field(ge=0, lt=2**32)],
    "output": str,
    "cache": str,
    "resume": str | None,
    "checkpoint": str | None,
    "workers": NonNegativeInt,
    "threads": PositiveInt | None,
    "extract_batch": PositiveInt,
    "ema": Annotated[float, Field(gt=0, lt=1)] | None,
    "dim": PositiveInt,
    "dims": PositiveInt | None,
    "dims_whitening": Annotated[float, Field(ge=0, le=1)],
    "evaluation_precision": Literal["32", "bf16"],
    "keep_maps": bool,
    "gallery": bool,
    "profile": bool,
    "compile": str | None,
    "accelerator": Literal["auto", "cpu", "gpu", "cuda"],
    "allow": list[str],
    "within": bool,
    "picture": str | None,
    "pairs": str | None,
    "out": str,
    "overwrite": bool,
    "copy": bool,
    "splits": list[str],
    "shard": str | None,
    "merge": bool,
    "drawn": NonNegativeInt,
}
"""The single settings of train, eval, check and clean.yaml that stand outside any part, with their types."""


def capped(batches: int, limit: float | int | None) -> int:
    """The batches of an epoch under ``trainer.limit_train_batches``: a number at most, or a share as a float."""
    if limit is None:
        return batches
    return int(limit * batches) if isinstance(limit, float) else min(batches, limit)


def check_steps(stages: StageSettings, stage: str, limit: float | int | None) -> int:
    """The batches of a ranking epoch, capped.

    Raises:
        UserError: a cap that leaves nothing to train.
    """
    steps = capped(stages.steps, limit)
    if steps < 1:
        raise UserError(f"trainer.limit_train_batches={limit} leaves no batch for stage {stage}: take at least 1.")
    return steps
