"""The command that a table is made again by."""

from __future__ import annotations

import inspect
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from deepret.errors import UserError


def command_of(report: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """What is typed to ask for the same: all that is not as it is by default.

    Args:
        report: the function.
        given: its arguments.
    """
    words = []
    for name, parameter in inspect.signature(report).parameters.items():
        value = given[name]
        if value != parameter.default and name not in ("retime", "wandb"):
            text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
            words.append(f"{name}={text}")
    return shlex.join(["python", "-m", "deepret", "report", "table", *words])


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def check_lists(given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Refuses a text where a list is wanted, which a sequence of letters would be.

    Raises:
        UserError: there is one.
    """
    for name in names:
        if isinstance(given[name], str):
            text = given[name] if "," not in given[name] else json.dumps(given[name])
            raise UserError(f"{name}={given[name]}: this is one text, and {name} is a list: write {name}=[{text}].")
