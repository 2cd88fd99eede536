"""From configuration to network, and from checkpoint to network."""

from __future__ import annotations

from typing import Any

import torch

from deepret.errors import UserError
from deepret.models.network import Network
from deepret.parts import build

PARTS = ("input", "backbone", "regions", "pooling", "projection", "weighting", "aggregation", "head")


def build_network(config: dict[str, Any], *, weights: bool = True, regions: dict[str, Any] | None = None) -> Network:
    """Makes the network that a configuration describes.

    Args:
        config: the resolved configuration.
        weights: whether the backbone reads its pretrained weights; not needed where a checkpoint follows.
        regions: other regions than the configuration's, such as the grid of the first stage.

    What starts from random numbers depends on the run's seed alone, wherever in a run it is made.

    Raises:
        UserError: parts that do not go together, or weights that cannot be had.
    """
    node = dict(config["backbone"])
    if not weights:
        node |= {key: value for key, value in {"weights": None, "pretrained": False}.items() if key in node}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config["seed"])
        parts = {"backbone": build(node)}
        supplied = supplied_by(parts["backbone"])
        for name in PARTS:
            if name != "backbone":
                parts[name] = build((regions if name == "regions" else None) or config[name], **supplied)
                supplied["channels"] = getattr(parts[name], "dim", supplied["channels"])
        return Network(**parts)


def supplied_by(backbone: Any) -> dict[str, Any]:
    """What the other parts' constructors are told of the backbone; ``channels`` is what the part before them gives."""
    own = {name: getattr(backbone, name) for name in ("channels", "stride", "mean", "std")}
    return {**own, "map_channels": own["channels"]}


def load_state(network: Network, state: dict[str, Any], where: str, *, optional: tuple[str, ...] = ()) -> None:
    """Loads a checkpoint's tensors into a network.

    Args:
        network: what is filled.
        state: name → tensor.
        where: what to call the checkpoint in a message.
        optional: prefixes of names that may be missing or left over, such as ``regions.``.

    Raises:
        UserError: tensors that are missing, left over or of another shape, or that hold no numbers.
    """
    own = network.state_dict()
    missing = [k for k in own if k not in state and not k.startswith(optional)]
    extra = [k for k in state if k not in own and not k.startswith(optional)]
    shapes = [k for k in own if k in state and own[k].shape != state[k].shape]
    if missing or extra or shapes:
        first = (
            f"{shapes[0]} is {tuple(state[shapes[0]].shape)} there and {tuple(own[shapes[0]].shape)} here"
            if shapes
            else f"it lacks {missing[0]}"
            if missing
            else f"it holds {extra[0]}, which this network has no place for"
        )
        raise UserError(
            f"{where}: does not fit the network: {first} ({len(missing)} missing, {len(extra)} left over, "
            f"{len(shapes)} of another shape). Leave backbone, projection, weighting, "
            f"aggregation and head as the checkpoint has them."
        )
    broken = [k for k in own if k in state and state[k].is_floating_point() and not state[k].isfinite().all()]
    if broken:
        raise UserError(
            f"{where}: {broken[0]} holds values that are no numbers: the training that wrote it has diverged, or the "
            f"file is damaged; name another checkpoint."
        )
    network.load_state_dict({k: v for k, v in state.items() if k in own}, strict=False)
