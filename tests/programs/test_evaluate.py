from __future__ import annotations

from pathlib import Path

import pytest
import torch

FAST = ("debug=fast", "trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=0")


@pytest.mark.slow
def test_a_checkpoint_is_scored_on_other_data_and_another_machine(program, photos: Path, tmp_path: Path) -> None:
    """Trained on views, whose split is val, with a GPU; scored on a catalogue's test split on a CPU."""
    trained = program("train", *FAST, "data=views", f"data.root={photos}", "gallery=false")
    assert trained.code == 0, trained.err
    found = torch.load(trained.json["checkpoint"], weights_only=True)
    found["deepret"]["config"]["trainer"]["accelerator"] = "gpu"
    path = tmp_path / "gpu.ckpt"
    torch.save(found, path)
    scored = program("eval", f"checkpoint={path}", "data=catalogue", f"data.root={photos}", "accelerator=cpu")
    assert scored.code == 0, scored.err
    assert scored.json["benchmark"] == "split"
    assert scored.json["checkpoint"] == str(path)
    own = program("eval", f"checkpoint={path}")
    assert own.code == 0, own.err
    assert own.json["mAP"] == trained.json["mAP"]


def test_home_is_meant_by_a_tilde(program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    ended = program("eval", "checkpoint=~/x.ckpt")
    assert ended.code == 2
    assert str(tmp_path / "home" / "x.ckpt") in ended.err
