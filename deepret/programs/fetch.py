"""``deepret fetch``: a published set, or distractors, from where its authors have it."""

from __future__ import annotations

from deepret.data.download.official import fetch_set


def fetch(name: str, root: str) -> dict[str, str]:
    """Fetches what is missing of a published set and unpacks it; the same command goes on with what was cut off.

    Args:
        name: the set's, as mirrors.yaml has it.
        root: the folder that it is for.

    Raises:
        UserError: no such set, one that has to be got by hand, a file that no address gives, an archive that is
            damaged or leads out of the folder, or a disk that takes no more.
    """
    fetch_set(name, root)
    return {"name": name, "root": root}
