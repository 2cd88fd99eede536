"""Where rendered sets are kept: a folder for each recipe, there in full or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from deepret.errors import UserError

try:
    import fcntl
except ImportError:  # not on Windows, where two programs may render the same set at once, and one of them for nothing
    fcntl = None  # type: ignore[assignment]


OWN = Path(__file__).parent


@cache
def renderer_version(*packages: Path) -> str:
    """A digest of the renderer's own source, so that a changed renderer never meets an old set."""
    digest = hashlib.sha256()
    for package in packages:
        for file in sorted(package.glob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def folder_of(parameters: dict[str, Any], root: Path, *more: Path) -> Path:
    """The folder that a set with these parameters has below ``root``.

    Args:
        parameters: what is rendered.
        root: where sets are kept.
        more: packages beside this one whose source the pictures depend on.
    """
    text = json.dumps({**parameters, "renderer": renderer_version(OWN, *more)}, sort_keys=True)
    return root / hashlib.sha256(text.encode()).hexdigest()[:16]


def complete(folder: Path) -> bool:
    """Whether a set is there in full: scenes.json, which is written last, and every file that it names."""
    try:
        scenes = json.loads((folder / "scenes.json").read_text(encoding="utf-8"))
        paths = [record["path"] for record in [*scenes["images"], *scenes["references"].values()]]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return (folder / "images.csv").is_file() and all(
        (folder / p).is_file() and (folder / p).stat().st_size for p in paths
    )


def keep(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder with a complete set in it, made now if need be.

    ``make`` writes into a folder beside it, which then takes its name in one step, so that a run that is killed leaves
    nothing behind that looks finished. Of several programs that want the same set one makes it, and the others wait.

    Raises:
        UserError: nothing can be written there.
    """
    if complete(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(f".{folder.name}.lock")):
            if complete(folder):  # made by another while this one waited
                return folder
            for stale in [folder, *folder.parent.glob(f".{folder.name}.part-*")]:
                shutil.rmtree(stale, ignore_errors=True)
            part = folder.with_name(f".{folder.name}.part-{uuid.uuid4().hex[:8]}")
            part.mkdir()
            try:
                make(part)
                os.replace(part, folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        if complete(folder):
            return folder
        raise UserError(
            f"{folder.parent}: rendered scenes cannot be kept there ({error.strerror or error}); "
            f"make room, or give another folder: data.cache=DIR."
        ) from None
    return folder


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock that the system frees when the process ends, however it ends."""
    with path.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
