from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from deepret.benchmarks.proposals import best_fixed_boxes, recall
from deepret.config import compose, resolve
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.models.build import build_network
from deepret.models.regions.rpn import RPN
from deepret.parts import build
from deepret.reports.command import called
from deepret.reports.proposal_recall import as_shares
from deepret.runs import checkpoint as checkpoints


def main(words: list[str]) -> None:
    print(json.dumps(called("deepret.reports.proposal_recall.proposal_recall", words, "checkpoint=best.ckpt")))


def checkpoint(path: Path, cache: Path, *, trained: bool = True, regions: str = "rpn") -> Path:
    """A checkpoint of a network with random weights, on miniature scenes."""
    torch.manual_seed(0)
    config = resolve(compose("train", ["debug=fast", f"regions={regions}", f"cache={cache}"]))
    network = build_network(config, weights=False)
    if isinstance(network.regions, RPN):
        network.regions.is_trained.fill_(trained)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    checkpoints.save({"deepret": checkpoints.header(config, "2-proposals", None), "state_dict": state}, path)
    return path


def test_tells_the_recall_of_proposals_and_of_fixed_boxes(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checkpoint(tmp_path / "best.ckpt", cache)
    main([f"checkpoint={path}", "boxes=5", "workers=0", "overlap=0.5"])
    *lines, last = capsys.readouterr().out.strip().splitlines()
    said = json.loads(last)
    assert set(said) == {"recall", "fixed", "boxes", "overlap", "split", "checkpoint"}
    assert said["boxes"] == 5
    assert [int(line.split()[0]) for line in lines[3:]] == [5, 8, 16, 32, 64, 128]

    catalogue: Catalogue = build(checkpoints.load(path)["deepret"]["config"]["data"], seed=0).load()
    fixed = best_fixed_boxes(as_shares(catalogue, "train"), 5, 0.5)
    test = as_shares(catalogue, "test")
    assert said["fixed"] == pytest.approx(recall([fixed] * len(test), test, 0.5), abs=1e-4)
    assert f"{len(test)} images of test with {sum(map(len, test))} boxes" in lines[0]
    assert 0 < said["recall"] <= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["checkpont=x"], "did you mean 'checkpoint'"),
        (["best.ckpt"], "write key=value"),
        ([], "checkpoint is missing"),
        (["checkpoint=x", "boxes=many"], "boxes='many'"),
        (["checkpoint=nowhere.ckpt"], "no such checkpoint"),
    ],
)
def test_says_what_is_wrong_with_its_words(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        main(words)


@pytest.mark.parametrize(("regions", "trained"), [("grid", True), ("rpn", False)])
def test_wants_a_trained_rpn(tmp_path: Path, cache: Path, regions: str, trained: bool) -> None:
    path = checkpoint(tmp_path / "best.ckpt", cache, trained=trained, regions=regions)
    with pytest.raises(UserError, match="no trained RPN"):
        main([f"checkpoint={path}", "workers=0"])
