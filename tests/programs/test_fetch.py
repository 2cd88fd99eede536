from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deepret.errors import UserError
from deepret.programs import fetch as program
from deepret.reports.command import called

pytestmark = pytest.mark.slow


def test_fetches_a_set_into_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []
    monkeypatch.setattr(program, "fetch_set", lambda *words: fetched.append(words))
    found = called("deepret.programs.fetch.fetch", ["name=revisitop1m", f"root={tmp_path}"], "name=sop")
    assert found == {"name": "revisitop1m", "root": str(tmp_path)}
    assert fetched == [("revisitop1m", str(tmp_path))]


def test_a_set_that_there_is_not_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="oxford5"):
        program.fetch("oxfrod5k", str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_the_program_ends_with_one_message(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "deepret", "fetch", "name=instre", f"root={tmp_path}"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert "instre.tar.gz" in ended.stderr
    assert ended.stderr.count("\n") == 1
    with pytest.raises(json.JSONDecodeError):
        json.loads(ended.stdout)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["fetch", "--help"], 0, "name: the set's"),
        (["pack", "-h"], 0, "For example: root=photos out=shards"),
        (["report", "--help"], 0, "transfer"),
        (["report", "transfer", "--help"], 0, "output: the folder of the runs"),
        (["report"], 2, "usage: deepret report NAME"),
        (["report", "transfr"], 2, "did you mean 'transfer'?"),
        (["fetsh"], 2, "there is no such program as 'fetsh'"),
    ],
)
def test_programs_say_what_they_take(words: list[str], code: int, told: str) -> None:
    ended = subprocess.run([sys.executable, "-m", "deepret", *words], capture_output=True, text=True, timeout=120)
    assert ended.returncode == code
    assert told in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
