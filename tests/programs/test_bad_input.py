"""Every mistake of a user: one message that names the value, its place and its mend; code 2, no traceback."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from PIL import Image

from deepret.runs.checkpoint import FORMAT

pytestmark = pytest.mark.slow

FAST = ["debug=fast", "trainer=cpu", "trainer.precision=32-true"]


def photo(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise(size, 60).convert("RGB").save(path)
    return path


def listed(root: Path, *lines: str, header: str = "path,label,split", files: bool = True) -> list[str]:
    for line in lines:
        if files:
            photo(root / line.split(",")[0])
    root.mkdir(exist_ok=True)
    (root / "images.csv").write_text("\n".join([header, *lines]) + "\n")
    return ["data=catalogue", f"data.root={root}"]


GOOD = [
    f"{c}{i}.png,{c},{s}"
    for c, s in (("a", "train"), ("b", "train"), ("c", "train"), ("d", "train"), ("e", "test"))
    for i in range(3)
]


def loose(root: Path) -> Path:
    """A flat folder of photographs without labels."""
    for i in range(12):
        photo(root / f"{i}.png")
    return root


def checkpoint(path: Path, content: object) -> list[str]:
    torch.save(content, path)
    return [f"checkpoint={path}"]


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def unreachable(*args: object, **kwargs: object) -> None:
    raise URLError("no network in tests")


Case = tuple[str, Callable[[Path], list[str]], list[str]]
CASES: dict[str, Case] = {
    "unknown option": ("train", lambda t: ["loss=tripelt"], ["loss=tripelt", "triplet"]),
    "unknown value": ("train", lambda t: ["loss.reduction=most"], ["loss.reduction='most'", "'active'"]),
    "margin no number": ("train", lambda t: ["loss.margin=wide"], ["loss.margin='wide'", "number"]),
    "two profilers": (
        "train",
        lambda t: ["profile=true", "+trainer.profiler=simple"],
        ["trainer.profiler", "profile=true brings its own"],
    ),
    "unknown flag": ("train", lambda t: ["--fast"], ["--fast", "key=value"]),
    "no data folder": (
        "train",
        lambda t: ["data=catalogue", f"data.root={t / 'nowhere'}"],
        ["nowhere", "no such folder"],
    ),
    "empty folder": (
        "train",
        lambda t: ["data=catalogue", f"data.root={(t / 'empty').mkdir() or t / 'empty'}"],
        ["empty", "no photograph"],
    ),
    "missing files": (
        "train",
        lambda t: listed(t / "p", "a.png,x,train", files=False),
        ["images.csv", "missing", "a.png"],
    ),
    "duplicate paths": ("train", lambda t: listed(t / "p", *GOOD, GOOD[0]), ["images.csv:17", "a0.png", "line 2"]),
    "empty label": ("train", lambda t: listed(t / "p", "a.png,,train"), ["images.csv:2", "label", "data.views"]),
    "all classes single": ("train", lambda t: listed(t / "p", "a.png,x,train", "b.png,y,train"), ["two images", "'x'"]),
    "wrong column": (
        "train",
        lambda t: listed(t / "p", "a.png,x,train", header="path,lable,split"),
        ["lable", "'label'"],
    ),
    "missing column": ("train", lambda t: listed(t / "p", "a.png,x", header="path,label"), ["'split'", "missing"]),
    "unknown split": ("train", lambda t: listed(t / "p", "a.png,x,trian"), ["images.csv:2", "trian"]),
    "box outside": (
        "train",
        lambda t: listed(
            t / "p", "a.png,x,train,0,0,99,10", "b.png,x,train,,,,", header="path,label,split,x0,y0,x1,y1"
        ),
        ["images.csv:2", "99", "64 × 48"],
    ),
    "no test classes": (
        "eval",
        lambda t: [*listed(t / "p", *GOOD[:12]), "projection=none"],
        ["test", "images.csv"],
    ),
    "no test classes to train for": ("train", lambda t: listed(t / "p", *GOOD[:12]), ["split=test", "benchmark=none"]),
    "strict and broken": (
        "train",
        lambda t: [*listed(t / "p", *GOOD), "data.strict=true", f"name={written(t / 'p' / 'a0.png', b'').stem}"],
        ["a0.png", "empty"],
    ),
    "no checkpoint": ("eval", lambda t: ["checkpoint=nowhere.ckpt"], ["nowhere.ckpt", "no such checkpoint"]),
    "unreadable checkpoint": (
        "eval",
        lambda t: [f"checkpoint={written(t / 'x.ckpt', b'no')}"],
        ["x.ckpt", "no checkpoint that can be read"],
    ),
    "foreign checkpoint": (
        "eval",
        lambda t: checkpoint(t / "x.ckpt", {"state_dict": {}}),
        ["x.ckpt", "not written by deepret", "backbone.weights"],
    ),
    "older checkpoint": (
        "eval",
        lambda t: checkpoint(
            t / "x.ckpt", {"deepret": {"format": 0, "version": "0.0.1", "config": {}}, "state_dict": {}}
        ),
        ["format is 0", "0.0.1"],
    ),
    "weights that do not fit": (
        "train",
        lambda t: [f"backbone.weights={checkpoint(t / 'w.pth', {'conv.weight': torch.zeros(2)})[0].partition('=')[2]}"],
        ["w.pth", "conv.weight"],
    ),
    "weights from the network": (
        "train",
        lambda t: ["backbone=resnet18", "backbone.pretrained=true"],
        ["backbone.weights"],
    ),
    "resume nowhere": ("train", lambda t: [f"resume={t / 'nowhere'}"], ["nowhere", "no run"]),
    "resume last of nothing": ("train", lambda t: ["resume=last"], ["resume=last", "no unfinished run"]),
    "batch that does not divide": (
        "train",
        lambda t: ["batch.images=9"],
        ["batch.images=9", "batch.images_per_class=2"],
    ),
    "too few classes": ("train", lambda t: ["batch.images=64"], ["batch.images=64", "6"]),
    "dims": ("eval", lambda t: ["dims=400"], ["dims=400", "16"]),
    "projection too large": ("train", lambda t: ["projection.dim=4000"], ["projection.dim=4000", "1280"]),
    "unknown mapping": ("train", lambda t: ["+los.margin=0.2"], ["los", "'loss'"]),
    "unknown mapping in eval": ("eval", lambda t: ["+stags.fit_images=3"], ["stags", "'stages'"]),
    "unknown key of eval's stages": ("eval", lambda t: ["+stages.fitimages=3"], ["stages.fitimages", "'fit_images'"]),
    "images to fit on": ("eval", lambda t: ["stages.fit_images=abc"], ["stages.fit_images='abc'", "int"]),
    "unknown device in eval": ("eval", lambda t: ["accelerator=foo"], ["accelerator='foo'", "'cpu'"]),
    "option null": ("train", lambda t: ["loss=null"], ["loss=null", "triplet"]),
    "no head": ("train", lambda t: ["~head"], ["head is missing", "head=l2"]),
    "no index": ("train", lambda t: ["~index"], ["index is missing", "index=torch"]),
    "no index in eval": ("eval", lambda t: ["~index"], ["index is missing", "index=torch"]),
    "no loss": ("train", lambda t: ["~loss"], ["loss is missing", "loss=triplet"]),
    "a weight of no loss": (
        "train",
        lambda t: ["loss=sum", "+loss.weights.thrd=1"],
        ["loss.weights.thrd", "there are: first, second"],
    ),
    "no seed": ("train", lambda t: ["~seed"], ["seed is missing"]),
    "empty configuration": (
        "eval",
        lambda t: checkpoint(
            t / "x.ckpt", {"deepret": {"format": FORMAT, "version": "0.1.0", "config": {}}, "state_dict": {}}
        ),
        ["x.ckpt", "configuration has no 'input'"],
    ),
    "infinite margin": ("train", lambda t: ["loss.margin=inf"], ["loss.margin=inf", "finite"]),
    "margin nan": ("train", lambda t: ["loss.margin=nan"], ["loss.margin=nan", "finite"]),
    "infinite rate": ("train", lambda t: ["optimizer.lr=inf"], ["optimizer.lr=inf", "finite"]),
    "infinite scale": ("eval", lambda t: ["input.scales=[1.0,inf]"], ["input.scales", "finite"]),
    "unknown strategy": ("train", lambda t: ["trainer.strategy=dpd"], ["trainer.strategy='dpd'", "'ddp'"]),
    "unknown accelerator": ("train", lambda t: ["trainer.accelerator=cpy"], ["trainer.accelerator='cpy'", "'cpu'"]),
    "devices of no kind": ("train", lambda t: ["trainer.devices=abc"], ["trainer.devices=abc", "auto"]),
    "one device by its number": ("train", lambda t: ["trainer.devices=[1]"], ["devices=[1]", "CUDA_VISIBLE_DEVICES"]),
    "seed beyond 32 bits": ("train", lambda t: ["seed=4294967296"], ["seed=4294967296", "4294967296"]),
    "name with a folder": ("train", lambda t: ["name=a/b"], ["name='a/b'", "pattern"]),
    "resume that is no path": ("train", lambda t: ["resume=5"], ["resume=5", "str"]),
    "target that is a number": ("train", lambda t: ["loss._target_=5"], ["_target_: 5"]),
    "target that is a package": ("train", lambda t: ["loss._target_=deepret.losses"], ["deepret.losses", "no class"]),
    "views that nothing is mined from": (
        "train",
        lambda t: ["mining=pool", f"data.views={loose(t / 'views')}"],
        ["mining=pool", "data.views", "mining=all"],
    ),
    "given by the program": (
        "train",
        lambda t: ["+projection.channels=64"],
        ["projection.channels", "dim, normalise, whitening"],
    ),
    "a trainer in eval": ("eval", lambda t: ["trainer=cpu"], ["trainer=cpu", "accelerator=cpu"]),
    "a loss in eval": ("eval", lambda t: ["loss=triplet"], ["loss=triplet", "a setting of train"]),
    "a setting of another option": ("train", lambda t: ["data.root=photos"], ["data.root=photos", "data=catalogue"]),
    "a plus too many": ("train", lambda t: ["+loss.margin=0.2"], ["+loss.margin=0.2", "leave the + out"]),
    "a setting before its option": (
        "train",
        lambda t: ["data.root=photos", "data=catalogue", "loss.margn=1"],
        ["loss.margn", "'loss.margin'"],
    ),
    "proposals' setting of the grid": ("train", lambda t: ["regions=grid", "regions.nms=0.5"], ["regions=rpn"]),
    "checkpoint is a folder": (
        "eval",
        lambda t: [f"checkpoint={photo(t / 'run' / '1-ranking' / 'best.ckpt.png').parent}"],
        ["folder", "no best.ckpt"],
    ),
    "a model of several maps": (
        "train",
        lambda t: ["backbone=timm", "backbone.name=crossvit_tiny_240", "backbone.pretrained=false"],
        ["backbone.name=crossvit_tiny_240", "several maps"],
    ),
    "an unknown layer": (
        "eval",
        lambda t: ["backbone=alexnet", "backbone.pretrained=false", "backbone.layer=clasifier.2"],
        ["backbone.layer=clasifier.2", "'classifier.2'"],
    ),
    "an unknown layer of the packaged network": (
        "eval",
        lambda t: ["backbone.layer=fc6"],
        ["backbone.layer='fc6'", "'block' or 'pooled' or 'logits'"],
    ),
    "local features that learn nothing": (
        "train",
        lambda t: ["backbone=rootsift", "projection=none"],
        ["local features", "no other part of this network learns", "eval.py"],
    ),
    "proposals over local features": (
        "train",
        lambda t: ["backbone=rootsift", "regions=rpn"],
        ["regions", "local features", "regions=whole"],
    ),
    "proposals over local features, scored": (
        "eval",
        lambda t: ["backbone=rootsift", "regions=rpn"],
        ["regions", "local features", "regions=whole"],
    ),
    "nothing to learn a codebook from": (
        "eval",
        lambda t: ["experiment=vlad_sift", "backbone.contrast=0.9"],
        ["fitting the aggregation", "no key point", "backbone.where=dense"],
    ),
    "photographs without a local feature": (
        "eval",
        lambda t: ["backbone=rootsift", "projection=none", "backbone.contrast=0.9"],
        ["no key point", "backbone.where=dense", "backbone.contrast"],
    ),
    "a patch too small": ("eval", lambda t: ["backbone=rootsift", "backbone.sizes=[2]"], ["backbone.sizes", "8"]),
    "precision that weights are not kept in": ("train", lambda t: ["trainer.precision=bf16-true"], ["bf16-mixed"]),
    "batches put together": ("train", lambda t: ["+trainer.accumulate_grad_batches=4"], ["batch.images"]),
    "a compiler that torch has not": ("train", lambda t: ["compile=indctor"], ["compile=indctor", "'inductor'"]),
    "no devices": ("train", lambda t: ["trainer.devices=0"], ["trainer.devices=0", "trainer.devices=1"]),
    "oxford5k without files": ("eval", lambda t: ["benchmark=oxford5k", f"benchmark.root={t / 'ox'}"], ["ox"]),
}


@pytest.mark.parametrize("case", CASES)
def test_one_message_and_no_traceback(program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    name, words, wanted = CASES[case]
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    ended = program(
        name, *([] if case in ("unknown option",) else FAST if name == "train" else ["debug=fast"]), *words(tmp_path)
    )
    assert ended.code == 2, ended.out + ended.err
    message = [line for line in ended.err.splitlines() if line.startswith("error:")]
    assert len(message) == 1, ended.err
    assert "Traceback" not in ended.err + ended.out
    for part in wanted:
        assert part in message[0], message[0]


EARLY = (
    "local features that learn nothing",
    "proposals over local features",
    "views that nothing is mined from",
    "no devices",
    "unknown strategy",
    "unknown accelerator",
    "infinite margin",
    "no loss",
    "a weight of no loss",
    "unknown mapping",
)


@pytest.mark.parametrize("case", EARLY)
def test_a_bad_setting_leaves_no_run_behind(program, tmp_path: Path, case: str) -> None:
    name, words, _ = CASES[case]
    assert program(name, *FAST, *words(tmp_path)).code == 2
    assert not list((tmp_path / "outputs").glob("*"))


def test_a_loss_that_cannot_be_made_is_said_before_any_work(program) -> None:
    ended = program("train", *FAST, "loss=sum", "+loss.weights.thrd=1")
    assert ended.code == 2
    assert "1-ranking" not in ended.out  # the stages, which are told before the network is made


@pytest.mark.parametrize("name", ["train", "eval"])
def test_a_missing_faiss_is_said_before_any_work(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    ended = program(name, "debug=fast", "index=faiss")
    assert ended.code == 2, ended.out + ended.err
    [message] = ended.err.splitlines()
    assert message.startswith("error: index=faiss")
    assert "pip install 'deepret[cpu]'" in message
    assert "index=torch" in message
    assert not (tmp_path / "outputs").exists()


def test_broken_files_are_named_once_and_left_out(program, tmp_path: Path) -> None:
    words = listed(tmp_path / "p", *GOOD)
    root = tmp_path / "p"
    written(root / "a0.png", b"")
    written(root / "b0.png", b"this is no image")
    whole = photo(root / "c0.png", (200, 200)).read_bytes()
    written(root / "c0.png", whole[: len(whole) // 2])
    photo(root / "d0.png", (1, 1))
    photo(root / "e0.png", (20000, 4))
    ended = program("train", *FAST, *words)
    assert ended.code == 0, ended.err
    text = [line for line in ended.out.splitlines() if "left out" in line]
    assert len(text) == 1
    for name in ("a0.png", "b0.png", "c0.png", "d0.png", "e0.png"):
        assert name in text[0]
    assert "8 train, 2 test" in ended.out


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    from deepret.errors import UserError
    from deepret.runs import checkpoint as checkpoints

    path = tmp_path / "1-ranking" / "state.ckpt"
    checkpoints.save({"good": torch.ones(3)}, path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"state\.ckpt.*the disk is full.*resume="):
        checkpoints.save({"bad": torch.ones(3)}, path)
    assert list(torch.load(path, weights_only=True)) == ["good"]
    assert [p.name for p in path.parent.iterdir()] == ["state.ckpt"]
