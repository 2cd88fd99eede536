"""Heads that are fitted, through whole programs in miniature."""

from __future__ import annotations

import pytest
import torch

from deepret.training.callbacks import KeepBest

pytestmark = pytest.mark.slow

FAST = ("debug=fast", "trainer=cpu", "trainer.precision=32-true")
HEADS = {
    "pca": ("head=pca", "head.dim=8", "head.whitening=1"),
    "learned whitening": ("head=learned_whitening", "head.dim=8"),
    "power": ("head=power", "head.rotate=true"),
}


@pytest.mark.parametrize("words", HEADS.values(), ids=HEADS)
def test_a_head_is_fitted_and_scored(program, words: tuple[str, ...]) -> None:
    ended = program("eval", "debug=fast", "accelerator=cpu", "projection=none", *words)
    assert ended.code == 0, ended.err
    assert "head fitted on 24 images" in ended.out
    assert 0 < ended.json["mAP"] < 1


def test_dims_may_be_whitened(program) -> None:
    figures = []
    for words in (["dims=8"], ["dims=8", "dims_whitening=1.0"]):
        ended = program("eval", "debug=fast", "accelerator=cpu", "projection=none", *words)
        assert ended.code == 0, ended.err
        figures.append(ended.json["mAP"])
    assert figures[0] != figures[1]
    alone = program("eval", "debug=fast", "dims_whitening=0.5")
    assert alone.code == 2
    assert "dims_whitening=0.5: there is no PCA to whiten" in alone.err


@pytest.mark.parametrize("head", ["pca", "learned_whitening"])
def test_fewer_dimensions_of_a_head_in_order_are_its_first(program, head: str) -> None:
    words = ("eval", "debug=fast", "accelerator=cpu", "projection=none", f"head={head}")
    fewer, less = program(*words, "head.dim=8", "dims=4"), program(*words, "head.dim=4")
    assert fewer.code == less.code == 0, fewer.err + less.err
    assert fewer.json["mAP"] == pytest.approx(less.json["mAP"], abs=1e-6)
    assert program(*words, "head.dim=8").json["mAP"] != fewer.json["mAP"]
    for more, message in (("dims=9", "dims=9: the codes have 8 dimensions"), ("dims_whitening=1", "head.whitening")):
        refused = program(*words, "head.dim=8", "dims=4", more)
        assert refused.code == 2
        assert message in refused.err


@pytest.mark.parametrize("words", HEADS.values(), ids=HEADS)
def test_a_training_leaves_its_head_as_it_was_fitted_before(
    program, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeepBest, "on_train_start", lambda *_: None)  # what has learned is kept, better or not
    learned, untrained = program("train", *FAST, *words), program("train", *FAST, *words, "stages.ranking=0")
    assert learned.code == 0, learned.err
    states = [torch.load(ended.json["checkpoint"], weights_only=True)["state_dict"] for ended in (learned, untrained)]
    own = [name for name in states[0] if name.startswith("network.head.")]
    assert bool(states[0]["network.head.fitted"])
    assert all(torch.equal(states[0][name], states[1][name]) for name in own)
    assert not torch.equal(*(state["network.projection.rows"] for state in states))
    before = program("eval", "debug=fast", "accelerator=cpu", *words)
    assert before.json["mAP"] == learned.json["stages"]["before training"] == untrained.json["mAP"]
    again = program("eval", f"checkpoint={learned.json['checkpoint']}", "accelerator=cpu")
    assert again.json["mAP"] == learned.json["mAP"]
