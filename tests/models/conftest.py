"""What the tests of the network's parts share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from deepret.models.backbone.lite0 import Lite0


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Small tensors are slower on several threads than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def lite0() -> Lite0:
    """The packaged network, in evaluation mode; it is shared, so leave it as it is."""
    backbone = Lite0()
    backbone.eval()
    return backbone
