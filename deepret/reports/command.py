"""Reports as commands: ``python -m deepret.reports.NAME key=value …``, checked like everything else."""

from __future__ import annotations

import inspect
import json
import sys

from omegaconf import OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]

from deepret.errors import UserError, closest
from deepret.memory import keep_memory
from deepret.parts import build, check, locate, signature
from deepret.quiet import quiet


def command(report: str, example: str) -> None:
    """Calls a report with the command line's words and prints what it gives as one JSON object.

    Args:
        report: dotted name of a function; its signature says which keys there are.
        example: a word that it takes, for messages.
    """
    if {"-h", "--help"} & {*sys.argv[1:]}:
        print(explained(report, example))
        return
    keep_memory()
    quiet()
    try:
        print(json.dumps(called(report, sys.argv[1:], example)), flush=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def explained(report: str, example: str) -> str:
    """What a report does and takes, as its docstring says it; keys are given as key=value."""
    return f"{inspect.getdoc(locate(report))}\n\nFor example: {example}"


def called(report: str, words: list[str], example: str) -> object:
    """What a report gives for words key=value.

    Raises:
        UserError: a word that is none, an unknown key, a wrong value, or what the report itself refuses.
    """
    plain = [w for w in words if "=" not in w]
    if plain:
        raise UserError(f"cannot read {plain[0]!r}: write key=value, such as {example}.")
    known = signature(report)
    unknown = [key for key in (word.partition("=")[0] for word in words) if key.partition(".")[0] not in known]
    if unknown:
        raise UserError(f"{unknown[0]}: there is no such setting; {closest(unknown[0], [*known])}")
    names = [name for name, (kind, _) in known.items() if kind in (str, str | None)]
    written = [word for word in words if word.partition("=")[0] in names and word.partition("=")[2] != "null"]
    try:
        others = OmegaConf.to_container(OmegaConf.from_dotlist([word for word in words if word not in written]))
    except YAMLError as error:
        raise UserError(f"cannot read {' '.join(words)!r}: {' '.join(str(error).split())}") from None
    assert isinstance(others, dict)
    node = {"_target_": report, **others, **{key: text for key, _, text in (word.partition("=") for word in written)}}
    check(node)
    return build(node)
