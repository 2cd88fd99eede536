from __future__ import annotations

import csv
import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from wandb_file import records

from deepret.benchmarks.holidays import Holidays
from deepret.data.loading import Batch
from deepret.training import learning, stages
from deepret.training.callbacks import Watch
from deepret.training.mining.pool import Pool
from deepret.training.ranking import Ranking

pytestmark = pytest.mark.slow

FAST = ("debug=fast", "trainer=cpu", "trainer.precision=32-true")


def test_all_stages_run_and_eval_gives_the_same_figure(program, tmp_path: Path) -> None:
    trained = program("train", *FAST, "regions=rpn", "gallery=true")
    assert trained.code == 0, trained.err
    told = trained.out.split("projection fitted")[0].splitlines()  # before any work
    assert [line.partition(":")[0] for line in told if line[:2] in ("1-", "2-", "3-")] == [
        "1-ranking",
        "2-proposals",
        "3-ranking",
    ]
    assert told[-1].startswith("in all ")
    result = trained.json
    assert 0 <= result["mAP"] <= 1
    assert result["benchmark"] == "split"
    assert list(result["stages"]) == ["before training", "1-ranking", "3-ranking"]
    run = Path(result["run"])
    for stage in ("1-ranking", "2-proposals", "3-ranking"):
        assert (run / stage / "best.ckpt").is_file()
        assert not (run / stage / "state.ckpt").exists()
    with Image.open(run / "pictures" / "before_after.png") as picture:
        assert picture.width > 200
    with (run / "metrics.csv").open() as file:
        names = {row["name"] for row in csv.DictReader(file)}
    wanted = {
        "loss",
        "active triplets",
        "distance of positives",
        "distance of negatives",
        "val mAP",
        "images/s",
        "memory GB",
    }
    assert wanted <= names
    assert {"log loss", "box loss", "proposal recall"} <= names

    for stage, figure in (("3-ranking", result["mAP"]), ("1-ranking", result["stages"]["1-ranking"])):
        scored = program("eval", f"checkpoint={run / stage / 'best.ckpt'}")
        assert scored.code == 0, scored.err
        assert scored.json["mAP"] == figure
    both = program(
        "eval", f"checkpoint={run / stage / 'best.ckpt'}", "benchmark=sop", "benchmark.root=x", "benchmark.ranking=file"
    )
    assert both.code == 2
    assert "benchmark.ranking=file: this file would be scored in place of checkpoint=" in both.err
    before = program("eval", "debug=fast")
    assert before.json["mAP"] == result["stages"]["before training"]
    small = program(
        "eval", f"checkpoint={run / '1-ranking' / 'best.ckpt'}", "dims=4", "data.split=val", "input.scales=[1.0,0.5]"
    )
    assert small.code == 0, small.err
    assert small.json["benchmark"] == "split (val)"


