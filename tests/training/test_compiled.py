from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from deepret.errors import UserError
from deepret.training.compiled import check_backend, compile_training


@pytest.mark.slow
def test_the_same_network_compiled_in_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    torch.manual_seed(0)
    network, images = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), torch.rand(2, 3, 8, 8)
    names = list(network.state_dict())
    network(images).sum().backward()
    before = [p.grad.clone() for p in network.parameters() if p.grad is not None]
    network.zero_grad()
    compile_training(network, backend)  # type: ignore[arg-type]
    network.eval()(images)
    assert compiled == []
    network.train()(images).sum().backward()
    assert len(compiled) == 1
    for parameter, gradient in zip(network.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    for width in range(9, 20):  # more shapes than torch compiles if it is left alone
        for count in (2, 5, 3):
            network(torch.rand(count, 3, 8, width))
    assert len(compiled) == 12  # each by itself, of however many images
    network.train()(images)
    assert len(compiled) == 12
    assert list(network.state_dict()) == names


def test_a_backend_that_torch_has_not_is_named() -> None:
    check_backend(None)
    check_backend("eager")
    with pytest.raises(UserError, match="compile=indctor: torch has no such backend; did you mean 'inductor'"):
        check_backend("indctor")


def test_inductor_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == "none++" else name)
    check_backend("inductor")
    monkeypatch.setenv("CXX", "none++ -O3")
    check_backend("eager")
    with pytest.raises(UserError, match=r"compile=inductor: it needs the C\+\+ compiler none\+\+"):
        check_backend("inductor")
