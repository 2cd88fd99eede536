"""The folder of a cleaning: when it is free, which photographs may not lie there, and what a kill leaves."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from deepret.cleaning import folder
from deepret.cleaning.folder import FOLDERS, MARK, REPLACED, WRITTEN, begin, check_apart, check_free, finish
from deepret.data.catalogue import Catalogue
from deepret.data.listing import Row
from deepret.errors import UserError


def catalogue(root: Path, *paths: str) -> Catalogue:
    n = len(paths)
    return Catalogue(root, list(paths), [""] * n, ["train"] * n, [(1, 1)] * n, [[] for _ in range(n)], [False] * n)


def cleaned(out: Path, text: str, folders: tuple[str, ...] = FOLDERS) -> None:
    """Writes what a cleaning writes, but for its mark."""
    for name in WRITTEN:
        (out / name).write_text(text)
    for name in folders:
        (out / name).mkdir(exist_ok=True)
        (out / name / f"{text}.jpg").write_text(text)


def files(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["report", "photographs", REPLACED])
def test_no_photograph_may_lie_where_is_written_whatever_names_it(tmp_path: Path, name: str) -> None:
    out, root = tmp_path / "out", tmp_path / "set"
    (out / name / "a").mkdir(parents=True)
    (root / "b").mkdir(parents=True)
    (root / "b" / "1.jpg").touch()
    photograph = out / name / "a" / "1.jpg"
    photograph.touch()
    (root / "link.jpg").symlink_to(photograph)
    (root / "links").symlink_to(out / name)
    with tarfile.open(out / name / "s.tar", "w") as tar:
        tar.add(photograph, "1.jpg")
    for path in (f"../out/{name}/a/1.jpg", str(photograph), "link.jpg", "links/a/1.jpg", f"../out/{name}/s.tar/1.jpg"):
        with pytest.raises(UserError, match="would be replaced; name a folder elsewhere"):
            check_apart(out, catalogue(root, "b/1.jpg", path), [])
        with pytest.raises(UserError, match="would be replaced"):
            check_apart(out, catalogue(root, "b/1.jpg"), [(Row(path, "", "train"), "broken")])
    with pytest.raises(UserError, match="would be replaced"):
        check_apart(out, catalogue(out / name), [])
    check_apart(out, catalogue(root, "b/1.jpg", f"../{name}/1.jpg", f"../out/{name}s/1.jpg"), [])


def test_nor_where_a_link_says_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "1.jpg").touch()
    (tmp_path / "out" / "photographs").symlink_to(tmp_path / "set")
    with pytest.raises(UserError, match="would be replaced"):
        check_apart(tmp_path / "out", catalogue(tmp_path / "set", "1.jpg"), [])


def test_only_the_mark_of_a_cleaning_makes_a_folder_its_own(tmp_path: Path) -> None:
    for text in ('{"finished": false}', "{}", "[]", "", '{"made_by": "another", "finished": true}'):
        (tmp_path / MARK).write_text(text)
        for overwrite in (False, True):
            with pytest.raises(UserError, match="of no cleaning"):
                check_free(tmp_path, overwrite)
    (tmp_path / MARK).unlink()
    begin(tmp_path, False)
    check_free(tmp_path, False)
    finish(tmp_path, {"kept": 3})
    assert json.loads((tmp_path / MARK).read_text())["kept"] == 3
    with pytest.raises(UserError, match="overwrite=true replaces it"):
        check_free(tmp_path, False)
    check_free(tmp_path, True)


def test_what_a_kill_in_the_first_write_leaves_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / f".{MARK}.12.ab.part").touch()
    check_free(tmp_path, False)
    (tmp_path / ".film.part").touch()
    with pytest.raises(UserError, match="of no cleaning"):
        begin(tmp_path, False)
    (tmp_path / ".film.part").unlink()
    begin(tmp_path, False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", MARK]


def test_what_came_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("by hand")
    with pytest.raises(UserError, match="of no cleaning"):
        begin(tmp_path, True)
    assert files(tmp_path) == {"images.csv": "by hand"}


def test_the_old_is_there_until_the_new_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(tmp_path, False)
    cleaned(tmp_path, "old")
    finish(tmp_path, {})
    begin(tmp_path, True)
    aside = files(tmp_path / REPLACED)
    assert aside == {**dict.fromkeys(WRITTEN, "old"), **{f"{name}/old.jpg": "old" for name in FOLDERS}}
    assert files(tmp_path).keys() - {f"{REPLACED}/{name}" for name in aside} == {MARK}
    cleaned(tmp_path, "half", ("report",))
    begin(tmp_path, True)
    assert files(tmp_path / REPLACED) == aside
    assert not (tmp_path / "report").exists()
    cleaned(tmp_path, "new")
    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_whole", lambda path, data: (_ for _ in ()).throw(UserError("the disk is full")))
        with pytest.raises(UserError, match="the disk is full"):
            finish(tmp_path, {})
    assert files(tmp_path / REPLACED) == aside
    finish(tmp_path, {})
    assert not (tmp_path / REPLACED).exists()
    assert (tmp_path / "report" / "new.jpg").read_text() == "new"
    assert not (tmp_path / "report" / "old.jpg").exists()


def test_what_is_gone_on_with_keeps_its_copies_and_no_list(tmp_path: Path) -> None:
    begin(tmp_path, False)
    cleaned(tmp_path, "half")
    (tmp_path / "photographs" / ".x.jpg.1.2.part").touch()
    begin(tmp_path, False)
    assert files(tmp_path).keys() == {MARK, *(f"{name}/half.jpg" for name in FOLDERS)}
