"""The images' files, as far as they can be told from their text."""

from __future__ import annotations

import fnmatch
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepret.config import compose

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "docker" / "Dockerfile", ROOT / "docker" / "Dockerfile.gpu"]


def steps(path: Path) -> list[tuple[str, str]]:
    """As the builder without an engine reads them."""
    spec = importlib.util.spec_from_file_location("chroot", ROOT / "docker" / "chroot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[tuple[str, str]] = module.steps(path.read_text())
    return found


def test_steps_are_read() -> None:
    found = steps(FILES[0])
    assert found[0] == ("FROM", "python:3.11-slim-bookworm AS build")
    assert ("ENTRYPOINT", '["deepret"]') in found
    assert any(name == "RUN" and "&&" in words and "\\" not in words for name, words in found)


def test_both_images_are_made_in_the_same_steps() -> None:
    cpu, gpu = ([(name, words.replace("[gpu]", "[cpu]")) for name, words in steps(path)] for path in FILES)
    assert [step for step in cpu if step[0] != "ENV"] == [step for step in gpu if step[0] != "ENV"]
    assert cpu != gpu


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_runs_without_rights_and_is_given_all_that_it_copies(path: Path) -> None:
    found = steps(path)
    assert [words for name, words in found if name == "USER"] == ["1000"]
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = {
        source for name, words in found if name == "COPY" and "--from" not in words for source in words.split()[:-1]
    }
    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(fnmatch.fnmatch(source, pattern) for pattern in let_in)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    tool = shutil.which("hadolint")
    if tool is None:
        pytest.skip("hadolint is not installed")
    ended = subprocess.run([tool, str(path)], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_services_are_command_lines() -> None:
    text = (ROOT / "docker" / "compose.yaml").read_text().replace("${WORDS:-}", "loss=triplet regions=rpn")
    text = re.sub(r"\$\{\w+:[-?]([^}]*)\}", r"\1", text)
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    assert "loss=triplet" in services["train"]["command"].split()
    for name, service in services.items():
        command = service["command"]
        words = command.split() if isinstance(command, str) else command
        program, *words = [*service["entrypoint"], *words][1:]
        assert compose(program, words).data.root == "/photos", name
        assert (ROOT / service["build"]["dockerfile"]).is_file()
    on_gpus = yaml.safe_load((ROOT / "docker" / "compose.gpu.yaml").read_text())["services"]
    assert on_gpus.keys() == services.keys()
    for service in on_gpus.values():
        assert (ROOT / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_commands_at_the_head_are_command_lines(path: Path) -> None:
    heads = [line for line in path.read_text().splitlines() if line.startswith("#") and " train " in line]
    assert heads
    for line in heads:
        compose("train", line.partition(" train ")[2].split())
