"""What pickles ask of numpy, kept as records, and the arrays that are made of those when all is read."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

CORES = ("numpy.core", "numpy._core")
"""Where numpy before 2 and since has its functions."""
NAMED = {
    **{("numpy", name): name for name in ("ndarray", "dtype")},
    **{(f"{core}.multiarray", name): name for core in CORES for name in ("_reconstruct", "scalar")},
    **{(f"{core}.numeric", "_frombuffer"): "_frombuffer" for core in CORES},
    ("_codecs", "encode"): "encode",  # of protocol 2, for bytes
    ("__builtin__", "bytes"): "bytes",  # of protocol 2, for none
}
"""All that a pickle of numbers, names, plain containers and arrays asks for."""
KINDS = re.compile(r"([<>|=]?)(b1|[iu][1248]|f[248]|[SU][1-9]\d{0,5})")
OBJECTS = re.compile(r"\|?O[48]?")
WIDEST = 0x10FFFF
"""The last of all letters."""
DEEPEST = 64
"""Containers within containers, at most."""
MOST, LONG = 2**24, 64
"""Values at most, what is named repeatedly counted as often, and each so many letters or bytes of one as another."""


class Made:
    """What a pickle asks for: a name, or what calling it would give, with its state.

    Raises:
        ValueError: it is not let in.
    """

    __slots__ = ("arguments", "name", "state")

    def __init__(self, module: str, name: str) -> None:
        if (module, name) not in NAMED:
            raise ValueError(f"it asks for {module}.{name}")
        self.name = NAMED[module, name]
        self.arguments: tuple[Any, ...] | None = None
        self.state: Any = None

    def call(self, arguments: tuple[Any, ...]) -> Made:
        """Itself with arguments."""
        if self.arguments is not None:
            raise ValueError(f"it calls what {self.name} gives")
        made = object.__new__(Made)
        made.name, made.arguments, made.state = self.name, arguments, None
        return made

    def build(self, state: Any) -> None:
        """Keeps the state."""
        if self.arguments is None or self.state is not None:
            raise ValueError(f"it changes {self.name}")
        self.state = state


def plain_values(held: Any, room: int) -> Any:
    """A value with arrays, numbers and bytes in the place of records.

    Args:
        held: the value.
        room: bytes of all arrays together, at most.

    Raises:
        ValueError: a record that is none of those, containers that hold themselves or are too deep, or too much.
    """
    return _Values(room).of(held, 0)[0]


class _Values:
    """Goes through nested values, each once; ``seen`` has what became of it, and how many values that is."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.seen: dict[int, tuple[Any, int] | None] = {}

    def of(self, held: Any, depth: int) -> tuple[Any, int]:
        """The plain value, and how many it counts for."""
        if held is None or isinstance(held, (int, float)):
            return held, 1
        if isinstance(held, (str, bytes, bytearray)):
            return held, 1 + len(held) // LONG
        if not isinstance(held, (list, tuple, dict, Made)):
            raise ValueError("a container that never ends")
        if id(held) in self.seen:
            found = self.seen[id(held)]
            if found is None:
                raise ValueError("something that holds itself")
            return found
        if depth == DEEPEST:
            raise ValueError(f"more than {DEEPEST} containers within each other")
        self.seen[id(held)] = None
        self.seen[id(held)] = found = self._within(held, depth + 1)
        return found

    def _within(self, held: list[Any] | tuple[Any, ...] | dict[Any, Any] | Made, depth: int) -> tuple[Any, int]:
        if isinstance(held, Made):
            return self._made(held, depth)
        values, count = [], 1
        for value in held.values() if isinstance(held, dict) else held:
            value, size = self.of(value, depth)
            values.append(value)
            count += size
            if count > MOST:
                raise ValueError(f"more than {MOST:,} values")
        if isinstance(held, dict):
            return dict(zip(held, values, strict=True)), count
        return (tuple(values) if isinstance(held, tuple) else values), count

    def _made(self, made: Made, depth: int) -> tuple[Any, int]:
        """What a record stands for, and how many values that is."""
        arguments, state = made.arguments, made.state
        if made.name == "_reconstruct" and arguments is not None and isinstance(state, tuple) and len(state) in (4, 5):
            shape, dtype, fortran, data = state[-4:]
            return self._array(shape, dtype, bool(fortran), data, depth)
        if made.name == "_frombuffer" and arguments is not None and len(arguments) == 4 and state is None:
            data, dtype, shape, order = arguments
            return self._array(shape, dtype, order == "F", data, depth)
        if made.name == "scalar" and arguments is not None and len(arguments) == 2 and state is None:
            return self._array((), *arguments[:1], False, arguments[1], depth)[0][()], 1
        if made.name == "encode" and arguments is not None and len(arguments) == 2 and state is None:
            return self._bytes(arguments[0]), 1
        if made.name == "bytes" and arguments == () and state is None:
            return b"", 1
        raise ValueError(f"it has {made.name} by itself, or with something that is not its own")

    def _array(self, shape: Any, dtype: Any, fortran: bool, data: Any, depth: int) -> tuple[Any, int]:
        """An array, or the list of an array of objects, and how many values that is.

        Raises:
            ValueError: numbers of a kind that is not let in, or not as many as the shape says.
        """
        order, kind = _kind(dtype)
        if not isinstance(shape, tuple) or len(shape) > 32 or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError("an array whose shape is none")
        if kind == "O":
            if not isinstance(data, list) or shape != (len(data),):
                raise ValueError("an array of objects that is no list of them")
            return self.of(data, depth)
        raw = self._bytes(self.of(data, depth)[0])
        size = math.prod(shape)
        known = np.dtype(order + kind)
        if size * known.itemsize != len(raw):
            raise ValueError(f"an array of {size:,} numbers of {known.itemsize} bytes in {len(raw):,} bytes")
        flat = np.frombuffer(raw, np.uint8 if kind == "b1" else known) if raw else np.zeros(0, known)
        if kind[0] == "U" and raw and np.frombuffer(raw, f"{order}u4").max() > WIDEST:
            raise ValueError("an array of letters that are none")
        array = (flat != 0 if kind == "b1" else flat.copy()).reshape(shape, order="F" if fortran else "C")
        return array, 1 + max(size, array.nbytes // LONG)

    def _bytes(self, text: Any) -> bytes:
        """Bytes, which older pickles have as letters."""
        if not isinstance(text, (bytes, bytearray, str)):
            raise ValueError(f"a {type(text).__name__} where bytes should be")
        self.room -= len(text)
        if self.room < 0:
            raise ValueError("arrays that take more room than the file")
        return text.encode("latin1") if isinstance(text, str) else bytes(text)


def _kind(made: Any) -> tuple[str, str]:
    """Byte order and kind of numbers, ``O`` for objects.

    Raises:
        ValueError: it is not let in.
    """
    if not isinstance(made, Made) or made.name != "dtype" or not made.arguments:
        raise ValueError("an array without a kind of numbers")
    said, state = made.arguments[0], made.state
    plain = state is None or (isinstance(state, tuple) and len(state) in (7, 8) and state[2:5] == (None, None, None))
    order = "" if state is None or not plain else state[1]
    if plain and isinstance(said, str) and order in ("", "<", ">", "|", "="):
        if OBJECTS.fullmatch(said):
            return "", "O"
        if (found := KINDS.fullmatch(said)) is not None:
            return order.replace("|", "") or found[1].replace("|", ""), found[2]
    raise ValueError("an array of numbers of another kind than whole ones, fractions, truths and letters")
