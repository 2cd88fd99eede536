"""What users get wrong with several processes: one message, of one of them, and none that is left."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from started import ROOT, finish, start

FAST = ("debug=fast", "trainer=ddp_sim", "trainer.precision=32-true", "threads=1", "logger.wandb=disabled")
UNPRIVILEGED = ("setpriv", "--inh-caps=-dac_override", "--bounding-set=-dac_override")
"""Root may write everywhere, but for this."""


def told(errors: str) -> str:
    """The one message in what a program has said, where it has said nothing else but torch's own remarks."""
    lines = [line for line in errors.splitlines() if not line.startswith("[")]
    assert [line.startswith("error: ") for line in lines] == [True], errors
    return lines[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ("batch.images=9", "batch.images_per_class=3"),
            ("batch.images=9 does not divide among 2 processes; take batch.images=12",),
        ),
        pytest.param(
            ("mining=pool", "batch.images=10"),
            ("batch.images=10 holds 3 triplets", "2 processes; take batch.images="),
            marks=pytest.mark.proof,
        ),
        pytest.param(
            ("batch.images=40",),
            ("a batch holds 20 classes", "there are 6", "take at most batch.images=12"),
            marks=pytest.mark.proof,
        ),
        (("trainer.accelerator=gpu", "trainer.devices=64"), ("trainer.devices=64", "GPUs; take at most as many")),
        pytest.param(("resume=nowhere",), ("resume=nowhere: there is no run",), marks=pytest.mark.proof),
    ],
    ids=["batch", "triplets", "classes", "GPUs", "resume"],
)
def test_one_message_for_all(tmp_path: Path, cache: Path, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    process = start(tmp_path / "outputs", cache, *FAST, *words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2, out + err
    for part in parts:
        assert part in told(err)
    assert process_group(process.pid) == []
    assert not list((tmp_path / "outputs").glob("*"))


def process_group(number: int) -> list[str]:
    """Processes of a session that are left."""
    found = subprocess.run(["ps", "-o", "pid=", "--sid", str(number)], capture_output=True, text=True)
    return found.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "setting", "words"),
    [
        ("train.py", "loss.margin", FAST),
        pytest.param("eval.py", "input.size", ("debug=fast", "accelerator=cpu"), marks=pytest.mark.proof),
    ],
)
def test_processes_with_other_words_are_told(
    tmp_path: Path, cache: Path, program: str, setting: str, words: tuple[str, ...]
) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    shared = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    shared |= {"MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    processes = []
    for rank in ("0", "1"):
        more = [f"{setting}=6{rank}", f"output={tmp_path / 'outputs'}", f"cache={cache}"]
        own = {**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank}
        command = [sys.executable, str(ROOT / program), *words, *more]
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=own, stderr=subprocess.PIPE, text=True))
    said = "".join(process.communicate(timeout=120)[1] for process in processes)
    assert f"process 1 was started with {setting}=61, and the first one with {setting}=60" in told(said)
    assert [process.returncode for process in processes] == [2, 2]
    assert not (tmp_path / "outputs").exists()


@pytest.mark.proof
@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path, cache: Path) -> None:
    """A new run in it, and one of which the folder has become so."""
    words = (*FAST, "trainer.max_epochs=0", "benchmark=none")
    finish(start(tmp_path / "outputs", cache, *words))
    (run,) = (tmp_path / "outputs").iterdir()
    state = (run / "run.json").read_text()
    (run / "run.json").write_text(state.replace('"finished"', '"interrupted"'))
    before = UNPRIVILEGED if os.geteuid() == 0 else ()
    for folder, word in ((run, "resume=last"), (tmp_path / "outputs", "resume=null")):
        folder.chmod(0o555)
        (run / ".lock").unlink(missing_ok=True)
        process = start(tmp_path / "outputs", cache, *words, word, before=before)
        out, err = process.communicate(timeout=120)
        folder.chmod(0o755)
        assert process.returncode == 2, out + err
        assert str(folder) in told(err)
        assert "Permission denied" in told(err)


@pytest.mark.proof
def test_a_wrong_key_of_wandb_ends_nothing(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "wrong")
    process = start(tmp_path / "outputs", cache, *FAST, "logger.wandb=online")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert out.count("W&B cannot be reached") == 1
    assert list((tmp_path / "outputs").glob("*/wandb/offline-run-*/*.wandb"))
