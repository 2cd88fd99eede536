"""Faster R-CNN from training to its figures, and its RPN in a search, in miniature."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from deepret.errors import UserError
from deepret.reports.detection import detection

FAST = ("debug=fast", "trainer=cpu")


@pytest.mark.slow
def test_a_detector_is_trained_scored_and_its_rpn_handed_on(program) -> None:
    short = ("stages.ranking=0", "stages.refinement=0", "stages.detection=2")
    ended = program("train", "experiment=faster_rcnn", *FAST, *short)
    assert ended.code == 0, ended.err
    assert "4-detection: a detector learns" in ended.out
    assert "average precision" in ended.out
    checkpoint = ended.json["checkpoint"]
    found = detection(checkpoint, timed=1, workers=0)
    assert 0 <= found["mAP"] <= found["mAP@0.5"] <= 1
    assert {*found["seconds"]} == {"R-CNN", "Fast R-CNN", "Faster R-CNN"}
    with Image.open(Path(checkpoint).parent / "detections.png") as picture:
        assert picture.width > 200
    ended = program("train", *FAST, "regions=rpn", f"regions.weights={checkpoint}")
    assert ended.code == 0, ended.err
    assert [*ended.json["stages"]] == ["before training", "1-ranking"]
    scored = program("eval", f"checkpoint={ended.json['checkpoint']}", "accelerator=cpu", "workers=0")
    assert scored.json["mAP"] == pytest.approx(ended.json["mAP"], abs=1e-4)
    with pytest.raises(UserError, match="it has no detector: name RUN/4-detection"):
        detection(ended.json["checkpoint"])


def test_a_detector_without_proposals_is_refused(program) -> None:
    ended = program("train", "experiment=faster_rcnn", *FAST, "regions=grid")
    assert ended.code == 2
    assert "error: stages.detection=" in ended.err
    assert "take regions=rpn" in ended.err
