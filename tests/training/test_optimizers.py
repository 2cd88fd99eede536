from __future__ import annotations

import torch
from torch import nn

from deepret.training.optimizers import adamw, groups, sgd


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def test_kernels_and_matrices_decay_and_vectors_do_not() -> None:
    model = network()
    decaying, rest = groups(model.parameters(), 0.3)
    names = {id(p): name for name, p in model.named_parameters()}
    assert sorted(names[id(p)] for p in decaying["params"]) == ["0.weight", "3.weight"]
    assert sorted(names[id(p)] for p in rest["params"]) == ["0.bias", "1.bias", "1.weight", "3.bias"]
    assert (decaying["weight_decay"], rest["weight_decay"]) == (0.3, 0.0)


def test_a_group_without_parameters_is_left_out() -> None:
    assert len(groups([nn.Parameter(torch.zeros(2, 2))], 0.1)) == 1


def test_the_recipes() -> None:
    for made, wanted in (
        (adamw(network().parameters()), {"lr": 1e-4, "betas": (0.9, 0.999), "weight_decay": 1e-4}),
        (sgd(network().parameters()), {"lr": 1e-3, "momentum": 0.9, "weight_decay": 5e-5}),
    ):
        assert {key: made.param_groups[0][key] for key in wanted} == wanted
        assert made.param_groups[1]["weight_decay"] == 0


def test_two_steps_of_sgd_by_hand() -> None:
    """v ← μ v + (g + λ w), w ← w − η v; a vector has no λ."""
    parameters = [nn.Parameter(torch.tensor([[2.0]])), nn.Parameter(torch.tensor([2.0]))]
    optimizer = sgd(parameters, lr=0.1, weight_decay=0.5, momentum=0.9)
    expected, speed = [2.0, 2.0], [0.0, 0.0]
    for gradient in (1.0, -3.0):
        for p in parameters:
            p.grad = torch.full_like(p, gradient)
        optimizer.step()
        for i, decay in enumerate((0.5, 0.0)):
            speed[i] = 0.9 * speed[i] + gradient + decay * expected[i]
            expected[i] -= 0.1 * speed[i]
    torch.testing.assert_close(torch.stack([p.detach().flatten()[0] for p in parameters]), torch.tensor(expected))


def test_groups_with_rates_of_their_own_keep_them() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
    made = adamw([{"params": first.parameters(), "lr": 0.5}, {"params": second.parameters()}], lr=0.1)
    assert [(len(g["params"]), g["lr"], g["weight_decay"]) for g in made.param_groups] == [
        (1, 0.5, 1e-4),
        (1, 0.5, 0.0),
        (1, 0.1, 1e-4),
    ]
