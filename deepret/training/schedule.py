"""How the learning rate goes over a stage."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch.optim.lr_scheduler import LambdaLR

Share = Annotated[float, Field(ge=0, le=1)]


def cosine(optimizer: torch.optim.Optimizer, total_steps: int, warm_up: Share = 0.1, floor: Share = 0.05) -> LambdaLR:
    """Rises to the full rate in a line, then falls along half a cosine.

    With u the first ``warm_up`` of the steps: (t + 1) / u for t < u, then f + (1 − f) ½ (1 + cos(π (t − u) / (T − u))).

    Args:
        optimizer: whose rate it is.
        total_steps: T, the steps of the stage.
        warm_up: share of the steps in which the rate rises.
        floor: f, the share of the rate that it ends at.

    Paper: Loshchilov and Hutter, SGDR, ICLR 2017, equation 5, without restarts.
    """
    rise = round(warm_up * total_steps)

    def factor(t: int) -> float:
        if t < rise:
            return (t + 1) / rise
        done = min((t - rise) / max(total_steps - rise, 1), 1.0)
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimizer, factor)


def constant(optimizer: torch.optim.Optimizer, total_steps: int, warm_up: Share = 0.0) -> LambdaLR:
    """The full rate throughout, after a rise in a line over the first ``warm_up`` of the steps."""
    rise = round(warm_up * total_steps)
    return LambdaLR(optimizer, lambda t: (t + 1) / rise if t < rise else 1.0)
