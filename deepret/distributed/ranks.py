"""What several processes share of one batch."""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world() -> int:
    """The number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def machines() -> int:
    """The number of machines that they are on."""
    return world() // int(os.environ.get("LOCAL_WORLD_SIZE", world())) if world() > 1 else 1


def rank() -> int:
    """This process' number among them."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


class _Gather(torch.autograd.Function):
    """Rows of all ranks; backward adds up what every rank's loss says of this rank's rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rows = len(rows)
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        start = dist.get_rank() * ctx.rows
        return total[start : start + ctx.rows]


def gather(rows: Tensor) -> Tensor:
    """Rows (n, …) of each rank → rows (world · n, …) of all, in the order of the ranks, with their gradient.

    Each rank computes the loss L of the whole batch; backward sums ∂L/∂row over the ranks, which is world · ∂L/∂row,
    and the division by the world that averages gradients across ranks makes that the gradient of one process exactly.

    Args:
        rows: as many on each rank.
    """
    if world() == 1:
        return rows
    if not rows.requires_grad:
        parts = [torch.empty_like(rows) for _ in range(world())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)
    found: Tensor = _Gather.apply(rows)
    return found
