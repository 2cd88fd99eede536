"""Optimisers with their ranges; the arithmetic is torch's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import nn

Momentum = Annotated[float, Field(ge=0, lt=1)]


Parameters = Iterable[nn.Parameter] | Iterable[dict[str, Any]]
"""What torch's own optimisers take: parameters, or groups of them, each with settings of its own."""


def groups(params: Parameters, weight_decay: float) -> list[dict[str, Any]]:
    """Splits each group in two: matrices and kernels decay, vectors (biases, scales of norms, shifts) do not."""
    found = []
    for group in _grouped(params):
        kept = list(group["params"])
        found += [
            {**group, "params": [p for p in kept if p.ndim > 1], "weight_decay": weight_decay},
            {**group, "params": [p for p in kept if p.ndim <= 1], "weight_decay": 0.0},
        ]
    return [group for group in found if group["params"]]


def _grouped(params: Parameters) -> list[dict[str, Any]]:
    kept: list[Any] = list(params)
    return kept if kept and isinstance(kept[0], dict) else [{"params": kept}]


def adamw(
    params: Parameters,
    lr: PositiveFloat = 1e-4,
    weight_decay: NonNegativeFloat = 1e-4,
    beta1: Momentum = 0.9,
    beta2: Momentum = 0.999,
) -> torch.optim.AdamW:
    """AdamW (Loshchilov, Hutter, ICLR 2019)."""
    return torch.optim.AdamW(groups(params, weight_decay), lr=lr, betas=(beta1, beta2))


def sgd(
    params: Parameters,
    lr: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 5e-5,
    momentum: Momentum = 0.9,
) -> torch.optim.SGD:
    """Stochastic gradient descent with momentum, by default with the figures of Deep Image Retrieval."""
    return torch.optim.SGD(groups(params, weight_decay), lr=lr, momentum=momentum)
