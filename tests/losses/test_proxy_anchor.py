"""Proxy-Anchor, one proxy after the other."""

from __future__ import annotations

import pytest
import torch
from losses.twins import CLASSES, Batch, agrees, cosine, every_batch, trained
from torch import Tensor

from deepret.losses.proxy_anchor import ProxyAnchor


def slow(batch: Batch, proxies: Tensor, margin: float, alpha: float) -> Tensor:
    one = torch.ones((), dtype=torch.float64)
    near, far = 0 * one, 0 * one
    for name, proxy in zip(CLASSES.tolist(), proxies, strict=True):
        own, others = one, one
        for code, label in zip(batch.anchors, batch.labels.tolist(), strict=True):
            if label == name:
                own = own + torch.exp(-alpha * (cosine(code, proxy) - margin))
            else:
                others = others + torch.exp(alpha * (cosine(code, proxy) + margin))
        near, far = near + torch.log(own), far + torch.log(others)
    return near / len(set(batch.labels.tolist())) + far / len(CLASSES)


@every_batch
@pytest.mark.parametrize(("margin", "alpha"), [(0.1, 32.0), (0.3, 4.0)])
def test_agrees_with_loops(batch: Batch, margin: float, alpha: float) -> None:
    loss = trained(ProxyAnchor(CLASSES, 5, margin, alpha))
    [proxies] = loss.parameters()
    agrees(loss, lambda b: slow(b, proxies, margin, alpha), batch)
