"""What figures depend on of parts that are defined outside the package."""

from __future__ import annotations

from typing import Any

from deepret.files import digest_of
from deepret.parts import locate
from deepret.search.code_cache import files_from_outside


def sources_of(value: Any) -> dict[str, str]:
    """Digests of the files that define parts from outside the package, and what these derive from, by module."""
    return {name: digest_of(file) for name, file in files_from_outside(map(locate, targets_of(value))).items()}


def targets_of(value: Any) -> set[str]:
    """The names of the parts in a configuration, and in those within it."""
    if isinstance(value, dict):
        own = {value["_target_"]} if isinstance(value.get("_target_"), str) else set()
        return own.union(*map(targets_of, value.values()))
    return set().union(*map(targets_of, value)) if isinstance(value, list) else set()
