from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from deepret.models.aggregation.sum import Sum
from deepret.models.head.l2 import L2
from deepret.models.input.longer import Longer
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.none import NoProjection
from deepret.models.regions.rpn import RPN
from deepret.models.regions.whole import Whole
from deepret.models.weighting.uniform import Uniform
from deepret.training.announce import Forecast, images_per_second, rpn_step_seconds, total_forecast


def network() -> Network:
    backbone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5))
    return Network(Longer([0.0] * 3, [1.0] * 3), backbone, Whole(), Max(), NoProjection(8), Uniform(), Sum(), L2())


def test_measuring_the_speed_changes_nothing() -> None:
    """The noise is in no statistic, no gradient and no random number that follows."""
    torch.manual_seed(0)
    made = network().eval()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    state = torch.get_rng_state()
    assert images_per_second(made, 32, "32-true") > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    assert not any(module.training for module in made.modules())
    assert all(parameter.grad is None for parameter in made.parameters())


def test_a_map_counts_a_third_of_a_training_image() -> None:
    assert total_forecast(5400, 1800.0, 10.0, 0.0) == "in all about 10 min, with what is described for scores"


def test_the_steps_of_the_proposals_count() -> None:
    assert total_forecast(5400, 1800.0, 10.0, 120.0) == "in all about 12 min, with what is described for scores"
    assert total_forecast(5400, 1800.0, 1000.0, 6.0) == "in all under a minute, with what is described for scores"


def test_measuring_a_step_of_the_proposals_draws_no_number() -> None:
    rpn = RPN(channels=8)
    state = torch.get_rng_state()
    assert 0 < rpn_step_seconds(rpn, 8, 6, torch.device("cpu")) < 10
    assert torch.equal(torch.get_rng_state(), state)


def test_photographs_described_for_scores_count() -> None:
    """Val before the first epoch and after every second one, what is scored at the end once a stage."""
    splits = ["train"] * 9 + ["val"] * 5 + ["test"] * 3 + ["distractor"] * 2
    forecast = SimpleNamespace(catalogue=SimpleNamespace(splits=splits), stages=SimpleNamespace(validate_every=2))
    assert Forecast.described(forecast, [4, 1]) == 5 * ((1 + 2) + (1 + 1)) + 2 * (3 + 2)  # type: ignore[arg-type]
