"""Proxy-NCA, one image after the other."""

from __future__ import annotations

import pytest
import torch
from losses.twins import CLASSES, Batch, agrees, every_batch, mean, trained, whole
from torch import Tensor

from deepret.losses.proxy_nca import ProxyNCA


def slow(batch: Batch, proxies: Tensor, scale: float) -> Tensor:
    found = []
    for code, label in zip(batch.anchors, batch.labels.tolist(), strict=True):
        near = {
            name: torch.exp(-scale * (code / code.norm() - proxy / proxy.norm()).square().sum())
            for name, proxy in zip(CLASSES.tolist(), proxies, strict=True)
        }
        others = torch.stack([value for name, value in near.items() if name != label]).sum()
        found.append(-torch.log(near[label] / others))
    return mean(found)


@every_batch
@pytest.mark.parametrize("scale", [1.0, 9.0, 30.0])
def test_agrees_with_loops(batch: Batch, scale: float) -> None:
    loss = trained(ProxyNCA(CLASSES, 5, scale))
    [proxies] = loss.parameters()
    agrees(loss, lambda b: slow(b, proxies, scale), batch)


def test_one_class_has_nothing_to_be_told_from() -> None:
    loss, batch = trained(ProxyNCA(CLASSES[:1], 5)), whole(4)
    found = loss(*batch._replace(labels=CLASSES[[0, 0, 0, 0]]))
    found.backward()
    assert float(found.detach()) == 0


def test_a_code_far_from_all_proxies_has_a_gradient_in_float32() -> None:
    """Each exponential is zero in float32, and an image whose own is must not be left out."""
    loss, codes = ProxyNCA(CLASSES, 2, scale=100.0), torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss.weight.data = torch.tensor([[-1.0, 0.1], [-1, 0.2], [-1, 0.3], [-1, 0.4]])
    mask = torch.zeros(1, 1, dtype=torch.bool)
    loss(codes, codes, mask, mask, CLASSES[:1]).backward()
    assert codes.grad is not None
    assert codes.grad.abs().max() > 1
