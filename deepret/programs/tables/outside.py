"""What figures depend on of parts that are defined outside the package."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from deepret.parts import locate

LIBRARIES = frozenset({"abc", "builtins", "deepret", "functools", "torch", "torchvision", "timm", "typing"})
"""Whose parts count by their versions."""


def sources_of(value: Any) -> dict[str, str]:
    """Digests of the files that define parts from outside the package, and what these derive from, by module."""
    if isinstance(value, dict):
        found = [sources_of(one) for one in value.values()]
        if isinstance(value.get("_target_"), str):
            found.append(source_files(value["_target_"]))
        return {name: digest for one in found for name, digest in one.items()}
    listed = value if isinstance(value, list) else []
    return {name: digest for one in listed for name, digest in sources_of(one).items()}


def source_files(target: str) -> dict[str, str]:
    """The same of one part."""
    part = locate(target)
    names = {kind.__module__ for kind in (part.__mro__ if isinstance(part, type) else [part])}
    own = {name: getattr(sys.modules.get(name), "__file__", None) for name in sorted(names)}
    outside = {name: file for name, file in own.items() if file and name.partition(".")[0] not in LIBRARIES}
    return {name: hashlib.sha256(Path(file).read_bytes()).hexdigest() for name, file in outside.items()}
