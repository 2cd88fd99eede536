"""The words that a pickle consists of, done one after the other: containers, numbers and strings, and no objects.

Python's own reader calls what a pickle names, makes room for what it only announces, and lets it change any object.
Here nothing is called, all room is in proportion to the file's length, and what it names becomes a record.
"""

from __future__ import annotations

import codecs
import pickletools
from collections.abc import Callable
from io import BytesIO
from typing import Any, Protocol

WORDS = {word.code: word for word in pickletools.opcodes}
SAYS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
HOLDS = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
"""Words whose argument is the value."""
EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MAKES = frozenset({*EMPTY, *TUPLES, "MARK", "TUPLE", "LIST", "DICT", "GLOBAL", "STACK_GLOBAL", "REDUCE"})
"""Words that make a container or a record, of which each takes far more room than its letter."""
MOST = 2**21
"""Of those, at most."""
KEYS = (str, bytes, int)
LONGEST = 64
"""Bits of a whole number, without its sign, at most."""


class Record(Protocol):
    """What stands for an object that a pickle asks for."""

    def call(self, arguments: Any) -> Record:
        """Itself called."""

    def build(self, state: Any) -> None:
        """Gives it a state."""


class _Mark:
    """Where on the stack a container begins."""


def read_words(data: bytes, named: Callable[[str, str], Record]) -> Any:
    """The value that a pickle describes, in which objects are records.

    Args:
        data: the pickle.
        named: module and name → the record of it.

    Raises:
        ValueError: a word that is not let in, or a pickle that is none.
        Exception: whatever else a broken pickle leads to.
    """
    file, stack, memo = BytesIO(data), list[Any](), dict[int, Any]()
    mark = _Mark()

    def items() -> list[Any]:
        """What stands above the last mark, taken off."""
        at = len(stack) - 1
        while stack[at] is not mark:
            at -= 1
            if at < 0:
                raise ValueError("a container begins nowhere")
        found = stack[at + 1 :]
        del stack[at:]
        return found

    made = 0
    while True:
        word = WORDS.get(file.read(1).decode("latin1"))
        if word is None:
            raise ValueError("a word that is none, or an end too early")
        name, argument = word.name, None
        if name == "STRING":
            argument = _quoted(file.readline())
        elif word.arg is not None:
            argument = word.arg.reader(file)
        if name in ("PROTO", "FRAME"):
            continue
        if name == "STOP":
            return stack.pop()
        made += name in MAKES
        if made > MOST:
            raise ValueError(f"more than {MOST:,} containers")
        if name in HOLDS:
            if isinstance(argument, int) and argument.bit_length() > LONGEST:
                raise ValueError(f"a whole number of more than {LONGEST} bits")
            stack.append(argument)
        elif name in SAYS:
            stack.append(SAYS[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name == "MARK":
            stack.append(mark)
        elif name in TUPLES:
            at = len(stack) - TUPLES[name]
            if at < 0:
                raise ValueError("a container of more than there is")
            stack[at:] = [tuple(stack[at:])]
        elif name in ("TUPLE", "LIST"):
            found = items()
            stack.append(tuple(found) if name == "TUPLE" else found)
        elif name == "DICT":
            found = items()
            stack.append({})
            _set(stack[-1], found)
        elif name in ("APPEND", "APPENDS"):
            found = [stack.pop()] if name == "APPEND" else items()
            _kind(stack[-1], list).extend(found)
        elif name in ("SETITEM", "SETITEMS"):
            found = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else items()
            _set(_kind(stack[-1], dict), found)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])  # type: ignore[index]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]  # type: ignore[index]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            items()
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "GLOBAL":
            stack.append(named(*str(argument).split(" ", 1)))
        elif name == "STACK_GLOBAL":
            last = _kind(stack.pop(), str)
            stack.append(named(_kind(stack.pop(), str), last))
        elif name == "REDUCE":
            arguments = _kind(stack.pop(), tuple)
            stack.append(stack.pop().call(arguments))
        elif name == "BUILD":
            state = stack.pop()
            stack[-1].build(state)
        else:
            raise ValueError(f"it has the word {name}")


def _quoted(line: bytes) -> str:
    """A string of protocol 0."""
    text = line.strip()
    if len(text) < 2 or text[:1] not in b"\"'" or text[-1:] != text[:1]:
        raise ValueError("a string without quotes")
    return codecs.escape_decode(text[1:-1])[0].decode("latin1")


def _kind(value: Any, kind: type) -> Any:
    """A value of one type alone."""
    if type(value) is not kind:
        raise ValueError(f"a {type(value).__name__} where a {kind.__name__} should be")
    return value


def _set(held: dict[Any, Any], items: list[Any]) -> None:
    """Keys and values, in turn; a key is a name or a number, since others may be nested without end."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, KEYS):
            raise ValueError(f"a {type(key).__name__} as a key")
        held[key] = value
