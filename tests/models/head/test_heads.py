"""The L2 head, and none."""

from __future__ import annotations

import torch

from deepret.models.head.l2 import L2
from deepret.models.head.none import NoHead
from deepret.models.types import Codes


def test_l2_scales_codes_to_length_one() -> None:
    codes = L2()(Codes(torch.tensor([[3.0, -4.0], [0.0, 0.0]]), torch.tensor([0, 1])))
    assert torch.allclose(codes.vectors, torch.tensor([[0.6, -0.8], [0.0, 0.0]]))
    assert codes.image.tolist() == [0, 1]


def test_no_head_hands_codes_on() -> None:
    codes = Codes(torch.ones(1, 2), torch.tensor([0]))
    assert NoHead()(codes) is codes
