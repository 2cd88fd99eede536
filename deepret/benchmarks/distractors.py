"""Photographs that are right for no query: a folder of them, or a list, a path a line."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from deepret.benchmarks.truth import plain, twice
from deepret.data import members
from deepret.data.folder import images_below
from deepret.errors import UserError


def photographs_of(place: Path) -> list[Path]:
    """The photographs of a folder, or of a list, whose lines are paths from where it lies.

    Raises:
        UserError: neither a folder nor a list, or a photograph that is not there.
    """
    if place.is_dir():
        return images_below(place)
    found = [place.parent / line for line in _lines(place)]
    missing = [path for path in found if not members.exists(path)]
    if missing:
        raise UserError(f"{place}: {len(missing):,} of its {len(found):,} photographs are not there: {missing[0]}")
    return found


def names_of(place: Path) -> list[str]:
    """What rankings call them: their paths below the folder, or as the list has them, without the ending.

    Raises:
        UserError: neither a folder nor a list, or one that names nothing, or something twice.
    """
    if place.is_dir():
        found = [plain(path.relative_to(place).as_posix()) for path in images_below(place)]
    else:
        found = [plain(PurePosixPath(line).as_posix()) for line in _lines(place)]
    if not found:
        raise UserError(f"benchmark.distractors={place}: there is no photograph in it.")
    if (name := twice(found)) is not None:
        raise UserError(f"benchmark.distractors={place}: {name} stands there twice.")
    return found


def _lines(place: Path) -> list[str]:
    try:
        return [line.strip() for line in place.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"benchmark.distractors={place}: neither a folder of photographs nor a list of them ({error})."
        ) from None
