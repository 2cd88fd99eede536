"""Codes kept on disk under the content that made them: weights, settings and photographs."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import timm
import torch
import torchvision
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import deepret
from deepret import __version__
from deepret.data import members
from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.files import replacing

_OWN = frozenset(vars(nn.Module()))
_KNOWN = frozenset(
    {"builtins", "abc", "functools", "typing", "deepret", "torch", "torchvision", "timm", "pytorch_lightning"}
)


CODES = ("data", "models", "search/describe.py", "search/looked.py", "search/sets.py")
"""Of deepret's sources, those that codes depend on."""
MAPS = ("data", "models/input", "models/backbone")
"""Those that maps depend on."""


def fingerprint(network: nn.Module, sources: tuple[str, ...] = CODES) -> str:
    """SHA-256 of everything in a network that its codes depend on.

    That is every parameter and buffer, saved or not, and of every module its class and its plain attributes (size,
    scales, levels …), so that a part needs to declare nothing; and the code that decodes and describes, with the files
    that define parts from outside the package.

    Args:
        network: the network, or some of its parts.
        sources: folders and files of deepret that what it gives depends on.
    """
    digest = hashlib.sha256(software(sources).encode())
    for file in sorted({*files_from_outside(type(module) for module in network.modules()).values()}):
        digest.update(file.encode() + b"\0" + Path(file).read_bytes())
    for name, module in network.named_modules():
        digest.update(f"\n{name}:{type(module).__module__}.{type(module).__qualname__}".encode())
        for key in sorted(vars(module).keys() - _OWN):
            digest.update(f"\n{key}=".encode())
            _feed(digest.update, vars(module)[key])
    for name, tensor in _tensors(network):
        digest.update(f"\n{name}=".encode())
        _feed(digest.update, tensor)
    return digest.hexdigest()


@functools.cache
def software(sources: tuple[str, ...] = CODES) -> str:
    """SHA-256 of what makes codes beside the network: deepret's sources that decode and describe, and libraries."""
    libraries = {m.__name__: m.__version__ for m in (PIL, torch, torchvision, timm)}
    return hashlib.sha256(f"{__version__} {libraries} {source_code(sources)}".encode()).hexdigest()


def source_code(sources: tuple[str, ...]) -> str:
    """SHA-256 of deepret's own source files, but for those that render scenes.

    Args:
        sources: folders and files below the package.
    """
    digest = hashlib.sha256()
    package = Path(deepret.__file__).parent
    files = [file for name in sources for file in [package / name, *(package / name).rglob("*.py")] if file.is_file()]
    for file in sorted(files):
        if "scenes" not in file.parts:  # they are photographs, whose times of change are in the key
            digest.update(f"{file.relative_to(package).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def files_from_outside(parts: Iterable[Any]) -> dict[str, str]:
    """The files, by their modules, that define parts and what these derive from, but for deepret and its libraries.

    Args:
        parts: classes or functions.
    """
    kinds = {kind for part in parts for kind in (part.__mro__ if isinstance(part, type) else (part,))}
    names = {kind.__module__ for kind in kinds if kind.__module__.partition(".")[0] not in _KNOWN}
    files = {name: getattr(sys.modules.get(name), "__file__", None) for name in sorted(names)}
    return {name: file for name, file in files.items() if file is not None}


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters(remove_duplicate=False)
    yield from network.named_buffers(remove_duplicate=False)


def _feed(update: Callable[[bytes], None], value: Any) -> None:
    """Feeds a value to a digest by its content, or by its class's name where that cannot be read."""
    if isinstance(value, Tensor):
        update(f"{value.dtype}{tuple(value.shape)}".encode())
        update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())  # type: ignore[arg-type]
    elif value is None or isinstance(value, bool | int | float | complex | str | bytes | Path | torch.dtype):
        update(repr(value).encode())
    elif isinstance(value, np.ndarray):
        update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            update(f"{key!r}:".encode())
            _feed(update, value[key])
    elif isinstance(value, list | tuple):
        update(f"{len(value)}[".encode())
        for item in value:
            _feed(update, item)
    elif isinstance(value, set | frozenset):
        _feed(update, sorted(value, key=repr))
    elif isinstance(value, functools.partial):
        _feed(update, [value.func, value.args, value.keywords])
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _feed(update, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    else:
        kind = value if hasattr(value, "__qualname__") else type(value)
        update(f"{kind.__module__}.{kind.__qualname__}".encode())


def photos_key(photos: Sequence[Photo]) -> str:
    """SHA-256 of a list of photographs: path, size in bytes, time of change and box of each, in their order.

    Raises:
        UserError: a file that is not there.
    """
    digest = hashlib.sha256()
    for photo in photos:
        try:
            stat = members.stat(photo.path)
        except OSError as error:
            raise UserError(f"{photo.path} cannot be read: {error.strerror or error}.") from None
        place = os.path.abspath(photo.path)
        digest.update(f"{place}\0{stat.size}\0{stat.changed}\0{photo.box}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


class CodeCache:
    """A folder of safetensors files, one for each list of photographs under one network.

    Any of them may be deleted at any time. One that is damaged reads as absent. One that cannot be written is warned of
    once and otherwise ignored: a cache saves time, it never stops work.

    Args:
        folder: made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).expanduser()
        self._warned = False

    def read(self, key: str, count: int) -> Tensor | None:
        """The codes (count, D) or sets (count, K, D) stored under a key, float32; None where absent or damaged."""
        try:
            with safe_open(self.folder / f"{key}.safetensors", framework="pt") as file:
                codes: Tensor = file.get_tensor("codes")
                whole = (file.metadata() or {}).get("sha256") == _checksum(codes)
        except (OSError, SafetensorError):
            return None
        fits = codes.dtype == torch.float32 and codes.ndim in (2, 3) and len(codes) == count
        return codes if whole and fits else None

    def write(self, key: str, codes: Tensor) -> None:
        """Stores codes (n, D), or sets of them (n, K, D), under a key: whole or not at all."""
        try:
            with replacing(self.folder / f"{key}.safetensors") as part:
                save_file({"codes": codes}, part, {"sha256": _checksum(codes)})
        except (UserError, SafetensorError) as error:
            if not self._warned:
                warnings.warn(f"codes are not kept: {error} The work goes on.", stacklevel=2)
            self._warned = True


def _checksum(codes: Tensor) -> str:
    return hashlib.sha256(codes.contiguous().numpy()).hexdigest()  # type: ignore[arg-type]
