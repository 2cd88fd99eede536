"""An RPN that another training has learned."""

from __future__ import annotations

from typing import Any, cast

from deepret.errors import UserError
from deepret.models.network import Network
from deepret.models.regions.rpn import RPN
from deepret.runs import checkpoint as checkpoints

PREFIX = "regions."
SAME = ("_target_", "name", "layer")
"""What two backbones have alike that give the same kind of maps."""
SHAPE = ("hidden", "depth", "scales", "ratios")
"""Settings of an RPN that its weights are for."""


def hand_on(network: Network, config: dict[str, Any]) -> None:
    """Loads the RPN that ``regions.weights`` names into a network; does nothing where it names none.

    Args:
        network: with an RPN.
        config: the resolved configuration.

    Raises:
        UserError: a checkpoint that cannot be read, has no trained RPN, or one of another backbone or other anchors.
    """
    path = config["regions"].get("weights")
    if path is None:
        return
    found = checkpoints.load(path)
    where, theirs = f"regions.weights={path}", found["deepret"]["config"]["backbone"]
    state = {k.removeprefix(PREFIX): v for k, v in checkpoints.network_state(found).items() if k.startswith(PREFIX)}
    if not state.get("is_trained", False):
        raise UserError(
            f"{where}: it has no trained RPN: name the best.ckpt of 2-proposals, 3-ranking or 4-detection of a run "
            f"with regions=rpn."
        )
    own = config["backbone"]
    if any(own.get(key) != theirs.get(key) for key in SAME):
        raise UserError(
            f"{where}: its RPN is of another backbone, {named(theirs)}, and this network has {named(own)}: each has "
            f"maps of its own; take the same one."
        )
    for key in SHAPE:
        there, here = found["deepret"]["config"]["regions"].get(key), config["regions"].get(key)
        if there != here:
            raise UserError(f"{where}: its RPN has {key} {there}, and this one {here}: give regions.{key}={there}.")
    cast(RPN, network.regions).load_state_dict(state)


def named(backbone: dict[str, Any]) -> str:
    """A backbone in words."""
    kind = str(backbone["_target_"]).rpartition(".")[2]
    return " ".join([kind, *(f"{key}={backbone[key]}" for key in SAME[1:] if backbone.get(key) is not None)])
