"""Pickles of others: plain lists and arrays come in, and nothing is run, called or made room for."""

from __future__ import annotations

import pickle
import resource
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from deepret.data.pickles.read import names_in, read_pickle
from deepret.errors import UserError


class Does:
    """A pickle of it would call something, and give a state to what comes of it."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pickles") / "x.pkl"


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    path, made = tmp_path / "x.pkl", tmp_path / "made"
    runs = Does(Path.touch, (made,))
    for content in (runs, {"gnd": [runs]}, np.array([runs])):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(UserError, match=r"x.pkl: no pickle of plain lists and numbers \(it asks for "):
            read_pickle(path)
    path.write_bytes(b"no pickle")
    with pytest.raises(UserError, match="no pickle of plain lists"):
        read_pickle(path)
    with pytest.raises(UserError, match="No such file"):
        read_pickle(tmp_path / "none.pkl")
    assert not made.exists()


FORGED = Does(np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0))
"""A kind of numbers that takes eight bytes of the file for the address of an object."""
FIELDS = Does(np.dtype, ("i8", False, True), (3, "<", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0))
ADDRESS = (0x4141414141).to_bytes(8, "little")
NOTHING = (3, "<", None, None, None, 0, 1, 0)
"""The state of letters of no bytes, of which any number would fit into none."""
EMPTY = (np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"))


@pytest.mark.parametrize(
    "hostile",
    [
        FORGED,
        Does(np.ndarray, ((1,), FORGED, ADDRESS)),
        Does(np.ndarray, ((1,), np.dtype("u1")), (1, (1,), FORGED, False, ADDRESS)),
        Does(*EMPTY, (1, (1,), FORGED, False, ADDRESS)),
        Does(*EMPTY, (1, (1,), FIELDS, False, ADDRESS)),
        Does(*EMPTY, (1, (1,), np.dtype("O"), False, ADDRESS)),
        Does(*EMPTY, (1, (2,), np.dtype("O"), False, ["a"])),
        Does(*EMPTY, (1, (2,), np.dtype("i8"), False, ADDRESS)),
        Does(*EMPTY, (1, (-1,), np.dtype("i8"), False, ADDRESS)),
        Does(*EMPTY, (1, (2**62, 4), np.dtype("i8"), False, b"")),
        Does(*EMPTY, (1, (2**24,), Does(np.dtype, ("U0", False, True), NOTHING), False, b"")),
        Does(*EMPTY, (1, (2**40,), Does(np.dtype, ("S0", False, True), NOTHING), False, b"")),
        Does(*EMPTY, (1, (1,), np.dtype("m8[s]"), False, ADDRESS)),
        Does(*EMPTY, (1, (2,), np.dtype("U1"), False, b"\xff" * 8)),
        Does(np.float64(0).__reduce__()[0], (FORGED, ADDRESS)),
        Does(np.float64(0).__reduce__()[0], (np.dtype("O"), "a")),
        Does(np.ndarray, ((2**27,), "i8")),
        Does(np.dtype, (["i8", "f8"],)),
        np.dtype("i8"),
        np.ndarray,
        np.zeros(2, "i4,f4"),
        np.zeros(2, "c16"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_hostile_states_are_refused(path: Path, hostile: Any, protocol: int) -> None:
    for content in (hostile, {"gnd": [hostile]}, [hostile, hostile]):
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        with pytest.raises(UserError, match=r"x.pkl: no pickle of plain lists and numbers \("):
            read_pickle(path)


def nested(times: int) -> bytes:
    return b"\x80\x04" + b"]" * times + b"a" * (times - 1) + b"."


LAUGHS: Any = ["x" * 10]
for _ in range(8):
    LAUGHS = [LAUGHS] * 10
OBJECTS: Any = 1
for _ in range(8):
    OBJECTS = Does(*EMPTY, (1, (10,), np.dtype("O"), False, [OBJECTS] * 10))
SHARED = bytes(2**18)
CALLED = b"\x80\x02cnumpy\ndtype\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "told"),
    [
        (nested(200_000), "more than 64 containers within each other"),
        (b"\x80\x04]\x94h\x00a.", "holds itself"),
        (pickle.dumps(LAUGHS), "more than 16,777,216 values"),
        (pickle.dumps(OBJECTS), "more than 16,777,216 values"),
        (pickle.dumps(["x" * 2**20] * 2**12), "more than 16,777,216 values"),
        (b"\x80\x04" + b"]" * (2**21 + 1), "more than 2,097,152 containers"),
        (pickle.dumps([Does(*EMPTY, (1, (2**18,), np.dtype("u1"), False, SHARED)) for _ in range(9)]), "more room"),
        (pickle.dumps(10**30), "more than 64 bits"),
        (pickle.dumps({(1, 2): 3}), "a tuple as a key"),
        (pickle.dumps({1, 2}), "EMPTY_SET"),
        (b"\x80\x02(.", "never ends"),
        (b"\x80\x02.", "no pickle"),
        (b"\x80\x02]", "an end too early"),
        (b"\x80\x02a.", "no pickle"),
        (b"\x80\x02K\x01\x87.", "a container of more than there is"),
        (b"\x80\x02]K\x01e.", "begins nowhere"),
        (b"\x80\x02K\x01K\x02a.", "a int where a list should be"),
        (b"\x80\x02]K\x01b.", "no pickle"),  # a state for a list
        (CALLED + b"}b.", "it changes dtype"),
        (CALLED + b")R)R.", "it calls what dtype gives"),
        (CALLED + b")\x81.", "NEWOBJ"),
        (b"S'ab\n.", "without quotes"),
    ],
)
def test_pickles_that_take_all_room_or_fit_nothing_are_told(path: Path, data: bytes, told: str) -> None:
    path.write_bytes(data)
    with pytest.raises(UserError, match=told):
        read_pickle(path)


def test_room_is_not_made_for_what_is_only_announced(path: Path) -> None:
    """Nine bytes name the place 60,000,000, for which Python's own reader takes a GB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path.write_bytes(b"\x80\x02]r" + struct.pack("<I", 60_000_000) + b".")
    assert read_pickle(path) == []
    path.write_bytes(b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".")
    with pytest.raises(UserError, match="no pickle"):
        read_pickle(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_told(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with suppress(UserError):
        read_pickle(path)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(0, 9), inner),
    max_leaves=20,
)


