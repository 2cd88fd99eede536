"""The list of sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepret import config
from deepret.data.download.mirrors import MIRRORS, read_mirrors
from deepret.errors import UserError


def test_the_sets_can_be_read_and_every_protocol_has_one() -> None:
    found = read_mirrors()
    assert set(config.groups()["benchmark"]) - {"split", "classification", "none"} <= set(found)
    assert {name for name, published in found.items() if not published.files} == {"instre"}
    for name, published in found.items():
        names = [file.name for file in published.all_files()]
        assert len(set(names)) == len(names), name
        assert not any("{" in text for file in published.all_files() for text in (file.name, *file.urls))


def test_parts_are_numbered() -> None:
    index = [file for file in read_mirrors()["gldv2_retrieval"].all_files() if file.name.startswith("index_")]
    assert len(index) == 100
    assert index[7].urls == ["https://s3.amazonaws.com/google-landmark/index/images_007.tar"]
    assert index[7].keep == "index/images_007.tar"
    assert index[7].checksum == {"md5": "https://s3.amazonaws.com/google-landmark/md5sum/index/md5.images_007.txt"}
    assert sum(len(published.all_files()) for published in [read_mirrors()["gldv2"]]) == 502


GOOD = "a: {site: s, files: [{name: f, urls: ['http://h/f'], unpack: .}]}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("http:", "ftp:", "a.files.0|String should match"),
        ("unpack: .", "keep: ../f", "stay below the root"),
        ("unpack: .", "keep: /f", "stay below the root"),
        ("unpack: .", "size: 3", "one of unpack and keep"),
        ("unpack: .", "unpack: ., sise: 3", "sise"),
        ("unpack: .", "unpack: ., size: 0", "greater than 0"),
        ("unpack: .", "unpack: ., checksum: {md5: '12'}", "match pattern"),
        ("unpack: .", "unpack: ., checksum: {crc: '12'}", "'md5' or 'sha256'"),
        ("unpack: .", "unpack: ., parts: [3, 1]", "first number"),
        *(
            ("name: f", f"parts: [1, 2], name: 'f{braces}'", "nothing but {part} may stand in braces")
            for braces in ("{foo}", "{}", "{part.x}", "{part[0]}", "{", "{part:x y}")
        ),
        ("name: f", "name: d/f", "stay below the root"),
        ("site: s, ", "", "Field required"),
        ("}]}", "", "cannot be read"),
        (GOOD, "[1]", "cannot be read"),
    ],
)
def test_a_mistake_is_one_message(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    assert read_mirrors(path)["a"].all_files()[0].unpack == "."
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UserError, match=said) as error:
        read_mirrors(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.yaml cannot be read"):
        read_mirrors(tmp_path / "nowhere.yaml")


def test_it_says_that_it_could_not_be_tried() -> None:
    assert "None of it could be fetched" in MIRRORS.read_text()
