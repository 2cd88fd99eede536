"""An installed deepret works outside a checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_a_wheel_brings_its_configuration(tmp_path: Path, cache: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    wheel = next(tmp_path.glob("deepret-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    inside = {p.relative_to(ROOT / "conf") for p in (ROOT / "conf").rglob("*.yaml")}
    assert inside == {
        p.relative_to(tmp_path / "site" / "deepret" / "conf") for p in (tmp_path / "site/deepret/conf").rglob("*.yaml")
    }
    templates = {p.name for p in (ROOT / "deepret/reports/cleaning/templates").iterdir()}
    assert {p.name for p in (tmp_path / "site/deepret/reports/cleaning/templates").iterdir()} == templates
    ended = subprocess.run(
        [sys.executable, "-m", "deepret", "eval", "debug=fast", f"cache={cache}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1])["benchmark"] == "split"
    assert not (tmp_path / "deepret").exists()


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["nothing"]])
def test_without_a_program_the_programs_are_listed(words: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-m", "deepret", *words], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == (0 if words in (["--help"], ["-h"]) else 2)
    assert "deepret train" in ended.stdout + ended.stderr
