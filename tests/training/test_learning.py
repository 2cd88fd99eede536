"""What learns: how long codes are, and networks in which nothing does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from networks import simplest
from torch import Tensor, nn

from deepret.config import compose
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.losses.norm_softmax import NormSoftmax
from deepret.losses.sum import Sum
from deepret.losses.triplet import Triplet
from deepret.models.backbone.base import Backbone
from deepret.models.backbone.rootsift import RootSIFT
from deepret.models.build import PARTS, build_network
from deepret.models.input.square import Square
from deepret.programs.shared import prepare
from deepret.training.announce import images_per_second
from deepret.training.learning import check_learns, class_ids, code_length, freeze, ranking_rates
from deepret.training.plan import plan
from deepret.training.ranking import Ranking
from deepret.training.references.batch import WholeBatch


def test_what_is_learned_has_its_own_rate() -> None:
    network = simplest(RootSIFT(), Square, size=64)
    classes, pairs = NormSoftmax(torch.arange(3), 5, rate=100.0), Triplet()
    for loss, wanted in (
        (classes, {classes: 50.0}),
        (pairs, {pairs: 0.5}),
        (Sum({"one": classes, "two": pairs}), {classes: 50.0, pairs: 0.5}),
    ):
        module = Ranking(network, loss, None, WholeBatch(), lambda _: (None, None), {})  # type: ignore[arg-type, return-value]
        rates = dict(ranking_rates(module, 0.5, 3.0))
        parts = {part: 1.5 if part is network.projection else 0.5 for part in network.children()}
        assert rates == {**parts, **wanted}


class OneSize(Backbone):
    """A fully connected layer on images of 64 × 64 pixels."""

    def extract(self, images: Tensor) -> Tensor:
        found: Tensor = self.body(images)
        return found[:, :, None, None]


def one_size() -> OneSize:
    body = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 5))
    return OneSize(body, (0.5,) * 3, (0.5,) * 3, True, None, native=64)


@pytest.mark.parametrize(
    ("backbone", "length"), [(RootSIFT(), 128), (RootSIFT(where="dense", colour=True), 224), (one_size(), 5)]
)
def test_codes_are_measured_without_parameters_and_at_the_one_size(backbone: nn.Module, length: int) -> None:
    made = simplest(backbone, Square, size=64).train()
    assert code_length(made) == length
    assert made.training


def test_what_does_not_learn_is_timed_too() -> None:
    assert images_per_second(simplest(RootSIFT(), Square, size=64), 64, "32-true") > 0
    still = simplest(one_size(), Square, size=64)
    still.requires_grad_(False)
    assert images_per_second(still, 64, "32-true") > 0


def test_classes_are_those_of_train_that_have_a_label() -> None:
    columns = {"sizes": [(8, 8)] * 5, "boxes": [[]] * 5, "views": [False] * 5}
    found = Catalogue(
        Path(), [*"abcde"], ["b", "a", "", "c", "b"], ["train", "val", "train", "train", "train"], **columns
    )
    assert class_ids(found).tolist() == [1, 2]


def composed(*words: str) -> dict[str, Any]:
    return prepare(compose("train", ["trainer=cpu", *words]))


@pytest.mark.parametrize(
    "words",
    [
        ("backbone=rootsift", "projection=shift_fc", "dim=16"),
        ("backbone=rootsift", "projection=none", "stages.ranking=0"),
        ("projection=none",),
    ],
)
def test_networks_that_learn_or_need_not_pass(words: tuple[str, ...]) -> None:
    check_learns(composed(*words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("projection=none",), r"no other part of this network learns.*eval.py.*stages.ranking=0"),
        (("projection=pca", "loss=classification"), "no other part of this network learns"),
        (("regions=rpn",), "learned on maps.*regions=whole"),
    ],
)
def test_local_features_alone_are_not_trained(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_learns(composed("backbone=rootsift", "dim=16", *words))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("words", "learning"),
    [
        ((), {"backbone", "projection", "weighting"}),
        (("stages.learns=[weighting]",), {"weighting"}),
        (("stages.learns=[weighting,projection]",), {"weighting", "projection"}),
    ],
)
def test_parts_that_are_not_named_are_frozen_and_stay_as_in_evaluation(
    words: tuple[str, ...], learning: set[str]
) -> None:
    config = composed("regions=attention", "backbone.freeze_batchnorm=false", *words)
    check_learns(config)
    network = build_network(config, weights=False)
    (stage,) = plan(config)
    freeze(network, stage, config)
    for name in PARTS:
        own = list(getattr(network, name).parameters())
        assert any(p.requires_grad for p in own) == (name in learning)
    assert network.training
    for _ in range(2):  # whoever sets the modes later
        modes = {module.training for module in network.backbone.modules()}
        assert modes == ({True} if "backbone" in learning else {False})
        assert network.weighting.training
        network.eval()
        network.train()
    maps = network.maps(torch.zeros(1, 3, 64, 64))
    assert maps.requires_grad == ("backbone" in learning)  # so that no backward pass is paid for


def test_proposals_stand_still_and_attention_learns_in_the_stages_that_rank() -> None:
    config = composed("regions=rpn", "weighting=attention", "stages.learns=[weighting]")
    check_learns(config)
    for stage in plan(config):
        network = build_network(config, weights=False, regions=config["first_regions"] if stage.first_regions else None)
        freeze(network, stage, config)
        learns = {name for name in PARTS if any(p.requires_grad for p in getattr(network, name).parameters())}
        assert learns == (
            {"weighting"} if stage.kind == "ranking" else {"backbone", "regions", "projection", "weighting"}
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("stages.learns=[wieghting]",),
            "stages.learns: the network has no part 'wieghting'; did you mean 'weighting'",
        ),
        (("stages.learns=[loss]",), "no part 'loss'"),
        (("stages.learns=[weighting]",), "nothing learns there in stage 1-ranking.*weighting=attention"),
        (("stages.learns=[]",), "nothing learns there"),
        (("regions=rpn", "stages.learns=[regions]", "stages.ranking=0"), "in stage 3-ranking"),
        (
            ("regions=rpn", "regions.joint=true", "weighting=attention", "stages.learns=[weighting]"),
            "regions.joint=true: .* does not name regions",
        ),
    ],
)
def test_names_of_which_nothing_could_come_are_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_learns(composed(*words))


def test_one_name_is_a_list_all_the_same() -> None:
    with pytest.raises(UserError, match=r"stages.learns='weighting': should be 'all' \(wanted: 'all' or list of str\)"):
        composed("stages.learns=weighting")
