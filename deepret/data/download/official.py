"""Fetches what is missing of a published set."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from deepret.data.download.archive import Damaged
from deepret.data.download.fetch import Checksum, NotFetched, fetch, wrong
from deepret.data.download.mirrors import MIRRORS, File, read_mirrors
from deepret.data.download.places import WORK
from deepret.data.download.unpack import unpack
from deepret.errors import UserError, closest
from deepret.files import why, write_whole

try:
    import fcntl
except ImportError:  # not on Windows, where two programs may fetch the same set at once
    fcntl = None  # type: ignore[assignment]


def fetch_set(name: str, root: Path | str, *, photographs: bool = True, mirrors: Path = MIRRORS) -> None:
    """Fetches what of a published set is not below a folder yet, and unpacks it there.

    What is there already is not fetched, so that a set that is complete needs no network. The same call goes on after
    a kill, a broken connection or a full disk. Of several programs that want one set one fetches it, and the others
    wait.

    Args:
        name: the set's, as mirrors.yaml has it.
        root: the folder; made where it is missing.
        photographs: whether files with nothing but photographs are wanted, too.
        mirrors: the YAML file of sets.

    Raises:
        UserError: no such set, one that has to be got by hand, a file that no address gives, an archive that is
            damaged or leads out of the folder, or a disk that takes no more.
    """
    root, sets = Path(root).expanduser(), read_mirrors(mirrors)
    if name not in sets:
        raise UserError(f"no files are listed for {name} in {mirrors}; {closest(name, sets)}")
    files = [file for file in sets[name].all_files() if photographs or not file.photographs]
    if not files:
        by_hand = sets[name].by_hand or f"get it by hand from {sets[name].site}"
        raise UserError(f"{name} cannot be fetched: {by_hand}; then leave download=false.")
    there = _look(root)
    missing = [file for file in files if not there(file) or _archive(root, file).exists()]
    if not missing:
        return
    with _alone(root / WORK, name):
        for number, file in enumerate(missing, start=1):
            if not there(file):  # another program may have fetched it while this one waited
                print(f"{name}: fetching {file.name} ({number} of {len(missing)})", flush=True)
                try:
                    _get(file, root)
                except NotFetched as error:
                    raise UserError(f"{error} {_otherwise(file, root, sets[name].site)}") from None
            _archive(root, file).unlink(missing_ok=True)


def _get(file: File, root: Path) -> None:
    """Fetches a file, unpacks it if it is an archive, and then notes that this is done."""
    if file.keep is not None:
        fetch(file.urls, root / file.keep, checksum=_checksum(file, root), size=file.size)
        return
    archive, checksum = _archive(root, file), _checksum(file, root)
    if not archive.exists() or wrong(archive, checksum):
        fetch(file.urls, archive, checksum=checksum, size=file.size)
    folder = root / (file.unpack or ".")
    try:
        names = unpack(archive, folder, file.inside)
    except Damaged as error:
        archive.unlink(missing_ok=True)
        raise UserError(f"{error} It was taken away; the same command fetches it again.") from None
    made = [(folder / name).relative_to(root).as_posix() for name in names]
    write_whole(_note(root, file), json.dumps({"made": made}).encode())


def _otherwise(file: File, root: Path, site: str) -> str:
    """How the set can be had where the network does not give it."""
    place = _archive(root, file) if file.keep is None else root / file.keep
    return f"See {site}; a copy from elsewhere is taken, too, where it lies as {place}."


def _checksum(file: File, root: Path) -> Checksum | None:
    """What the publisher gives, in the list or in a text file beside the file itself.

    Raises:
        UserError: that text cannot be had, or is no checksum.
    """
    if file.checksum is None:
        return None
    algorithm, digits = next(iter(file.checksum.items()))
    if digits.startswith("http"):
        beside = root / WORK / f"{file.name}.{algorithm}"
        fetch([digits], beside)
        text = beside.read_text("utf-8", "replace")
        beside.unlink()
        found = re.match(r"\s*\\?([0-9a-fA-F]{32,64})\b", text)
        if found is None:
            raise UserError(f"{digits}: {text[:40]!r} is no {algorithm} of {file.name}.")
        digits = found.group(1)
    return algorithm, digits


def _look(root: Path) -> Callable[[File], bool]:
    """What tells whether a file, or what it holds, is there; each pattern is looked for once."""

    @cache
    def enough(pattern: str, count: int) -> bool:
        return sum(1 for _ in islice(root.glob(pattern), count)) == count

    def there(file: File) -> bool:
        if any(all(enough(*wanted) for wanted in option.items()) for option in file.there):
            return True
        if file.keep is None:
            return _noted(root, file)
        path = root / file.keep
        return path.is_file() and (file.size is None or path.stat().st_size == file.size)

    return there


def _noted(root: Path, file: File) -> bool:
    """Whether an archive was unpacked, and each file that came of it is still there."""
    try:
        made = json.loads(_note(root, file).read_text("utf-8"))["made"]
        return all(os.path.lexists(root / name) for name in made)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _archive(root: Path, file: File) -> Path:
    return root / WORK / file.name


def _note(root: Path, file: File) -> Path:
    """One for each place that an archive is unpacked into: two sets may want one archive in two folders."""
    place = quote(f"{file.unpack}:{file.inside}", safe="")
    return root / WORK / f"{file.name}.{place}.done"


@contextlib.contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """Holds a lock that the system frees when the process ends, however it ends; waits while another one has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {why(error)}; name another folder for {name}.") from None
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"{name}: another program fetches it; waiting", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:
                pass  # a file system without locks
        yield
