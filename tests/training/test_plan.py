from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from deepret.config import compose, resolve
from deepret.errors import UserError
from deepret.models.pooling.gem import GeM
from deepret.training.learning import freeze, optimiser, ranking_rates
from deepret.training.plan import Stage, plan


def composed(*words: str) -> dict[str, Any]:
    return resolve(compose("train", ["trainer=cpu", *words]))


LENGTHS = ("stages.ranking=3", "stages.proposals=5", "stages.refinement=2", "stages.refinement_rate=0.25")


def test_proposals_take_three_stages_and_other_regions_one() -> None:
    assert plan(composed("regions=grid", *LENGTHS)) == [Stage("1-ranking", "ranking", 3, False, 1.0)]
    assert plan(composed("regions=rpn", *LENGTHS)) == [
        Stage("1-ranking", "ranking", 3, True, 1.0),
        Stage("2-proposals", "proposals", 5, False, 1.0),
        Stage("3-ranking", "ranking", 2, False, 0.25),
    ]


@pytest.mark.parametrize(("ranking", "found"), [(3, [1, 2]), (2, [0, 2]), (1, [0, 2])])
def test_what_refines_may_come_off_what_ranks(ranking: int, found: list[int]) -> None:
    words = (*LENGTHS, f"stages.ranking={ranking}", "stages.refinement_included=true")
    assert [s.epochs for s in plan(composed("regions=rpn", *words)) if s.kind == "ranking"] == found
    assert [s.epochs for s in plan(composed("regions=grid", *words))] == [ranking]


@pytest.mark.parametrize(("cap", "epochs"), [(1, [1, 1, 1]), (4, [3, 4, 2]), (-1, [3, 5, 2])])
def test_a_cap_holds_for_every_stage(cap: int, epochs: list[int]) -> None:
    assert [s.epochs for s in plan(composed("regions=rpn", *LENGTHS, f"trainer.max_epochs={cap}"))] == epochs


@pytest.mark.parametrize("word", ["stages.proposals=0", "trainer.max_epochs=0"])
def test_proposals_have_to_learn_something(word: str) -> None:
    with pytest.raises(UserError, match=word):
        plan(composed("regions=rpn", *LENGTHS, word))


class Parts(nn.Module):
    """What ``ranking_rates`` looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Module()
        for name in ("backbone", "regions", "projection"):
            self.network.add_module(name, nn.Linear(2, 2))
        self.network.pooling = GeM(2)
        self.loss = nn.Linear(2, 2)


def test_each_part_learns_at_its_own_rate() -> None:
    module, config = Parts(), composed("optimizer.lr=0.01", "schedule=constant")
    module.network.regions.requires_grad_(False)
    made, _ = optimiser(config, ranking_rates(module, 0.5, 4.0), 10)
    found = {id(p): group["lr"] for group in made.param_groups for p in group["params"]}
    for part, rate in ((module.network.backbone, 0.005), (module.network.projection, 0.02), (module.loss, 0.005)):
        assert [found[id(p)] for p in part.parameters()] == pytest.approx([rate] * 2)
    assert found[id(module.network.pooling.p)] == pytest.approx(0.05)
    assert not found.keys() & {id(p) for p in module.network.regions.parameters()}


def test_the_regions_of_the_first_stage_are_no_proposals() -> None:
    network = Parts().network
    freeze(network, Stage("1-ranking", "ranking", 1, True), composed("regions=rpn"))  # type: ignore[arg-type]
    assert all(p.requires_grad for p in network.regions.parameters())


@pytest.mark.parametrize(
    ("words", "learns"),
    [(("regions=rpn",), False), (("regions=rpn", "regions.joint=true"), True), (("regions=grid",), True)],
)
def test_only_proposals_stand_still_while_a_network_learns_to_rank(words: tuple[str, ...], learns: bool) -> None:
    network = Parts().network
    freeze(network, Stage("3-ranking", "ranking", 1, False), composed(*words))  # type: ignore[arg-type]
    assert all(p.requires_grad == learns for p in network.regions.parameters())
    assert all(p.requires_grad for p in network.backbone.parameters())
