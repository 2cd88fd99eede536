"""Archives that are right, broken, and hostile."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import stat
import tarfile
import tracemalloc
import zipfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepret.data.download import archive as reading
from deepret.data.download.archive import Damaged, Entry, TooMuch
from deepret.data.download.places import Unsafe, places
from deepret.data.download.unpack import unpack
from deepret.errors import UserError

FILES = {"jpg/a.jpg": random.Random(0).randbytes(5000), "jpg/b/c.jpg": b"c", "./list.txt": b"a\nc\n"}


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def kinds(tarred: Callable[..., bytes], zipped: Callable[..., bytes]) -> dict[str, bytes]:
    return {"a.tgz": tarred(FILES), "a.tar": tarred(FILES, "w"), "a.zip": zipped(FILES)}


@pytest.mark.parametrize("kind", ["a.tgz", "a.tar", "a.zip"])
def test_it_is_unpacked_beside_what_is_there(
    tmp_path: Path, tarred: Callable[..., bytes], zipped: Callable[..., bytes], kind: str
) -> None:
    archive, folder = tmp_path / kind, tmp_path / "new" / "root"
    archive.write_bytes(kinds(tarred, zipped)[kind])
    assert unpack(archive, folder) == ["jpg/a.jpg", "jpg/b/c.jpg", "list.txt"]
    assert tree(folder) == {name.removeprefix("./"): content for name, content in FILES.items()}
    (folder / "jpg" / "own.jpg").write_bytes(b"own")
    (folder / "jpg" / "a.jpg").write_bytes(b"broken")
    assert unpack(archive, folder) == ["jpg/a.jpg", "jpg/b/c.jpg", "list.txt"]
    assert tree(folder) == {**{name.removeprefix("./"): c for name, c in FILES.items()}, "jpg/own.jpg": b"own"}
    mode = stat.S_IMODE((folder / "jpg" / "a.jpg").stat().st_mode)
    (tmp_path / "new.txt").touch()
    assert mode == stat.S_IMODE((tmp_path / "new.txt").stat().st_mode)
    assert unpack(archive, tmp_path / "inside", "jpg/") == ["a.jpg", "b/c.jpg"]
    with pytest.raises(UserError, match="there is nothing in a folder png in it"):
        unpack(archive, tmp_path / "inside", "png")
    assert sorted(path.name for path in (tmp_path / "inside").iterdir()) == ["a.jpg", "b"]


def info(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


HOSTILE: dict[str, dict[str, Any]] = {
    "upwards": {"../evil": b"x"},
    "upwards within": {"jpg/../../evil": b"x"},
    "upwards on windows": {"jpg\\..\\..\\evil": b"x"},
    "absolute": {"/tmp/deepret-evil": b"x"},
    "absolute on windows": {"C:\\evil": b"x"},
    "link out": {"l": info("l", tarfile.SYMTYPE, "../evil")},
    "link to a path": {"l": info("l", tarfile.SYMTYPE, "/etc/passwd")},
    "link within": {"l": info("jpg/l", tarfile.SYMTYPE, "b")},
    "through a link": {"l": info("l", tarfile.SYMTYPE, "jpg"), "l/evil": b"x"},
    "hard link out": {"l": info("l", tarfile.LNKTYPE, "../evil")},
    "hard link to a path": {"l": info("l", tarfile.LNKTYPE, "/etc/passwd")},
    "hard link to nothing": {"l": info("l", tarfile.LNKTYPE, "later")},
    "hard link to a folder": {"d": info("d", tarfile.DIRTYPE), "m": info("m", tarfile.LNKTYPE, "d")},
    "hard link to a link": {"l": info("l", tarfile.SYMTYPE, "jpg"), "m": info("m", tarfile.LNKTYPE, "l")},
    "device": {"d": info("d", tarfile.CHRTYPE)},
    "pipe": {"d": info("d", tarfile.FIFOTYPE)},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_of_a_hostile_tar_file_is_written(tmp_path: Path, tarred: Callable[..., bytes], what: str) -> None:
    archive = tmp_path / "a.tgz"
    archive.write_bytes(tarred({**FILES, **HOSTILE[what]}))
    with pytest.raises(UserError, match=r"a.tgz is not unpacked: .*; nothing was written") as error:
        unpack(archive, tmp_path / "root")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tgz"]


def test_nothing_of_a_hostile_zip_file_is_written(tmp_path: Path, zipped: Callable[..., bytes]) -> None:
    link = zipfile.ZipInfo("l")
    link.external_attr, link.comment = (stat.S_IFLNK | 0o777) << 16, b"../evil"
    pipe = zipfile.ZipInfo("p")
    pipe.external_attr = (stat.S_IFIFO | 0o777) << 16
    archive = tmp_path / "a.zip"
    for bad in ({"../evil": b"x"}, {"/tmp/evil": b"x"}, {"a\\..\\..\\evil": b"x"}, {"l": link}, {"p": pipe}):
        archive.write_bytes(zipped({**FILES, **bad}))
        with pytest.raises(UserError, match="nothing was written"):
            unpack(archive, tmp_path / "root")
        assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def several(*files: tarfile.TarInfo | tuple[str, bytes], into: Path) -> Path:
    """An archive in which one name may stand twice."""
    with tarfile.open(into, "w") as tar:
        for file in files:
            if isinstance(file, tarfile.TarInfo):
                tar.addfile(file)
                continue
            found = tarfile.TarInfo(file[0])
            found.size = len(file[1])
            tar.addfile(found, io.BytesIO(file[1]))
    return into


OWN = [".download/lock", ".DOWNLOAD/lock", "./.download", ".Download./x", ".download\\x.done", ".a.tar.unpacking/x"]
OWN += [".A.tar.Unpacking", ".unpacking", "list.pkl.part", "jpg/list.pkl.PART.json", ".download/a.tar.part", "a.part/b"]


@pytest.mark.parametrize("name", OWN)
def test_names_that_the_program_keeps_for_itself(tmp_path: Path, name: str) -> None:
    for number, (before, inside) in enumerate((("", ""), ("top/", "top"))):
        (tmp_path / f"{number}").mkdir()
        archive = several((f"{before}a", b"a"), (f"{before}{name}", b"x"), into=tmp_path / f"{number}" / "a.tar")
        with pytest.raises(UserError, match=r"has a name that the program keeps for itself; nothing was written"):
            unpack(archive, tmp_path / "root", inside)
        assert not (tmp_path / "root").exists()


def test_names_that_are_much_like_its_own(tmp_path: Path) -> None:
    files = {
        n: b"x" for n in ("download/a", ".downloads/a", "jpg/.download/a", "a.unpacking", "part", "a.parts", "b.json")
    }
    unpack(several(*files.items(), into=tmp_path / "a.tar"), tmp_path / "root")
    assert tree(tmp_path / "root") == files


LINKS = {
    "'b' is a link to itself": [("a", b"a"), info("b", tarfile.LNKTYPE, "./b")],
    "'m' is a link to 'd', which is a folder": [info("d", tarfile.DIRTYPE), info("m", tarfile.LNKTYPE, "d/")],
    "'m' is a link to 'd/e', which is a folder": [("d/e/f", b"x"), info("m", tarfile.LNKTYPE, "d/e")],
    "'m' is a link to 'd', which is no file before it": [info("m", tarfile.LNKTYPE, "d"), ("d", b"x"), ("da/b", b"x")],
    "'a' is a file, and a folder that 'a/b' needs": [("a", b"a"), ("a/b", b"b")],
    "'a' is a file, and a folder that 'a/b/c/d' needs": [("a/b/c/d", b"d"), ("./a", b"a")],
    "'a/b' is a file, and a folder that 'a/b' needs": [info("a/b", tarfile.DIRTYPE), ("a/b", b"b")],
    "'a/b' is a file, and a folder that 'a/b/c' needs": [("a/b", b"b"), info("a/b/c/", tarfile.DIRTYPE)],
    "'h' is a file, and a folder that 'h/b' needs": [("a", b"a"), info("h", tarfile.LNKTYPE, "a"), ("h/b", b"b")],
}


@pytest.mark.parametrize("said", LINKS)
def test_entries_that_cannot_stand_side_by_side(tmp_path: Path, said: str) -> None:
    archive = several(*LINKS[said], into=tmp_path / "a.tar")
    with pytest.raises(UserError, match=f"a.tar is not unpacked: {said}; nothing was written"):
        unpack(archive, tmp_path / "root")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_the_later_of_two_files_of_one_name_is_taken(tmp_path: Path) -> None:
    link = info("h", tarfile.LNKTYPE, "a")
    archive = several(
        ("a", b"old"), link, ("./a", b"new"), info("d", tarfile.DIRTYPE), ("d/a", b"d"), into=tmp_path / "a"
    )
    assert unpack(archive, tmp_path / "root") == ["a", "d/a", "h"]
    assert tree(tmp_path / "root") == {"a": b"new", "h": b"old", "d/a": b"d"}


def test_names_that_differ_in_capitals_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are two files where the disk tells them apart, and else one would be lost."""
    files = {"D/A.jpg": b"1", "d/b.jpg": b"2", "D/a.jpg": b"3"}
    archive = several(*files.items(), into=tmp_path / "a.tar")
    mixed = several(("A", b"1"), ("a/b", b"2"), into=tmp_path / "b.tar")
    accents = several(("\u00e9", b"1"), ("e\u0301", b"2"), into=tmp_path / "c.tar")
    fine = several(("D/A.jpg", b"1"), ("d/b.jpg", b"2"), ("D/A.jpg", b"3"), into=tmp_path / "d.tar")
    real = Path.exists
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", lambda path: real(path) or path.name.endswith(".UNPACKING"))
        for path, said in (
            (archive, "'D/A.jpg' and 'D/a.jpg' are one name on the disk of the folder"),
            (mixed, "'A' is a file, and a folder that 'a/b' needs"),
            (accents, "are one name"),
        ):
            with pytest.raises(UserError, match=f"is not unpacked: .*{said}.*; nothing was written"):
                unpack(path, tmp_path / "root")
            assert list((tmp_path / "root").iterdir()) == []
        unpack(fine, tmp_path / "fine")
    for path in (mixed, accents):
        unpack(path, tmp_path / path.stem)
    unpack(archive, tmp_path / "root")
    assert tree(tmp_path / "root") == files


