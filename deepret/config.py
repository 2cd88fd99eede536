"""Composes a configuration and checks every part of it against the part's constructor, before any work starts."""

from __future__ import annotations

import difflib
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml  # type: ignore[import-untyped]
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, TypeAdapter, ValidationError

from deepret.errors import UserError

INJECTED = frozenset({"channels", "stride", "mean", "std", "catalogue", "params", "optimizer", "total_steps", "index"})
"""Arguments that the program supplies by name where a constructor asks for them; YAML does not."""


def conf_dir() -> Path:
    """The folder of the configuration: ``conf/`` of a checkout, or its copy inside an installed wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def closest(word: str, names: Iterable[str]) -> str:
    """A sentence that names the closest of ``names``, or all of them where none is close."""
    names = sorted(set(names))
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(names)}." if names else "there are none."


# Composing ------------------------------------------------------------------------------------------------------------


def compose(program: str, overrides: list[str], folders: list[str] | None = None) -> DictConfig:
    """Composes ``conf/<program>.yaml`` with a command line's overrides.

    Args:
        program: ``train`` or ``eval``.
        overrides: as Hydra reads them: ``loss.margin=0.2``, ``regions=rpn``, ``+key=value``.
        folders: more configuration folders, for parts that live outside the package.

    Raises:
        UserError: an override that cannot be read, names no option or no key; with the closest right name.
    """
    for folder in folders or []:
        if not Path(folder).is_dir():
            raise UserError(f"--config-dir {folder}: there is no such folder.")
    search = [f"hydra.searchpath=[{','.join('file://' + str(Path(f).resolve()) for f in folders)}]"] if folders else []
    try:
        return _compose(program, [*search, *overrides])
    except (HydraException, OmegaConfBaseException, ValueError) as error:  # ValueError: group=null
        raise _explain(program, search, overrides, error) from None


def _compose(program: str, overrides: list[str]) -> DictConfig:
    running = GlobalHydra.instance().hydra  # a sweep's own, which waits meanwhile: there is one at a time
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name=program):
            return hydra_compose(program, overrides=overrides)
    finally:
        GlobalHydra.instance().hydra = running


def groups(folders: list[str] | None = None) -> dict[str, list[str]]:
    """Every configuration group with its options, from the folders' names and files."""
    found: dict[str, list[str]] = {}
    for root in [conf_dir(), *map(Path, folders or [])]:
        for folder in sorted(p for p in root.iterdir() if p.is_dir()):
            found.setdefault(folder.name, []).extend(sorted(f.stem for f in folder.glob("*.yaml")))
    return found


def options(group: str, folders: list[str] | None = None) -> list[dict[str, Any]]:
    """What the files of a group hold, interpolations as they are written."""
    files = [f for root in [conf_dir(), *map(Path, folders or [])] for f in sorted((root / group).glob("*.yaml"))]
    found = [OmegaConf.to_container(OmegaConf.load(file), resolve=False) for file in files]
    return [cast("dict[str, Any]", node) for node in found if isinstance(node, dict)]


def known(program: str) -> list[str]:
    """The settings that stand at the top of ``conf/<program>.yaml``: its groups, then its own keys."""
    cfg = OmegaConf.load(conf_dir() / f"{program}.yaml")
    assert isinstance(cfg, DictConfig)
    named = [str(name).rpartition("@")[2] for entry in cfg.defaults if not isinstance(entry, str) for name in entry]
    return [name for name in (*named, *map(str, cfg)) if name not in ("experiment", "debug", "defaults")]


def _explain(program: str, search: list[str], overrides: list[str], error: Exception) -> UserError:
    """Finds the override that is at fault and says how to mend it."""
    folders = [f.removeprefix("file://") for s in search for f in s.split("[")[1].rstrip("]").split(",")]
    options = groups(folders)
    parsed = []
    for override in overrides:
        try:
            parsed.append(OverridesParser.create().parse_override(override))
        except HydraException:
            return UserError(
                f"cannot read {override!r}: write key=value, with quotes around values that hold spaces or commas, "
                f"such as 'data.root=\"my photos\"'."
            )
    good: list[str] = []
    for word in sorted(parsed, key=lambda p: p.key_or_group.split("@")[0] not in options):  # options before settings
        override, key, value = str(word.input_line), word.key_or_group.split("@")[0], word.value()
        try:
            _compose(program, [*search, *good, override])
            good.append(override)
        except (HydraException, OmegaConfBaseException, ValueError) as cause:
            if away := of_another_program(program, key):
                return UserError(f"{override}: {away}")
            if key in options and not word.is_delete() and value not in options[key]:
                value = "null" if value is None else str(value)
                return UserError(f"{key}={value}: there is no such option; {closest(value, options[key])}")
            names = [*options, *keys(_compose(program, [*search, *good]))]
            if key not in names:
                mend = of_another_option(key, folders) or closest(key, names)
                return UserError(f"{override}: there is no such setting as {key!r} here; {mend}")
            if word.is_add():
                return UserError(f"{override}: there is such a setting already: leave the + out.")
            return UserError(f"{override}: {str(cause).splitlines()[0]}")
    return UserError(str(error).splitlines()[0])


