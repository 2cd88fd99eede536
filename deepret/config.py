"""Composes a configuration from the YAML files, and explains what cannot be composed."""

from __future__ import annotations

import re
from collections.abc import Iterator
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

from deepret.errors import UserError, closest

OF_OTHERS = ("cluster", "sweep")
"""Folders of ``conf/`` that hold no options: SLURM and W&B read them."""
FILES = {"data": "check"}
"""A program's file in ``conf/`` where it has another name: a folder is called data, which is a group."""


def conf_dir() -> Path:
    """The folder of the configuration: ``conf/`` of a checkout, or its copy inside an installed wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def quoted(path: Path) -> str:
    """A path as an override writes it."""
    text = str(path)
    if re.fullmatch(r"[\w./~+-]+", text):
        return text
    return "'" + text.replace("'", "\\'") + "'"


def file_of(program: str) -> str:
    """The name of a program's file in ``conf/``, without its ending."""
    return FILES.get(program, program)


def compose(program: str, overrides: list[str], folders: list[str] | None = None) -> DictConfig:
    """Composes a program's file of ``conf/`` with a command line's overrides.

    Args:
        program: ``train``, ``eval``, ``data`` or ``clean``.
        overrides: as Hydra reads them: ``loss.margin=0.2``, ``regions=rpn``, ``+key=value``.
        folders: more configuration folders, for parts that live outside the package.

    Raises:
        UserError: an override that cannot be read, names no option or no key; with the closest right name; a folder
            that is not there, or has an option of the same name as one in ``conf/``.
    """
    for folder in folders or []:
        if not Path(folder).is_dir():
            raise UserError(f"--config-dir {folder}: there is no such folder.")
        for file in sorted(Path(folder).glob("*/*.yaml")):
            if (conf_dir() / file.parent.name / file.name).is_file():  # which Hydra would take in its place
                raise UserError(f"{file}: {file.parent.name}={file.stem} is deepret's own; give it another name.")
    search = [f"hydra.searchpath=[{','.join('file://' + str(Path(f).resolve()) for f in folders)}]"] if folders else []
    try:
        return _compose(program, [*search, *overrides])
    except (HydraException, OmegaConfBaseException, ValueError) as error:  # ValueError: group=null
        raise _explain(program, search, overrides, error) from None


def _compose(program: str, overrides: list[str]) -> DictConfig:
    if program == "eval" and any(_key(word) == "experiment" for word in overrides):
        return _compose_experiment(overrides)
    running = GlobalHydra.instance().hydra  # a sweep's own, which waits meanwhile: there is one at a time
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name=program):
            return hydra_compose(file_of(program), overrides=overrides)
    finally:
        GlobalHydra.instance().hydra = running


@cache
def _plain(program: str) -> DictConfig:
    """A program's file with nothing given: to be read alone, since it is kept."""
    return _compose(program, [])


def _compose_experiment(overrides: list[str]) -> DictConfig:
    """eval.yaml with an experiment: what it sets for a training alone falls away.

    An experiment overrides groups that an evaluation does not have, such as the loss, so it is composed as a training
    is, and what eval.yaml has too is taken from there.
    """
    for word in overrides:
        if of_another_program("eval", _key(word)):
            raise ValueError(f"{word}: a training's own setting")
    plain, trained = _plain("eval"), set(named("train"))
    single = {str(name) for name in plain if not isinstance(plain[name], DictConfig)}
    given = [word for word in overrides if _key(word) in single]
    found = _compose("eval", [word for word in overrides if word in given or _key(word).startswith("hydra")])
    usual = _plain("train")
    whole = _compose("train", [word for word in overrides if _key(word) not in single - trained])
    for name in trained & {str(name) for name in found}:
        if name == "stages":
            found.stages.update({key: whole.stages[key] for key in found.stages if key != "_target_"})
        elif name not in single or (whole[name] != usual[name] and name not in map(_key, given)):
            found[name] = whole[name]
    for name in set(map(str, found)) - set(map(str, whole)) - single:
        found.pop(name)
    return found


def _key(word: str) -> str:
    """What an override names, without signs, options' packages and values."""
    return word.lstrip("+~").partition("=")[0].partition("@")[0]


def groups(folders: list[str] | None = None) -> dict[str, list[str]]:
    """Every configuration group with its options, from the folders' names and files."""
    found: dict[str, list[str]] = {}
    for root in [conf_dir(), *map(Path, folders or [])]:
        for folder in sorted(p for p in root.iterdir() if p.is_dir() and p.name not in OF_OTHERS):
            found.setdefault(folder.name, []).extend(sorted(f.stem for f in folder.glob("*.yaml")))
    return found


def options(group: str, folders: list[str] | None = None) -> list[dict[str, Any]]:
    """What the files of a group hold, interpolations as they are written."""
    files = [f for root in [conf_dir(), *map(Path, folders or [])] for f in sorted((root / group).glob("*.yaml"))]
    found = [OmegaConf.to_container(OmegaConf.load(file), resolve=False) for file in files]
    return [cast("dict[str, Any]", node) for node in found if isinstance(node, dict)]


def changes(group: str, option: str, folders: list[str] | None = None) -> dict[str, Any]:
    """What an option sets on top of the option that it is built on; nothing where it stands on its own."""
    nodes = _files_of(group, option, folders)
    return {key: value for node in nodes if "defaults" in node for key, value in node.items() if key != "defaults"}


def brought(group: str, option: str, folders: list[str] | None = None) -> dict[str, str]:
    """Options of other groups that an option brings, as regions=attention brings weighting=attention."""
    entries = [entry for node in _files_of(group, option, folders) for entry in node.get("defaults", [])]
    pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
    sign = "override /"
    return {str(k).removeprefix(sign).partition("@")[0]: str(v) for k, v in pairs if str(k).startswith(sign)}


def _files_of(group: str, option: str, folders: list[str] | None) -> list[dict[str, Any]]:
    """What the files of an option hold, interpolations as they are written; none where there is no such option."""
    files = [root / group / f"{option}.yaml" for root in [conf_dir(), *map(Path, folders or [])]]
    found = [OmegaConf.to_container(OmegaConf.load(file), resolve=False) for file in files if file.is_file()]
    return [cast("dict[str, Any]", node) for node in found if isinstance(node, dict)]


def known(program: str) -> list[str]:
    """The settings that stand at the top of a program's file in ``conf/``: its groups, then its own keys."""
    return [name for name in named(program) if name not in ("experiment", "debug")]


@cache
def named(program: str) -> tuple[str, ...]:
    """``known``, and the groups that may stand empty."""
    cfg = OmegaConf.load(conf_dir() / f"{file_of(program)}.yaml")
    assert isinstance(cfg, DictConfig)
    named = [str(name).rpartition("@")[2] for entry in cfg.defaults if not isinstance(entry, str) for name in entry]
    return tuple(name for name in (*named, *map(str, cfg)) if name != "defaults")


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
    others = [other for other in ("train", "eval", "data", "clean") if group in named(other)]
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
    try:
        missing = sorted(OmegaConf.missing_keys(cfg))
        found = None if missing else cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=True))
    except OmegaConfBaseException as error:
        what = f"{error.full_key}: " if error.full_key else ""
        raise UserError(f"{what}the value cannot be resolved: {str(error).splitlines()[0]}") from None
    if found is None:
        raise UserError(f"{missing[0]} is missing: give it on the command line, {missing[0]}=VALUE.")
    return found