@given(PLAIN, st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_as_they_were(path: Path, held: Any, protocol: int) -> None:
    path.write_bytes(pickle.dumps(held, protocol=protocol))
    assert read_pickle(path) == held


KINDS = st.sampled_from(["<i8", ">i8", "<u2", "|i1", "|u1", ">f4", "<f8", "<f2", "|b1", "<U3", ">U2", "|S4"])


@given(KINDS.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=3, min_side=0))), st.booleans())
def test_arrays_come_as_they_were(path: Path, held: np.ndarray, turned: bool) -> None:
    held = np.asfortranarray(held) if turned else held
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps(held, protocol=protocol))
        found = read_pickle(path)
        assert (found.dtype, found.shape) == (held.dtype, held.shape)
        assert np.array_equal(found, held, equal_nan=held.dtype.kind == "f")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_numbers_are_let_in(tmp_path: Path, protocol: int) -> None:
    held = {"a": np.arange(3), "b": [1, 2.5, "x", None, np.float64(2), np.int64(3)], "c": np.zeros((0, 2))}
    objects = np.array(["a", None, 3], dtype=object)
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({**held, "d": objects}, protocol=protocol))
    found = read_pickle(tmp_path / "x.pkl")
    assert found["b"] == held["b"]
    assert all(np.array_equal(found[key], held[key]) for key in "ac")
    assert found["d"] == ["a", None, 3]


def test_older_pickles_are_read(path: Path) -> None:
    """As Python 2 and numpy before 2 wrote them: letters for bytes, and numpy.core."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n(S'u2'\nI0\n"
        b"I1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\x01\\x00\\xff\\x00'\ntb."
    )
    for data, wanted in ((array, [1, 255]), (b"(lp0\nS'caf\\xe9'\np1\naI5\na.", ["café", 5])):
        path.write_bytes(data)
        assert list(read_pickle(path)) == wanted


def test_the_official_ground_truth_is_read_as_python_reads_it(ground_truth: Path) -> None:
    for file in sorted(ground_truth.glob("gnd_*.pkl")):
        assert read_pickle(file) == pickle.loads(file.read_bytes())


def test_names_are_names() -> None:
    assert names_in(np.array(["a", "b"])) == names_in(("a", b"b")) == ["a", "b"]
    for held in ("ab", [["a"]], [1], {"a": 1}):
        with pytest.raises(TypeError, match="should be"):
            names_in(held)