NAMES = {
    "too long a name": [
        "x" * 256,
        "é" * 128,
        "a/" * 64 + "a",
        "/".join(["x" * 200] * 21),
        "b/" * 5000 + "c",
        "x" * 10**4,
    ],
    "no name in UTF-8": ["a\udcff", "\udcff" * 200],
    "no name: a zero byte": ["a\0b"],
}


@pytest.mark.parametrize(("said", "name"), [(said, name) for said, names in NAMES.items() for name in names])
def test_a_name_that_no_disk_takes(said: str, name: str) -> None:
    for entry in (Entry(name, "file", 1), Entry("h", "hard link", 0, name), Entry(name, "other", 1)):
        with pytest.raises(Unsafe, match=said) as error:
            places([Entry("a", "file", 1), entry])
        assert len(str(error.value)) < 500
        assert str(error.value).isprintable()
        str(error.value).encode()


def test_a_name_that_disks_take() -> None:
    for name in ("x" * 255, "é" * 127, "a/" * 63 + "a", "./" * 200 + "a"):
        assert places([Entry(name, "file", 1)]) == [Entry(name.removeprefix("./" * 200), "file", 1)]


def test_a_long_name_is_cut_in_every_message(
    tmp_path: Path, tarred: Callable[..., bytes], zipped: Callable[..., bytes]
) -> None:
    long = "x" * 20000
    bad = [tarred({f"{before}{long}": b"x"}) for before in ("../", "/", "")]
    bad += [tarred({"l": info(long, kind, long)}) for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE)]
    bad.append(zipped({long: b"x"}))
    for number, content in enumerate(bad):
        archive = tmp_path / f"{number}.x"
        archive.write_bytes(content)
        with pytest.raises(UserError) as error:
            unpack(archive, tmp_path / "root")
        assert len(str(error.value)) < 500 + len(str(archive))


