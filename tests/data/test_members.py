"""Photographs inside tar files."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.folder import images_below, label_of
from deepret.data.loading import photo_loader
from deepret.data.photo import Photo, open_photo, upright_size
from deepret.data.photographs import Photographs
from deepret.errors import UserError
from deepret.models.input.longer import Longer
from deepret.programs.pack import pack
from deepret.search.code_cache import photos_key


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (40, 48 + number, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def packed(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


NAMES = ("a.png", "b c/ü ñ.png", "./d/e.f.png", "x.tar/y.png", "日本/写真.png", "n" * 150 + "/long.png")


def test_a_member_is_what_was_packed(tmp_path: Path) -> None:
    tar = packed(tmp_path / "deep.tar" / "s.tar", {name: picture(i) for i, name in enumerate(NAMES)})  # a folder's name
    for i, name in enumerate(NAMES):
        path = tar / name
        assert members.exists(path)
        assert members.content(path) == picture(i)
        assert members.stat(path) == (len(picture(i)), tar.stat().st_mtime_ns, tar.stat().st_ctime_ns)
        assert upright_size(path) == (48 + i, 40)
        assert open_photo(path).tobytes() == Image.open(io.BytesIO(picture(i))).tobytes()
    assert members.members(tar) == [name.removeprefix("./") for name in NAMES]
    assert not members.exists(tar / "none.png")
    with pytest.raises(UserError, match=r"none\.png: cannot be read as an image \(there is no such file\)"):
        open_photo(tar / "none.png")


def test_an_index_is_kept_and_made_again_when_its_tar_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tar = packed(tmp_path / "s.tar", {"a.png": picture(0), "b.png": picture(1)})
    assert members.content(tar / "b.png") == picture(1)
    members._index.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(members, "_listed", None)  # read from its file
        assert members.content(tar / "b.png") == picture(1)
    packed(tar, {"b.png": picture(2), "c.png": picture(3)})
    os.utime(tar, ns=(1, 1))
    assert members.content(tar / "b.png") == picture(2)
    assert not members.exists(tar / "a.png")
    file = io.BytesIO()
    np.savez(file, of=[*tar.stat()[6:7], tar.stat().st_mtime_ns], names=np.zeros(0, np.uint8), table=np.zeros((0, 3)))
    for broken in (b"no index", b"", file.getvalue()):  # and one of an older format
        (tmp_path / "s.tar.index.npz").write_bytes(broken)
        members._index.cache_clear()
        assert members.members(tar) == ["b.png", "c.png"]


def test_names_are_paths_below_the_tar_and_links_what_they_name(tmp_path: Path) -> None:
    tar = tmp_path / "s.tar"
    with tarfile.open(tar, "w") as file:
        for name, data in {"/a/0.png": picture(0), "a//b/./1.png": picture(1), "../2.png": picture(2)}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
        for name, kind, target in (
            ("a/3.png", tarfile.LNKTYPE, "/a/0.png"),
            ("c/4.png", tarfile.SYMTYPE, "../a/b/1.png"),
            ("5.png", tarfile.SYMTYPE, "c/4.png"),
            ("6.png", tarfile.SYMTYPE, "../outside.png"),
            ("7.png", tarfile.SYMTYPE, "7.png"),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            file.addfile(entry)
        entry = tarfile.TarInfo("a/0.png")  # a file that took the place of a link, or the other way round
        entry.type, entry.linkname = tarfile.SYMTYPE, "b/1.png"
        file.addfile(entry)
    found = {name: members.content(tar / name) for name in members.members(tar)}
    zero, one = picture(0), picture(1)
    assert found == {"a/0.png": zero, "a/b/1.png": one, "a/3.png": zero, "c/4.png": one, "5.png": one}
    assert images_below(tmp_path) == sorted(tar / name for name in found)


def test_where_nothing_can_be_written_a_tar_is_listed_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    tar = packed(tmp_path / "s.tar", {"a.png": picture(0)})
    monkeypatch.setattr(os, "replace", refuse)
    assert members.content(tar / "a.png") == picture(0)
    assert [p.name for p in tmp_path.iterdir()] == ["s.tar"]


def test_what_is_wrong_with_a_tar_is_told(tmp_path: Path) -> None:
    tar = packed(tmp_path / "s.tar", {"a.png": picture(0), "b.png": picture(1)})
    whole = tar.read_bytes()
    for broken in (whole[:3000], b"not a tar file" * 100):
        tar.write_bytes(broken)
        with pytest.raises(UserError, match=r"s\.tar: cannot be read as a tar file .*copy it again"):
            images_below(tmp_path)
    packed(tar, {"a.png": picture(0), "./a.png": picture(1)})
    with pytest.raises(UserError, match=r"a\.png stands in it twice"):
        images_below(tmp_path)
    tar.unlink()
    packed(tmp_path / "s.tar.gz", {})
    with pytest.raises(UserError, match=r"no photograph in it .*s\.tar\.gz has to be unpacked: gunzip"):
        Photographs(str(tmp_path), cache=None).load()
    folders = {f"photos/{label}/{i}.png": picture(i) for label in "ab" for i in range(2)}
    packed(tmp_path / "t.tar", folders)
    with pytest.raises(UserError, match=r"all folders in the tar files there are in photos, .* tar -C photos -cf"):
        Photographs(str(tmp_path), cache=None).load()
    packed(tmp_path / "t.tar", {"a.txt": b"nothing"})
    with pytest.raises(UserError, match="no photograph in it"):
        Photographs(str(tmp_path), cache=None).load()
    (tmp_path / "images.csv").write_text("path,label,split\nt.tar/a.png,x,train\nt.tar/b.png,x,train\n")
    with pytest.raises(UserError, match=r"2 of 2 files are missing, .*'t\.tar/a\.png' \(line 2\)"):
        Photographs(str(tmp_path), cache=None).load()


def test_a_tar_that_is_cut_off_under_way(tmp_path: Path) -> None:
    tar = packed(tmp_path / "s.tar", {"a.png": picture(0), "b.png": picture(1)})
    assert members.exists(tar / "b.png")
    stamp = tar.stat().st_mtime_ns
    index = members.index(tar)
    offset, size = index.place("b.png") or (0, 0)
    with tar.open("rb+") as file:
        file.truncate(offset + size // 2)
        file.seek(0, 2)
    os.utime(tar, ns=(stamp, stamp))
    members._index.cache_clear()
    with pytest.raises(UserError, match=r"s\.tar: cannot be read as a tar file"):
        open_photo(tar / "b.png")


def test_labels_of_packed_photographs(tmp_path: Path) -> None:
    flat = {"0.png": picture(0), "0.cls": b"eiffel\n", "1.png": picture(1), "1.json": json.dumps({"label": 7}).encode()}
    flat |= {"4.png": picture(4), "4.json": b'{"label": null}', "5.png": picture(5), "5.json": b'{"label": " a "}'}
    tar = packed(tmp_path / "sub" / "s.tar", {**flat, "colosseum/2.png": picture(2), "3.x.png": picture(3)})
    found = {path.name: label_of(tmp_path, path) for path in images_below(tmp_path)}
    assert found == {"0.png": "eiffel", "1.png": "7", "2.png": "colosseum", "3.x.png": "", "4.png": "", "5.png": "a"}
    assert label_of(tmp_path, tmp_path / "a" / "b" / "c.png") == "a"
    assert tar.parent.name == "sub"


@pytest.mark.slow
def test_workers_read_members(tmp_path: Path) -> None:
    tar = packed(tmp_path / "s.tar", {f"{i}.png": picture(0) for i in range(12)})
    photos = [Photo(tar / f"{i}.png") for i in range(12)]
    layer = Longer(mean=[0.5] * 3, std=[0.25] * 3, size=64)
    batches = [images for images, *_ in photo_loader(photos, None, layer, batch_size=4, workers=2)]
    assert sum(len(images) for images in batches) == 12
    assert all(bool((images == batches[0][:1]).all()) for images in batches)


def test_threads_read_members(tmp_path: Path) -> None:
    tar = packed(tmp_path / "s.tar", {f"{i}.png": picture(i) for i in range(12)})
    right: list[bool] = []

    def read() -> None:
        right.extend(members.content(tar / f"{i}.png") == picture(i) for i in range(12))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 48


def labelled(folder: Path, classes: int = 6, each: int = 4) -> Path:
    for label in range(classes):
        for number in range(each):
            path = folder / f"thing{label}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(10 * label + number))
    return folder


@pytest.mark.slow
def test_packed_photographs_are_listed_as_they_were(tmp_path: Path) -> None:
    root = labelled(tmp_path / "photos")
    assert pack(str(root), str(tmp_path / "shards"), images=10)["tars"] == 3
    before = Photographs(str(root), cache=None).load()
    after = Photographs(str(tmp_path / "shards"), cache=None).load()
    assert (after.labels, after.splits, after.sizes) == (before.labels, before.splits, before.sizes)
    for i in range(len(before)):
        assert members.content(after.photo(i).path) == before.photo(i).path.read_bytes()
    dealt = [json.loads(members.content(p.with_suffix(".json")))["label"] for p in images_below(tmp_path / "shards")]
    assert sorted(dealt) == sorted(before.labels) != dealt
    assert len({photos_key([after.photo(i)]) for i in range(len(after))}) == len(after)
    (tmp_path / "shards" / "images.csv").unlink()
    assert sorted(Photographs(str(tmp_path / "shards"), cache=None).load().labels) == sorted(before.labels)


def test_what_is_there_is_not_packed_over(tmp_path: Path) -> None:
    root = labelled(tmp_path / "photos")
    with pytest.raises(UserError, match=r"out=.*photos: that is in .*photos"):
        pack(str(root), str(root))
    with pytest.raises(UserError, match=r"out=.*there is something already"):
        pack(str(root), str(tmp_path))


def test_two_programs_do_not_pack_into_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, out, load = labelled(tmp_path / "photos"), tmp_path / "shards", Photographs.load
    out.mkdir()
    (out / "..begun.1.2.part").touch()  # of one that was killed as it began

    def meanwhile(self: Photographs) -> Catalogue:
        monkeypatch.undo()
        pack(str(root), str(out), images=10)
        return load(self)

    monkeypatch.setattr(Photographs, "load", meanwhile)
    with pytest.raises(UserError, match="there is something already"):
        pack(str(root), str(out), images=24)
    assert len(list(out.iterdir())) == 4


def test_packing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, content = labelled(tmp_path / "photos"), members.content
    read: list[Path] = []

    def broken(path: Path) -> bytes:
        read.append(path)
        if len(read) == 17:
            raise OSError(5, "Input/output error")
        return content(path)

    with monkeypatch.context() as patch:
        patch.setattr(members, "content", broken)
        with pytest.raises(UserError, match=r"photos/thing\d/\d\.png: cannot be read \(Input/output error\)"):
            pack(str(root), str(tmp_path / "shards"), images=10)
    assert [path.name for path in (tmp_path / "shards").glob("*.tar")] == ["photographs-000000.tar"]
    with pytest.raises(UserError, match="other photographs have begun"):
        pack(str(root), str(tmp_path / "shards"), images=11)
    monkeypatch.setattr(members, "content", lambda path: read.append(path) or content(path))
    (tmp_path / "shards" / ".photographs-000002.tar.1.part").write_bytes(b"of one that was killed")
    read[16].write_bytes(picture(99))  # mended
    pack(str(root), str(tmp_path / "whole2"), images=10)
    read.clear()
    assert pack(str(root), str(tmp_path / "shards"), images=10)["tars"] == 3
    assert len(read) == 14
    assert not list((tmp_path / "shards").glob(".*"))
    for path in (tmp_path / "whole2").glob("*.tar"):
        assert (tmp_path / "shards" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_a_training_on_packed_photographs_is_the_same(tmp_path: Path) -> None:
    from deepret.config import compose
    from deepret.programs.train import train

    root = labelled(tmp_path / "photos")
    pack(str(root), str(tmp_path / "shards"), images=10)
    found = []
    for folder in ("photos", "shards"):
        words = ["debug=fast", "data=catalogue", f"data.root={tmp_path / folder}", "trainer=cpu", "threads=1"]
        words += ["trainer.precision=32-true", f"output={tmp_path / folder}-runs", f"cache={tmp_path / 'cache'}"]
        words += ["batch.images=4"]
        found.append(train(compose("train", words), words))
    one, two = ({k: v for k, v in f.items() if k not in ("run", "checkpoint", "seconds")} for f in found)
    assert one == two