@pytest.mark.parametrize("count", [6, 9])
def test_a_benchmark_s_name_says_what_is_partial_and_only_whole_ones_have_published_figures_beside(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(Holidays, "count", count)
    monkeypatch.setattr(Holidays, "asked", 2)
    for name in ("100000", "100001", "100002", "100100", "100101", "100102"):
        path = tmp_path / "holidays" / "jpg" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((64, 48), 60).convert("RGB").save(path)
    words = ("benchmark=holidays", f"benchmark.root={tmp_path / 'holidays'}", "logger.wandb=offline", "regions=grid")
    ended = program("train", *FAST, *words)
    assert ended.code == 0, ended.err
    title = "holidays" if count == 6 else "holidays (partial: 6 of 9)"
    assert ended.json["benchmark"] == title
    rows = [line for line in ended.out.splitlines() if line.startswith(("before training ", "1-ranking "))]
    assert all(f" {title} " in line for line in rows)
    assert ("\npublished\n" in ended.out) == (count == 6)
    (file,) = Path(ended.json["run"]).glob("wandb/offline-run-*/*.wandb")
    summary = {
        "/".join(item.nested_key) or item.key: json.loads(item.value_json)
        for record in records(file)
        if record.HasField("summary")
        for item in record.summary.update
    }
    assert summary[f"{title}/mAP"] == pytest.approx(ended.json["mAP"], abs=1e-5)
    assert summary["benchmark"] == title


def test_faiss_finds_what_torch_finds(program) -> None:
    pytest.importorskip("faiss", reason="FAISS is not installed")
    trained = program("train", *FAST, "index=faiss")
    assert trained.code == 0, trained.err
    figures = trained.json
    for words in (["index=torch"], ["index=faiss"], [], ["index=torch", "dims=4"], ["index=faiss", "dims=4"]):
        scored = program("eval", f"checkpoint={figures['checkpoint']}", *words)
        assert scored.code == 0, scored.err
        if "dims=4" not in words:
            assert scored.json["mAP"] == figures["mAP"]
        elif words[0] == "index=torch":
            exact = scored.json["mAP"]
    assert scored.json["mAP"] == exact != figures["mAP"]


def test_an_untrained_rpn_is_not_scored(program) -> None:
    ended = program("eval", "debug=fast", "regions=rpn")
    assert ended.code == 2
    assert "untrained" in ended.err
    assert "regions=grid" in ended.err


COMPOSITIONS = [
    ("regions=whole", "mining=semi_hard", "optimizer=sgd", "schedule=constant"),
    ("mining=pool", "batch.images=9", "batch.images_per_class=3", "ema=0.5", "augmentation=none"),
    ("projection=pca", "head=none"),
    ("projection=none", "input=square"),
    ("loss=classification", "loss.smoothing=0.1", "projection=none"),
    ("loss=sum", "loss@loss.losses.first=arcface", "references=cross_batch", "references.start=1", "mining=hardest"),
    ("loss=listwise_ap", "backbone=resnet18", "backbone.pretrained=false"),
]


@pytest.mark.parametrize("words", COMPOSITIONS, ids=" ".join)
def test_compositions_train(program, words: tuple[str, ...]) -> None:
    ended = program("train", *FAST, *words)
    assert ended.code == 0, ended.err
    assert 0 <= ended.json["mAP"] <= 1
    larger = "warning: references.size=2,048: more than the" in ended.out + ended.err
    assert larger == ("references=cross_batch" in words)  # of the default memory and a set in miniature


def test_a_training_that_diverges_ends_and_names_the_rate(program) -> None:
    ended = program("train", *FAST, "optimizer=sgd", "optimizer.lr=1e20", "trainer.gradient_clip_val=null")
    assert ended.code == 2
    [message] = [line for line in ended.err.splitlines() if line.startswith("error:")]
    assert "1-ranking, step 2: the loss is no number" in message
    assert "a smaller optimizer.lr, or with trainer.gradient_clip_val=1;" in message


def test_codes_that_collapse_are_warned_of_once(program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch.__init__, "__defaults__", (2.0,))  # whatever the spread is, it is too little
    ended = program("train", *FAST, "benchmark=none")
    assert ended.code == 0, ended.err
    assert ended.out.count("warning: 1-ranking, step 1: all codes have nearly collapsed into one") == 1
    assert "step 2" not in ended.out


def test_each_stage_learns_at_its_own_rate(program, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []

    def watched(config: dict[str, Any], parts: learning.Rates, steps: int) -> Any:
        rates.append((sorted({rate for _, rate in parts}), steps))
        return learning.optimiser(config, parts, steps)

    monkeypatch.setattr(stages, "optimiser", watched)
    ended = program(
        "train",
        *FAST,
        "regions=rpn",
        "benchmark=none",
        "stages.refinement=2",
        "stages.refinement_rate=0.25",
        "stages.proposals_rate=7.0",
        "stages.projection_rate=3.0",
    )
    assert ended.code == 0, ended.err
    assert [r for r, _ in rates] == [[1.0, 3.0], [7.0], [0.25, 0.75]]
    assert [steps for _, steps in rates[::2]] == [2, 4]


def test_a_sweep_is_one_run_a_value(program, tmp_path: Path) -> None:
    ended = program("train", "-m", *FAST, "benchmark=none", "loss.margin=0.05,0.2", f"hydra.sweep.dir={tmp_path}/sweep")
    assert ended.code == 0, ended.err
    runs = [Path(json.loads(line)["run"]) for line in ended.out.splitlines() if line.startswith("{")]
    margins = [torch.load(r / "1-ranking" / "best.ckpt")["deepret"]["config"]["loss"]["margin"] for r in runs]
    assert margins == [0.05, 0.2]


def test_a_square_input_trains_on_squares(program, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = set()
    codes = Ranking.codes

    def watched(module: Ranking, batch: Batch) -> torch.Tensor:
        shapes.update(tuple(part.shape[1:]) for part in batch.parts)
        return codes(module, batch)

    monkeypatch.setattr(Ranking, "codes", watched)
    ended = program("train", *FAST, "projection=none", "input=square", "batch.size=96", "benchmark=none")
    assert ended.code == 0, ended.err
    assert shapes == {(3, 96, 96)}


def test_caps_hold_in_every_stage(program) -> None:
    ended = program(
        "train",
        *FAST,
        "regions=rpn",
        "stages.ranking=3",
        "stages.proposals=3",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=1",
    )
    assert ended.code == 0, ended.err
    with (Path(ended.json["run"]) / "metrics.csv").open() as file:
        steps = {(row["stage"], row["epoch"], row["step"]) for row in csv.DictReader(file) if row["name"] == "loss"}
    assert steps == {("1-ranking", "0", "0"), ("2-proposals", "0", "0"), ("3-ranking", "0", "0")}


def network_of(checkpoint: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(checkpoint, weights_only=True)["state_dict"]
    return found


def test_ranking_stages_of_no_epochs_pass_the_network_on(program) -> None:
    ended = program("train", *FAST, "regions=rpn", "stages.ranking=0", "stages.refinement=0")
    assert ended.code == 0, ended.err
    run = Path(ended.json["run"])
    assert ended.out.count("no epochs") == 2
    assert ended.json["stages"]["1-ranking"] == ended.json["stages"]["before training"]
    proposed, last = (network_of(run / stage / "best.ckpt") for stage in ("2-proposals", "3-ranking"))
    assert proposed["network.regions.is_trained"]
    assert all(torch.equal(last[key], proposed[key]) for key in proposed)
    for stage, figure in ended.json["stages"].items():
        if stage != "before training":
            assert program("eval", f"checkpoint={run / stage / 'best.ckpt'}").json["mAP"] == figure


def test_no_epoch_at_all_gives_the_network_that_was_begun_with(program) -> None:
    ended = program("train", *FAST, "trainer.max_epochs=0")
    assert ended.code == 0, ended.err
    assert ended.json["mAP"] == program("eval", "debug=fast").json["mAP"]


@pytest.mark.parametrize("word", ["stages.proposals=0", "trainer.max_epochs=0"])
def test_an_rpn_that_would_learn_nothing_is_refused_before_any_work(program, tmp_path: Path, word: str) -> None:
    ended = program("train", *FAST, "regions=rpn", word)
    assert ended.code == 2
    [message] = ended.err.splitlines()
    assert word in message
    assert "regions=grid" in message
    assert not (tmp_path / "outputs").exists()


def test_a_joint_rpn_learns_on_while_ranking_does(program) -> None:
    ended = program("train", *FAST, "regions=rpn", "regions.joint=true")
    assert ended.code == 0, ended.err
    run = Path(ended.json["run"])
    with (run / "metrics.csv").open() as file:
        assert any(row["name"] == "box loss" and row["stage"] == "3-ranking" for row in csv.DictReader(file))


@pytest.fixture
def detection(photos: Path) -> Path:
    """Photographs with boxes and without labels, as PASCAL VOC has them."""
    root = photos.parent / "VOCdevkit"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / "VOC2007" / folder).mkdir(parents=True)
    box = "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
    for i, path in enumerate(sorted(photos.glob("*/0.png"))):
        boxes = [(5 + i, 9, 40 + i, 60), (30, 1 + i, 72, 30)]
        objects = "".join(f"<object><bndbox>{box.format(*b)}</bndbox></object>" for b in boxes)
        (root / f"VOC2007/Annotations/{i:06d}.xml").write_text(f"<annotation>{objects}</annotation>")
        Image.open(path).save(root / f"VOC2007/JPEGImages/{i:06d}.jpg")
        with (root / f"VOC2007/ImageSets/Main/{'train' if i < 5 else 'val'}.txt").open("a") as file:
            file.write(f"{i:06d}\n")
    return root


@pytest.mark.filterwarnings("ignore:data=voc. .* has other counts than are published")
def test_an_rpn_alone_learns_on_boxes_without_labels(program, detection: Path) -> None:
    words = (*FAST, "data=voc", f"data.root={detection}", "regions=rpn", "stages.ranking=0", "stages.refinement=0")
    refused = program("train", *words)
    assert refused.code == 2
    assert "no photograph has a label" in refused.err
    assert "benchmark=none" in refused.err
    ended = program("train", *words, "benchmark=none")
    assert ended.code == 0, ended.err
    assert "images: 5 train, 2 val; 0 classes to train on" in ended.out
    run = Path(ended.json["run"])
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["stage"] for row in rows} == {"2-proposals"}
    assert {"log loss", "box loss", "proposal recall"} <= {row["name"] for row in rows}
    proposed, last = (network_of(run / stage / "best.ckpt") for stage in ("2-proposals", "3-ranking"))
    assert proposed["network.regions.is_trained"]
    assert all(torch.equal(last[key], proposed[key]) for key in proposed)
    ranked = program("train", *FAST, "data=voc", f"data.root={detection}", "regions=rpn", "benchmark=none")
    assert ranked.code == 2
    assert "there are 0 labelled classes in train" in ranked.err


@pytest.mark.filterwarnings("ignore:data=sfm120k. .* has other counts than are published")
def test_published_pairs_are_mined(program, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, cids = photos.parent / "sfm", []
    for i, path in enumerate(sorted(photos.glob("*/*.png"))):
        cids.append(f"{i:012x}")
        place = root / "ims" / cids[-1][-2:] / cids[-1][-4:-2] / cids[-1][-6:-4] / cids[-1]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    train = {"cids": cids[:20], "cluster": [i // 4 for i in range(20)], "qidxs": [0, 4, 8], "pidxs": [3, 5, 9]}
    val = {"cids": cids[20:], "cluster": [i // 4 for i in range(8)], "qidxs": [0], "pidxs": [1]}
    (root / "retrieval-SfM-120k.pkl").write_bytes(pickle.dumps({"train": train, "val": val}))
    mined, mine = [], Pool.mine
    monkeypatch.setattr(Pool, "mine", lambda *given: mined.append((given[4], mine(*given))) or mined[-1][1])
    words = ("mining=pool", "mining.margin=2.0", "mining.size=6", "mining.queries=2", "mining.one_a_class=true")
    ended = program("train", *FAST, "data=sfm120k", f"data.root={root}", "batch.images=6", *words)
    assert ended.code == 0, ended.err
    assert ended.json["benchmark"] == "split (val)"
    [(pairs, triplets)] = mined
    assert len(pairs) == 2
    assert {tuple(row) for row in triplets[:, :2].tolist()} == {tuple(row) for row in pairs.tolist()}


def test_own_photographs_without_boxes_train_the_rpn(program, photos: Path) -> None:
    words = ("data=catalogue", f"data.root={photos}", "regions=rpn")
    refused = program("train", *FAST, *words, "boxes=given")
    assert refused.code == 2
    assert "boxes=response" in refused.err
    assert not list(Path("outputs").glob("*/1-ranking"))  # it is known before anything has learned
    ended = program("train", *FAST, *words, "boxes=response", f"data.views={photos / 'thing0'}")
    assert ended.code == 0, ended.err
    assert (Path(ended.json["run"]) / "images.csv").is_file()


def test_views_alone_train_from_a_flat_folder(program, loose: Path) -> None:
    ended = program("train", *FAST, "data=views", f"data.root={loose}")
    assert ended.code == 0, ended.err
    assert ended.json["benchmark"] == "split (val)"
    assert Path(ended.json["checkpoint"]).is_file()


def test_the_same_seed_gives_the_same_weights(program) -> None:
    runs = [Path(program("train", *FAST, "stages.ranking=2").json["checkpoint"]) for _ in range(2)]
    first, second = (torch.load(path, weights_only=True)["state_dict"] for path in runs)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_without_a_benchmark_nothing_is_scored(program, photos: Path) -> None:
    ended = program("train", *FAST, "data=catalogue", f"data.root={photos}", "data.test_share=0", "benchmark=none")
    assert ended.code == 0, ended.err
    assert ended.json["mAP"] is None


def test_a_margin_that_is_met_everywhere_ends_a_stage_and_not_the_run(program, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, calls = Pool.mine, Counter[str]()

    def once(self: Pool, *args: Any) -> torch.Tensor:
        calls["mine"] += 1
        return mine(self, *args)[: None if calls["mine"] == 1 else 0]

    monkeypatch.setattr(Pool, "mine", once)
    words = ("regions=rpn", "mining=pool", "mining.margin=2.0", "stages.ranking=4", "stages.validate_every=3")
    ended = program("train", *FAST, *words, "batch.images=9", "batch.images_per_class=3")
    assert ended.code == 0, ended.err
    assert calls["mine"] == 3  # twice in the first stage, once in the last
    assert ended.out.count("no triplet with a loss: the stage ends") == 2
    assert ended.out.count("val mAP") == 2 + 1  # before the first step of each, and after the only epoch


def test_a_full_gpu_is_told_with_what_takes_less_of_it(program, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of …")

    monkeypatch.setattr("deepret.programs.train.trained", full)
    ended = program("train", *FAST)
    assert ended.code == 2
    assert "memory is full (CUDA out of memory): take batch.microbatch=1" in ended.err
    assert not list(Path("outputs").iterdir())
