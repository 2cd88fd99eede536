"""Reports as commands: ``python -m deepret.reports.NAME key=value …``, checked like everything else."""

from __future__ import annotations

import json
import sys

from omegaconf import OmegaConf

from deepret.errors import UserError
from deepret.memory import keep_memory
from deepret.parts import build, check


def command(report: str, example: str) -> None:
    """Calls a report with the command line's words and prints what it gives as one JSON object.

    Args:
        report: dotted name of a function; its signature says which keys there are.
        example: a word that it takes, for messages.
    """
    keep_memory()
    try:
        print(json.dumps(called(report, sys.argv[1:], example)), flush=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def called(report: str, words: list[str], example: str) -> object:
    """What a report gives for words key=value.

    Raises:
        UserError: a word that is none, an unknown key, a wrong value, or what the report itself refuses.
    """
    plain = [w for w in words if "=" not in w]
    if plain:
        raise UserError(f"cannot read {plain[0]!r}: write key=value, such as {example}.")
    node = {"_target_": report, **OmegaConf.to_container(OmegaConf.from_dotlist(words))}  # type: ignore[dict-item]
    check(node, "report")
    return build(node)
