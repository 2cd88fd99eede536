"""A checkpoint's configuration, with a command line's words put over it."""

from __future__ import annotations

from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from deepret import config as configuration
from deepret.errors import UserError, closest
from deepret.models.build import PARTS

Node = dict[str, Any]

OWN = frozenset({"checkpoint", "gallery", "dims", "dims_whitening", "accelerator", "output", "allow"})
"""Settings of an evaluation that have nothing to do with how a network was trained."""


def overlay(stored: Node, words: list[str], where: str, folders: list[str] | None = None) -> DictConfig:
    """The configuration that a checkpoint is scored with: its own, where the command line says nothing else.

    Of a training's settings only those of eval.yaml are taken. ``group=option`` puts the option's file in the group's
    place, but a part of the network that is named again as it is keeps its settings, but for those that an option built
    on another (``regions=rpn_spread``) changes. ``key=value`` then sets one key.
    A setting that followed another one in training, as benchmark.split follows data.split, follows it here too.

    Args:
        stored: the resolved configuration in the checkpoint.
        words: the command line's.
        where: what to call the checkpoint in a message.
        folders: more configuration folders.

    Raises:
        UserError: a word that cannot be read or names nothing, or a checkpoint without the network's configuration.
    """
    missing = [name for name in PARTS if not isinstance(stored.get(name), dict) or "_target_" not in stored[name]]
    if missing:
        raise UserError(
            f"{where}: its configuration has no {missing[0]!r}, so the network cannot be made: train again, or name "
            f"another checkpoint."
        )
    known = configuration.groups(folders)
    parsed = [parse(word) for word in words]
    chosen = [p for p in parsed if p.key_or_group in known]
    for override in chosen:
        if override.key_or_group in ("debug", "experiment"):
            raise UserError(
                f"{override.input_line}: a checkpoint brings its own settings; name what shall be different, such as "
                f"data=miniature, or leave checkpoint out."
            )
    given = _plain(configuration.compose("eval", [str(p.input_line) for p in chosen], folders))
    named = {p.key_or_group: str(p.value()) for p in chosen}
    replaced = {k: v for name, option in named.items() for k, v in configuration.brought(name, option, folders).items()}
    replaced |= named
    merged = _plain(configuration.compose("eval", [], folders))
    for name in merged:
        if name in replaced and name not in given:  # ~group
            continue
        if name in stored and name not in OWN | replaced.keys():
            merged[name] = _followed(name, stored, folders)
    for name in replaced:
        if name not in given:
            merged.pop(name, None)
        elif name in PARTS and _same(stored[name], given[name]):
            merged[name] = _followed(name, stored, folders) | configuration.changes(name, replaced[name], folders)
        else:
            merged[name] = given[name]
    if "stages" in merged:
        kept = {k: v for k, v in (stored.get("stages") or {}).items() if k != "_target_"}
        merged["stages"] = {k: kept.get(k, v) for k, v in given["stages"].items()}
    found = OmegaConf.create(merged)
    for override in parsed:
        if override.key_or_group not in known:
            _put(found, override, folders)
    return found


def parse(word: str) -> Override:
    """One word as Hydra reads it."""
    try:
        parsed = OverridesParser.create().parse_override(word)
    except HydraException:
        raise UserError(f"cannot read {word!r}: write key=value, with quotes around spaces and commas.") from None
    if parsed.is_sweep_override():
        raise UserError(f"{word}: several values are a sweep, eval.py -m …; a list is written [a,b].")
    return parsed


def _put(cfg: DictConfig, override: Override, folders: list[str] | None) -> None:
    """Sets or takes away one key."""
    key = override.key_or_group
    if key.startswith("hydra"):
        return
    if away := configuration.of_another_program("eval", key):
        raise UserError(f"{override.input_line}: {away}")
    names = list(configuration.keys(cfg))
    if key not in names and not (override.is_add() or override.is_force_add()):
        mend = configuration.of_another_option(key, folders) or closest(key, names)
        raise UserError(f"{override.input_line}: there is no such setting as {key!r} here; {mend}")
    try:
        if override.is_delete():
            parent, _, last = key.rpartition(".")
            node = OmegaConf.select(cfg, parent) if parent else cfg
            node.pop(last)
        else:
            OmegaConf.update(cfg, key, override.value(), merge=True, force_add=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{override.input_line}: {str(error).splitlines()[0]}") from None


def _plain(cfg: DictConfig) -> Node:
    """Plain containers, interpolations as they are written."""
    return cast(Node, OmegaConf.to_container(cfg, resolve=False))


def _same(stored: Node, given: Node) -> bool:
    """Whether two parts are of one class and, where a name picks a network, of one name."""
    return stored.get("_target_") == given.get("_target_") and stored.get("name") == given.get("name")


def _followed(name: str, stored: Node, folders: list[str] | None) -> Any:
    """A stored setting in which what the option's file takes from elsewhere is taken from there again.

    A value that was set on its own in training, so that it differs from what it would have followed, stays.
    """
    value = stored[name]
    if not isinstance(value, dict):
        return value
    links: dict[str, str] = {}
    for node in configuration.options(name, folders):
        if node.get("_target_") == value.get("_target_"):
            links |= {k: v for k, v in node.items() if isinstance(v, str) and v.startswith("${")}
    whole = OmegaConf.create(stored)
    follows = {
        key: link
        for key, link in links.items()
        if key in value and value[key] == OmegaConf.select(whole, link.removeprefix("${").removesuffix("}"))
    }
    return {**value, **follows}
