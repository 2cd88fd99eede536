from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from deepret.__main__ import main


class Ended(NamedTuple):
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out.strip().splitlines()[-1])


Program = Callable[..., Ended]


@pytest.fixture
def program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache: Path, tmp_path: Path
) -> Iterator[Program]:
    """Runs ``deepret train`` or ``deepret eval`` in this process, in a folder of the test's own."""

    def run(name: str, *words: str, root: Path = tmp_path) -> Ended:
        flags = [w for w in words if w.startswith("-")]
        monkeypatch.setattr(
            sys,
            "argv",
            [name, *words, *([] if flags == ["--help"] else [f"cache={cache}", f"output={root / 'outputs'}"])],
        )
        capsys.readouterr()
        code = 0
        try:
            main(name)
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    shown = warnings.showwarning
    yield run
    warnings.showwarning = shown