def test_a_long_name_that_is_quoted_is_cut(tmp_path: Path, zipped: Callable[..., bytes]) -> None:
    """The zip file's list and its file call the entry differently."""
    archive, name = tmp_path / "a.zip", "/".join(["b" * 100] * 10)
    archive.write_bytes(zipped({name: b"x"}).replace(b"bbb", b"ccc", 1))
    with pytest.raises(Damaged, match="damaged or cut off") as error:
        unpack(archive, tmp_path / "root")
    assert len(str(error.value)) < 500 + len(str(archive))


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_no_two_archives_together_write_elsewhere(
    tmp_path: Path, tarred: Callable[..., bytes], zipped: Callable[..., bytes], kind: str
) -> None:
    """Each link leads within where it stands, and out where the first archive's link moves it to."""

    def archive(name: str, files: dict[str, bytes], links: dict[str, str]) -> Path:
        path = tmp_path / name
        if kind == "tar":
            path.write_bytes(tarred({**files, **{n: info(n, tarfile.SYMTYPE, t) for n, t in links.items()}}, "w"))
            return path
        infos = {n: zipfile.ZipInfo(n) for n in links}
        for n, found in infos.items():
            found.external_attr, found.comment = (stat.S_IFLNK | 0o777) << 16, links[n].encode()
        path.write_bytes(zipped({**files, **infos}))
        return path

    root = tmp_path / "data" / "root"
    (tmp_path / "y").mkdir()
    first = archive(f"1.{kind}", {"z/a": b"a"}, {f"e{k}/f/g": "../../z" for k in range(6)})
    second = archive(f"2.{kind}", {"z/l/evil": b"evil"}, {f"e{k}/f/g/l": "../../../y" for k in range(6)})
    for path in (first, second):
        with pytest.raises(UserError, match=r"is a symbolic link, .*; nothing was written"):
            unpack(path, root)
    assert list(tmp_path.rglob("evil")) == []


