"""Training on batches whose activations do not fit into memory: multi-stage back-propagation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Describe = Callable[[Tensor], Tensor]
"""Images (b, 3, h, w) → codes (m, D)."""


def recomputed(describe: Describe, batches: Sequence[Tensor], parameters: Sequence[nn.Parameter]) -> Tensor:
    """Codes (n, D) of images, with their gradient, of which one micro-batch's activations are in memory at a time.

    The codes f(x) are computed without a graph. When the loss has said ∂L/∂f, each micro-batch is described again, now
    with its graph, and Σ ∂L/∂f · ∂f/∂θ is added up: the gradient of the whole batch, for one more forward pass. Both
    passes see the same random numbers and the same autocast.

    Args:
        describe: with ``parameters``; what it makes of an image may depend on no other image.
        batches: micro-batches (b, 3, h, w), each of one shape.
        parameters: whatever of ``describe`` learns.

    Papers: Revaud, Almazán, Rezende, de Souza, "Learning with average precision", ICCV 2019; Gao, Zhang, Han, Callan,
    "Scaling deep contrastive learning batch size under memory limited setup", RepL4NLP 2021.
    """
    codes: Tensor = _Recomputed.apply(describe, batches, *parameters)
    return codes


class _Recomputed(torch.autograd.Function):
    """The parameters are inputs of its own, so that each gets its gradient once, which is when ranks share it."""

    @staticmethod
    def forward(ctx: Any, describe: Describe, batches: Sequence[Tensor], *parameters: Tensor) -> Tensor:
        device = batches[0].device.type
        ctx.describe, ctx.batches, ctx.parameters = describe, batches, parameters
        # No cache: what autocast keeps of weights without a graph would be taken in place of those with one.
        ctx.autocast = {
            "device_type": device,
            "dtype": torch.get_autocast_dtype(device),
            "enabled": torch.is_autocast_enabled(device),
            "cache_enabled": False,
        }
        ctx.random = []
        codes = []
        for images in batches:
            ctx.random.append(_random_state(images.device))
            with torch.autocast(**ctx.autocast):
                codes.append(describe(images))
        ctx.counts = [len(rows) for rows in codes]
        return torch.cat(codes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        totals: list[Tensor | None] = [None] * len(ctx.parameters)
        shares = torch.split(gradients[0], ctx.counts)
        device = ctx.batches[0].device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            for images, share, state in zip(ctx.batches, shares, ctx.random, strict=True):
                _set_random_state(device, state)
                with torch.enable_grad(), torch.autocast(**ctx.autocast):
                    codes = ctx.describe(images)
                found = torch.autograd.grad(codes, ctx.parameters, share, allow_unused=True)
                for i, part in enumerate(found):
                    if part is not None:
                        totals[i] = part if totals[i] is None else totals[i] + part
                del codes, found, part  # what the next micro-batch needs
        return None, None, *totals


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(device: torch.device, state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
