"""What learns in a stage: the parts of the network and the loss, each at its own rate."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from deepret.data.catalogue import Catalogue
from deepret.errors import UserError, closest
from deepret.models.build import PARTS, build_network
from deepret.models.network import Network
from deepret.parts import build, locate
from deepret.training.plan import Stage, plan, proposes
from deepret.training.ranking import Ranking

Rates = list[tuple[nn.Module, float]]
"""Modules, each with its learning rate as a multiple of the optimiser's."""


def check_regions(config: dict[str, Any]) -> None:
    """Refuses regions that are learned, which need maps, of a backbone that gives local features.

    Raises:
        UserError: they are.
    """
    if _local(config) and proposes(config):
        raise UserError(
            "regions: these are learned on maps, and the backbone gives local features without any; take regions=whole."
        )


def _local(config: dict[str, Any]) -> bool:
    return bool(getattr(locate(config["backbone"]["_target_"]), "local", False))


def check_learns(config: dict[str, Any]) -> None:
    """Refuses stages of ranking in which nothing of the network would learn, where that is likely.

    Raises:
        UserError: a network of local features in which nothing learns, or regions that are to be learned beside them,
            which need maps; names in ``stages.learns`` that no part has, or parts in which nothing learns.
    """
    check_regions(config)
    names, chosen = learning_parts(config), config["stages"].get("learns", "all") != "all"
    for name in names:
        if name not in PARTS:
            raise UserError(f"stages.learns: the network has no part {name!r}; {closest(name, PARTS)}")
    if chosen and config["regions"].get("joint", False) and "regions" not in names:
        raise UserError(
            "regions.joint=true: the RPN is to learn on in the last stage, and stages.learns does not name regions; "
            "name them, or take regions.joint=false."
        )
    if not (_local(config) or chosen):
        return
    for stage in plan(config):
        if stage.kind != "ranking" or not stage.epochs:
            continue
        network = build_network(config, weights=False, regions=config["first_regions"] if stage.first_regions else None)
        freeze(network, stage, config)
        if any(parameter.requires_grad for parameter in network.parameters()):
            continue
        if chosen:
            raise UserError(
                f"stages.learns=[{','.join(names)}]: nothing learns there in stage {stage.name}: name parts that do, "
                f"such as [weighting] with weighting=attention, or take stages.learns=all."
            )
        raise UserError(
            "backbone: it gives local features, and no other part of this network learns either: score it as it is "
            "with eval.py, or keep what is fitted without any training: stages.ranking=0."
        )


def learning_parts(config: dict[str, Any]) -> tuple[str, ...]:
    """Names of the network's parts that may learn to rank."""
    names = config["stages"].get("learns", "all")
    return PARTS if names == "all" else tuple(names)


def loss_of(node: dict[str, Any], network: Network, catalogue: Catalogue) -> nn.Module:
    """A loss, told of the classes of the train split and of the length of the codes where it asks for them."""
    loss: nn.Module = build(node, class_ids=class_ids(catalogue), code_length=code_length(network))
    return loss


def class_ids(catalogue: Catalogue) -> Tensor:
    """The labels (C,) of the train split, ascending; no label is none of them."""
    train = torch.tensor([split == "train" for split in catalogue.splits], dtype=torch.bool)
    found: Tensor = torch.unique(catalogue.label_ids()[train])
    return found[found >= 0]


@torch.no_grad()
def code_length(network: Network, size: int = 224) -> int:
    """D of a network's codes, by that of a grey image of ``size`` × ``size`` pixels, or of the only ones it takes."""
    mode = network.training
    try:
        size = getattr(network.backbone, "only", None) or size
        grey = torch.full((1, 3, size, size), 128.0, device=network.input.mean.device)
        return int(network.eval()(grey).vectors.shape[1])
    finally:
        network.train(mode)


def freeze(network: Network, stage: Stage, config: dict[str, Any]) -> None:
    """Freezes what does not learn in a stage of ranking: parts that ``stages.learns`` leaves out, and proposals.

    These learn by a loss of their own, unless ``joint`` says so. What is frozen is as in evaluation, too.
    """
    if stage.kind != "ranking":
        return
    for name in set(PARTS) - set(learning_parts(config)):
        getattr(network, name).requires_grad_(False)
    proposed = proposes(config) and not stage.first_regions
    if proposed and not config["regions"].get("joint", False):
        network.regions.requires_grad_(False)
    network.train()


def ranking_rates(module: nn.Module, rate: float, projection_rate: float) -> Rates:
    """What learns to rank, part by part: the network's parts and the loss, or those that it is made of.

    Args:
        module: a ``Ranking``.
        rate: of all, as a multiple of the optimiser's; a part and a loss may have a rate of their own beside it.
        projection_rate: of the projection, as a multiple of that.
    """
    ranking = cast(Ranking, module)
    fast = {"projection": projection_rate}
    named = [(fast.get(name, getattr(part, "rate", 1.0)), part) for name, part in ranking.network.named_children()]
    parts = [(part, rate * own) for own, part in named]
    return [*parts, *((loss, rate * getattr(loss, "rate", 1.0)) for loss in losses_of(ranking.loss))]


def losses_of(loss: nn.Module) -> list[nn.Module]:
    """The losses that a loss is made of, by its ``parts``, however deep; itself where it has none."""
    parts = getattr(loss, "parts", None)
    if not isinstance(parts, nn.ModuleDict):
        return [loss]
    return [inner for part in parts.values() for inner in losses_of(part)]


def optimiser(config: dict[str, Any], rates: Rates, steps: int) -> tuple[torch.optim.Optimizer, Any]:
    """The configuration's optimiser over what may learn, and its schedule.

    Args:
        config: with ``optimizer`` and ``schedule``.
        rates: what learns, if it may, and how fast.
        steps: of the stage.
    """
    learning = [([p for p in part.parameters() if p.requires_grad], rate) for part, rate in rates]
    made = build(config["optimizer"], params=[{"params": found, "rate": rate} for found, rate in learning if found])
    for group in made.param_groups:  # here, so that an optimiser may have its learning rate from wherever it likes
        group["lr"] *= group.pop("rate", 1.0)
    return made, build(config["schedule"], optimizer=made, total_steps=max(steps, 1))