def test_hard_links_are_files(tmp_path: Path, tarred: Callable[..., bytes]) -> None:
    links = {"h": info("top/h", tarfile.LNKTYPE, "top/a"), "i": info("top/i", tarfile.LNKTYPE, "top/h")}
    (tmp_path / "a.tar").write_bytes(tarred({"top/a": b"a", **links}, "w"))
    unpack(tmp_path / "a.tar", tmp_path / "root", "top")
    assert tree(tmp_path / "root") == {"a": b"a", "h": b"a", "i": b"a"}


names = st.lists(st.sampled_from(["..", ".", "a", "b", "A", ""]), min_size=1, max_size=4).map("/".join)
entries = st.builds(Entry, names, st.sampled_from(["file", "folder", "link", "hard link"]), st.just(0), names)


@given(st.lists(entries, max_size=6), st.sampled_from(["", "a"]))
def test_what_passes_stays_within(found: list[Entry], inside: str) -> None:
    """No name that passes leads upwards or is a link, and a hard link is to what was written before it."""
    try:
        placed = [entry for entry in places(found, inside) if entry is not None]
    except Unsafe:
        return
    written: set[str] = set()
    for entry in placed:
        assert entry.kind != "link"
        assert not {"", ".", ".."}.intersection(entry.name.split("/"))
        if entry.kind == "hard link":
            assert entry.target in written
        if entry.kind != "folder":
            written.add(entry.name)
    assert not any(parent.as_posix() in written for entry in placed for parent in Path(entry.name).parents)


