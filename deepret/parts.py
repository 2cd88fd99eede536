"""Checks the settings of a part against its constructor, before any work starts, and makes the part."""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from deepret.errors import UserError, closest

INJECTED = frozenset(
    {
        *("channels", "map_channels", "stride", "mean", "std"),  # of the backbone, for all other parts of a network
        *("class_ids", "code_length"),  # labels that are learned, and of the codes, for losses
        *("params", "optimizer", "total_steps"),
        *("catalogue", "index"),
    }
)
"""Arguments that the program supplies by name where a constructor asks for them; YAML does not."""


PLAINLY = {
    "instance of Sequence": "should be a list, [VALUE, VALUE]",
    "valid dictionary": "should be values by name, {NAME: VALUE}",
}
"""What people are told where pydantic's message ends in Python's words."""


@cache
def locate(target: str) -> Callable[..., Any]:
    """The class or function that a ``_target_`` names.

    Raises:
        UserError: no such module or name.
    """
    module, _, name = str(target).rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"_target_: {target} cannot be imported ({error}).") from None
    if not callable(found):
        raise UserError(f"_target_: {target} is no class or function: name one as MODULE.NAME.")
    return cast("Callable[..., Any]", found)


@cache
def signature(target: str) -> dict[str, tuple[Any, bool]]:
    """Argument → (type, required) of the constructor that a ``_target_`` names."""
    part = locate(target)
    function = part.__init__ if inspect.isclass(part) else part
    hints = typing.get_type_hints(function, include_extras=True)
    found = {}
    for name, parameter in inspect.signature(part).parameters.items():
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            found[name] = (hints.get(name, Any), parameter.default is parameter.empty)
    return found


def check(node: Any, where: str = "") -> None:
    """Checks every part below ``node`` against its constructor: names, types, ranges, values that are required.

    Raises:
        UserError: with the offending value, its place and the closest right name.
    """
    if isinstance(node, list):
        for i, item in enumerate(node):
            check(item, f"{where}[{i}]")
    if not isinstance(node, dict):
        return
    inside = f"{where}." if where else ""
    if "_target_" not in node:
        for key, value in node.items():
            check(value, f"{inside}{key}")
        return
    target = node["_target_"]
    arguments = signature(target)
    for key, value in node.items():
        if key in ("_target_", "_partial_"):
            continue
        part = holds_part(value)
        if key not in arguments or (key in INJECTED and not part):
            names = [name for name in arguments if name not in INJECTED]
            raise UserError(f"{inside}{key}: {target.rpartition('.')[2]} takes no {key!r}; {closest(key, names)}")
        if part:
            check(value, f"{inside}{key}")
        else:
            check_value(arguments[key][0], value, f"{inside}{key}")
    for name, (_, required) in arguments.items():
        if required and name not in node and name not in INJECTED:
            raise UserError(f"{inside}{name} is missing: {target.rpartition('.')[2]} needs it.")


def holds_part(value: Any) -> bool:
    """Whether a value is a part, or parts by their names."""
    return isinstance(value, dict) and ("_target_" in value or any(map(holds_part, value.values())))


def check_value(kind: Any, value: Any, where: str) -> Any:
    """Checks one value against a type with ranges, strictly: ``abc`` is no float, 1.5 is no int.

    Raises:
        UserError: naming value, place and what is wanted.
    """
    try:
        return _adapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        wanted = next((said for end, said in PLAINLY.items() if first["msg"].endswith(end)), None)
        wanted = wanted or first["msg"].removeprefix("Input ")
        choices = first["type"] == "literal_error" and len(error.errors()) == 1
        said = f"should be {_plain(kind)}" if choices else f"{wanted} (wanted: {_plain(kind)})"
        raise UserError(f"{where}={value!r}: {said}.") from None


def _adapter(kind: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False))
    except Exception:  # a class that brings its own configuration takes no second one
        return TypeAdapter(kind)


def _plain(kind: Any) -> str:
    """A type as people write it: ``int > 0``, ``'active' or 'mean'``."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        bounds = " and ".join(b for b in (_bound(m) for m in _flat(arguments[1:])) if b)
        return f"{_plain(arguments[0])} {bounds}".strip()
    if origin is typing.Literal:
        return " or ".join(repr(a) for a in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if a is type(None) else _plain(a) for a in arguments)
    if origin is not None and arguments:
        return f"{origin.__name__} of {', '.join(_plain(a) for a in arguments if a is not ...)}"
    return getattr(kind, "__name__", str(kind))


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from getattr(item, "metadata", None) or [item]


def _bound(item: Any) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "min_length": "of length ≥", "max_length": "of length ≤"}
    return " and ".join(f"{s} {getattr(item, k)}" for k, s in signs.items() if getattr(item, k, None) is not None)


def build(node: dict[str, Any], **supplied: Any) -> Any:
    """Makes the part that ``node`` describes; of ``supplied`` it is given what its constructor asks for by name.

    A setting may be a part itself, or parts by their names; they are made, and given, alike.

    Raises:
        UserError: a constructor that refuses its arguments, in its own words.
    """
    made = {key: build(value, **supplied) if holds_part(value) else value for key, value in node.items()}
    if "_target_" not in node:
        return made
    target = node["_target_"]
    arguments = signature(target)
    values = {key: value for key, value in made.items() if key not in ("_target_", "_partial_")}
    injected = {name: value for name, value in supplied.items() if name in arguments and name not in values}
    try:
        return locate(target)(**values, **injected)
    except (TypeError, ValueError) as error:
        raise UserError(f"{target.rpartition('.')[2]} cannot be made with {values}: {error}") from error