def of_another_program(program: str, key: str) -> str:
    """Says whose a setting is, or an option, that this program has no group for; nothing where it has one."""
    group = key.partition(".")[0]
    others = [other for other in ("train", "eval") if group in known(other)]
    if program in others or not others:
        return ""
    mend = "; the device is accelerator=cpu or accelerator=auto" if (program, group) == ("eval", "trainer") else ""
    return f"{program} has no {group}, which is a setting of {others[0]}{mend}."


def of_another_option(key: str, folders: list[str] | None = None) -> str:
    """Says which options of a group have a setting; nothing where none has."""
    group, _, name = key.partition(".")
    having = [o for o in dict.fromkeys(groups(folders).get(group, [])) if name in _settings(group, o, folders)]
    return f"it is a setting of {' or '.join(f'{group}={option}' for option in having)}." if having else ""


def _settings(group: str, option: str, folders: list[str] | None) -> set[str]:
    files = [root / group / f"{option}.yaml" for root in [conf_dir(), *map(Path, folders or [])]]
    try:
        found = [OmegaConf.load(file) for file in files if file.is_file()]
    except (OmegaConfBaseException, yaml.YAMLError, OSError):
        return set()  # another mistake than the one that is explained
    return {str(key) for node in found if isinstance(node, DictConfig) for key in node}


def keys(node: Any, prefix: str = "") -> Iterator[str]:
    """The names of all settings of a configuration, with dots."""
    if isinstance(node, DictConfig):
        for key in map(str, node):
            name = f"{prefix}{key}"
            yield name
            if not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key):
                yield from keys(node[key], f"{name}.")


def resolve(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain containers, every interpolation resolved.

    Raises:
        UserError: a value that is required (``???``) and not given, or an interpolation that leads nowhere.
    """
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise UserError(f"{missing[0]} is missing: give it on the command line, {missing[0]}=VALUE.")
    try:
        return cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=True))
    except OmegaConfBaseException as error:
        raise UserError(f"a value cannot be resolved: {str(error).splitlines()[0]}") from None


# Checking -------------------------------------------------------------------------------------------------------------


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
    if "_target_" not in node:
        for key, value in node.items():
            check(value, f"{where}.{key}".lstrip("."))
        return
    target = node["_target_"]
    arguments = signature(target)
    for key, value in node.items():
        if key in ("_target_", "_partial_"):
            continue
        part = isinstance(value, dict) and "_target_" in value
        if key not in arguments or (key in INJECTED and not part):
            names = [name for name in arguments if name not in INJECTED]
            raise UserError(f"{where}.{key}: {target.rpartition('.')[2]} takes no {key!r}; {closest(key, names)}")
        if part:
            check(value, f"{where}.{key}")
        else:
            check_value(arguments[key][0], value, f"{where}.{key}")
    for name, (_, required) in arguments.items():
        if required and name not in node and name not in INJECTED:
            raise UserError(f"{where}.{name} is missing: {target.rpartition('.')[2]} needs it.")


def check_value(kind: Any, value: Any, where: str) -> Any:
    """Checks one value against a type with ranges, strictly: ``abc`` is no float, 1.5 is no int.

    Raises:
        UserError: naming value, place and what is wanted.
    """
    try:
        return _adapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        wanted = error.errors()[0]["msg"].removeprefix("Input ")
        raise UserError(f"{where}={value!r}: {wanted} (wanted: {_plain(kind)}).") from None


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


# Building -------------------------------------------------------------------------------------------------------------


def build(node: dict[str, Any], **supplied: Any) -> Any:
    """Makes the part that ``node`` describes; of ``supplied`` it is given what its constructor asks for by name.

    Raises:
        UserError: a constructor that refuses its arguments, in its own words.
    """
    target = node["_target_"]
    arguments = signature(target)
    values = {
        key: build(value, **supplied) if isinstance(value, dict) and "_target_" in value else value
        for key, value in node.items()
        if key not in ("_target_", "_partial_")
    }
    injected = {name: value for name, value in supplied.items() if name in arguments and name not in values}
    try:
        return locate(target)(**values, **injected)
    except (TypeError, ValueError) as error:
        raise UserError(f"{target.rpartition('.')[2]} cannot be made with {values}: {error}") from error