@pytest.mark.parametrize("kind", ["a.tgz", "a.tar", "a.zip"])
def test_a_cut_off_or_broken_archive_is_one_message(
    tmp_path: Path, tarred: Callable[..., bytes], zipped: Callable[..., bytes], kind: str
) -> None:
    whole = kinds(tarred, zipped)[kind]
    archive = tmp_path / kind
    spoilt = bytearray(whole)
    spoilt[3000] ^= 1
    cuts = [whole[: len(whole) // 2], whole[:10], b"", *([] if kind == "a.tar" else [whole[:-9], bytes(spoilt)])]
    if kind == "a.tar":
        cuts += [whole[: 512 * (1 + 10)], whole[: 512 * 11] + b"x" * 512 + whole[512 * 12 :]]  # between two members
    for cut in cuts:
        archive.write_bytes(cut)
        with pytest.raises(Damaged, match=rf"{kind} is damaged or cut off, or no archive") as error:
            unpack(archive, tmp_path / "root")
        assert "\n" not in str(error.value)
        assert not any(tmp_path.glob("root/*"))


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_file_that_is_packed_otherwise_and_broken(tmp_path: Path, how: int) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", how) as file:
        file.writestr("a.jpg", random.Random(0).randbytes(5000))
    spoilt = bytearray(archive.read_bytes())
    spoilt[60:200] = random.Random(1).randbytes(140)
    archive.write_bytes(spoilt)
    with pytest.raises(Damaged, match="damaged"):
        unpack(archive, tmp_path / "root")
    assert not any(tmp_path.glob("root/*"))


def header(name: str, kind: bytes, size: int) -> bytes:
    """Of a tar file, with a size that may be less than nothing."""
    found = tarfile.TarInfo(name)
    found.type = kind
    raw = bytearray(found.tobuf(tarfile.GNU_FORMAT))
    raw[124:136] = (size % 256**12).to_bytes(12, "big") if size < 0 else b"%011o\0" % size
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_size_below_nothing_is_damage(tmp_path: Path, kind: bytes) -> None:
    for number, before in enumerate((b"", header("a", tarfile.REGTYPE, 0))):
        archive = tmp_path / f"{number}.tar"
        archive.write_bytes(before + header("b", kind, -1024) + bytes(10240))
        with pytest.raises(Damaged):
            unpack(archive, tmp_path / "root")


def sparse(length: int = 0, **headers: str) -> bytes:
    found = info("s", tarfile.REGTYPE)
    found.size = length
    found.pax_headers = {f"GNU.sparse.{key}": value for key, value in headers.items()}
    return found.tobuf(tarfile.PAX_FORMAT)


SPARSE = {
    "of GNU": header("s", tarfile.GNUTYPE_SPARSE, 0),
    "0.1": sparse(name="s", size=str(2**50), map="0,0"),
    "0.0": sparse(size=str(2**50), numblocks="0"),
    "1.0": sparse(512, major="1", minor="0", name="s", realsize=str(2**50)) + b"0\n".ljust(512, b"\0"),
}


@pytest.mark.parametrize("how", SPARSE)
def test_a_sparse_file_is_not_unpacked(tmp_path: Path, how: str) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(SPARSE[how] + bytes(10240))
    with pytest.raises(UserError, match=r"is not unpacked: 's' is a sparse file, .*; nothing was written"):
        unpack(archive, tmp_path / "root")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


@pytest.fixture(params=["tar", "zip"])
def either(
    request: pytest.FixtureRequest, tarred: Callable[..., bytes], zipped: Callable[..., bytes]
) -> tuple[str, Callable[..., bytes]]:
    """A kind of archive, and what makes one."""
    return request.param, tarred if request.param == "tar" else zipped


def test_more_entries_than_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, either: tuple[str, Callable[..., bytes]]
) -> None:
    kind, make = either
    archive = tmp_path / f"a.{kind}"
    monkeypatch.setattr(reading, "MOST", 10)
    archive.write_bytes(make({f"{k}": b"" for k in range(10)}))
    assert len(unpack(archive, tmp_path / "root")) == 10
    archive.write_bytes(make({f"{k}": b"" for k in range(11)}))
    with pytest.raises(TooMuch, match=r"it has more than 10 entries.*; nothing was written"):
        unpack(archive, tmp_path / "new")
    monkeypatch.setattr(reading, "MOST", 100)
    monkeypatch.setattr(reading, "LIST" if kind == "zip" else "NAMES", 2000)
    unpack(archive, tmp_path / "new")
    archive.write_bytes(make({f"{k}" * 250: b"" for k in range(10)}))
    with pytest.raises(TooMuch, match=r"too long a list of their names; nothing was written"):
        unpack(archive, tmp_path / "newer")
    assert not (tmp_path / "newer").exists()


@pytest.mark.slow
def test_what_lists_too_much_is_not_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, either: tuple[str, Callable[..., bytes]]
) -> None:
    kind, make = either
    archive = tmp_path / f"a.{kind}"
    archive.write_bytes(make({f"{k}": b"" for k in range(10000)}))
    monkeypatch.setattr(reading, "MOST", 1000)
    tracemalloc.start()
    with pytest.raises(TooMuch):
        unpack(archive, tmp_path / "root")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.5e6


def test_headers_for_all_files_are_not_held_in_memory(tmp_path: Path) -> None:
    archive = tmp_path / "a.tgz"
    with gzip.open(archive, "wb", 1) as file:
        for k in range(32):
            file.write(
                tarfile.TarInfo.create_pax_global_header({f"k{k}": "x" * 2**19}) + header("a", tarfile.REGTYPE, 0)
            )
        file.write(bytes(10240))
    tracemalloc.start()
    with pytest.raises(Damaged, match="its headers are too long"):
        unpack(archive, tmp_path / "root")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**24


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_long_header_is_not_held_in_memory(tmp_path: Path, kind: bytes) -> None:
    archive, size = tmp_path / "a.tgz", 2**26
    with gzip.open(archive, "wb", 1) as file:
        file.write(header("x", kind, size))
        for _ in range(size // 2**20):
            file.write(bytes(2**20))
        file.write(bytes(10240))
    tracemalloc.start()
    with pytest.raises(Damaged, match="a header is too long"):
        unpack(archive, tmp_path / "root")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < size / 4


def test_a_header_that_is_one_long_number_takes_no_time(tmp_path: Path) -> None:
    """The square of its length: 10 seconds for this one."""
    archive, size = tmp_path / "a.tar", 2**16
    archive.write_bytes(header("x", tarfile.XHDTYPE, size) + b"1" * size + bytes(10240))
    with pytest.raises(Damaged, match="one long number"):
        unpack(archive, tmp_path / "root")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_that_is_cut_or_changed_at_a_header_is_damaged(
    tmp_path: Path, tarred: Callable[..., bytes], mode: str
) -> None:
    """Also within a gzip file that is sound: of such a header tarfile says nothing and takes the end for reached."""
    names = {f"jpg/{number}.jpg": b"x" * 700 for number in range(3)}
    whole = tarred(names, "w")
    second = whole.index(b"jpg/1.jpg")
    changed = bytearray(whole)
    changed[second + 100] ^= 64
    for wrong in (whole[:second], whole[: second + 200], bytes(changed)):
        (tmp_path / "a.tar").write_bytes(wrong if mode == "w" else gzip.compress(wrong))
        with pytest.raises(Damaged):
            unpack(tmp_path / "a.tar", tmp_path / "root")
        assert tree(tmp_path / "root") == {}
    (tmp_path / "a.tar").write_bytes(whole if mode == "w" else gzip.compress(whole))
    assert unpack(tmp_path / "a.tar", tmp_path / "root") == list(names)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_files_that_are_packed_otherwise_are_refused(tmp_path: Path, packing: int) -> None:
    """zipfile unpacks what it reads of them at once, a thousand times as much and more."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", packing) as file:
        file.writestr("a.jpg", b"content")
    with pytest.raises(Damaged, match="packed in another way"):
        unpack(tmp_path / "a.zip", tmp_path / "root")


def test_a_zip_file_of_windows_has_folders(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for name, content in {"jpg\\": b"", "jpg\\a.jpg": b"a", "jpg\\b\\c.jpg": b"c"}.items():
            file.writestr(name, content)
    assert unpack(tmp_path / "a.zip", tmp_path / "root") == ["jpg/a.jpg", "jpg/b/c.jpg"]
    assert tree(tmp_path / "root") == {"jpg/a.jpg": b"a", "jpg/b/c.jpg": b"c"}


def test_an_entry_without_a_name_is_damage(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("X", b"a")
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes().replace(b"X", b"\0"))
    with pytest.raises(Damaged, match="without a name"):
        unpack(tmp_path / "a.zip", tmp_path / "root")


def test_a_tar_whose_first_name_begins_as_zip_files_do_is_a_tar(tmp_path: Path, tarred: Callable[..., bytes]) -> None:
    (tmp_path / "a.tar").write_bytes(tarred({"PKLot/a.jpg": b"a"}, "w"))
    assert unpack(tmp_path / "a.tar", tmp_path / "root") == ["PKLot/a.jpg"]


def test_a_file_that_is_linked_to_itself_once_it_is_there_stays(tmp_path: Path) -> None:
    """As tar writes a file that it is given twice, and that has another link."""
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        held = tarfile.TarInfo("a")
        held.size = 1
        file.addfile(held, io.BytesIO(b"x"))
        for name in "ba":
            file.addfile(info(name, tarfile.LNKTYPE, "a"))
    assert unpack(tmp_path / "a.tar", tmp_path / "root") == ["a", "b"]
    assert tree(tmp_path / "root") == {"a": b"x", "b": b"x"}


def test_a_memory_that_is_full_is_one_message(
    tmp_path: Path, tarred: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def filled(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(tarfile.TarInfo, "fromtarfile", filled)
    (tmp_path / "a.tar").write_bytes(tarred(FILES, "w"))
    with pytest.raises(Damaged, match="MemoryError"):
        unpack(tmp_path / "a.tar", tmp_path / "root")


def test_a_disk_that_fills_up_leaves_nothing(
    tmp_path: Path, tarred: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, full: Callable[[str, int], None]
) -> None:
    archive, root = tmp_path / "a.tgz", tmp_path / "root"
    archive.write_bytes(tarred(FILES))
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 5000))
        with pytest.raises(UserError, match=r"a.tgz takes 5.00kB in .*root when unpacked, and 5.00kB are free"):
            unpack(archive, root)
    full("a.jpg", 1000)
    with pytest.raises(
        UserError, match=r"a.tgz could not be unpacked into .*root: the disk is full; .*archive is kept"
    ):
        unpack(archive, root)
    assert list(root.iterdir()) == []
    assert archive.exists()


def test_what_a_killed_run_left_is_taken_away(tmp_path: Path, tarred: Callable[..., bytes]) -> None:
    archive = tmp_path / "a.tgz"
    archive.write_bytes(tarred({"jpg/a.jpg": b"a"}))
    left = tmp_path / "root" / ".a.tgz.unpacking" / "jpg"
    left.mkdir(parents=True)
    (left / "half.jpg").touch()
    unpack(archive, tmp_path / "root")
    assert tree(tmp_path / "root") == {"jpg/a.jpg": b"a"}


MANY = {f"{k}/{k}/{k}.jpg": b"new" for k in range(8)}


def refused_for(archive: Path, root: Path, said: str) -> None:
    """Nothing is moved, whatever the order in which the system lists the archive's folders."""
    before = tree(root)
    with pytest.raises(UserError, match=rf"is not unpacked: .*{said}.*, or move it away, .*: the archive is kept"):
        unpack(archive, root)
    assert tree(root) == before
    assert not any(".unpacking" in path.name for path in root.iterdir())
    assert archive.exists()


@pytest.mark.parametrize("at", range(8))
def test_nothing_is_moved_where_one_thing_is_in_the_way(
    tmp_path: Path, tarred: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    archive, root = tmp_path / "a.tgz", tmp_path / "root"
    archive.write_bytes(tarred(MANY))
    place = root / f"{at}" / f"{at}"
    for k in range(8):
        (root / f"{k}").mkdir(parents=True)
    place.write_bytes(b"own")
    refused_for(archive, root, f"{place} is a file, and a folder in the archive")
    place.unlink()
    (place / f"{at}.jpg").mkdir(parents=True)
    refused_for(archive, root, f"{at}.jpg is a folder, and a file in the archive")
    (place / f"{at}.jpg").rmdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: path != place)
        refused_for(archive, root, f"{place} cannot be written")
    unpack(archive, root)
    assert tree(root) == MANY


@pytest.mark.parametrize("at", range(8))
def test_nothing_is_written_through_a_link_that_is_there(tmp_path: Path, tarred: Callable[..., bytes], at: int) -> None:
    archive, root, outside = tmp_path / "a.tgz", tmp_path / "root", tmp_path / "outside"
    archive.write_bytes(tarred(MANY))
    (outside / f"{at}").mkdir(parents=True)
    (root / f"{at}").mkdir(parents=True)
    (root / f"{at}" / f"{at}").symlink_to(outside)
    refused_for(archive, root, f"{at} is a symbolic link, and a folder in the archive")
    (root / f"{at}" / f"{at}").unlink()
    (root / f"{at}" / f"{at}").mkdir()
    (outside / "own.jpg").write_bytes(b"own")
    (root / f"{at}" / f"{at}" / f"{at}.jpg").symlink_to(outside / "own.jpg")
    unpack(archive, root)  # which puts a file where the link was
    assert (tree(root), tree(outside)) == (MANY, {"own.jpg": b"own"})


def test_a_folder_on_another_disk(
    tmp_path: Path, tarred: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, root, real = tmp_path / "a.tgz", tmp_path / "root", Path.stat
    archive.write_bytes(tarred(MANY))
    (root / "3").mkdir(parents=True)

    def stat_of(path: Path, **how: bool) -> os.stat_result:
        found = real(path, **how)
        return os.stat_result((*found[:2], found.st_dev + 1, *found[3:])) if path == root / "3" else found

    monkeypatch.setattr(Path, "stat", stat_of)
    refused_for(archive, root, "3 is on another disk")


def test_a_file_where_the_folder_is_to_be(tmp_path: Path, tarred: Callable[..., bytes]) -> None:
    archive = tmp_path / "a.tgz"
    archive.write_bytes(tarred({"jpg/a.jpg": b"a"}))
    (tmp_path / "root").touch()
    with pytest.raises(UserError, match=r"could not be unpacked into .*File exists"):
        unpack(archive, tmp_path / "root")
