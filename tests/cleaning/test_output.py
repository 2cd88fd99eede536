"""What a cleaning writes says where the photographs are."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepret.cleaning.output import seen_from


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A photograph at real/sub/photos/1.jpg, and a link to the folder beside its own."""
    for name in ("real/sub/clean", "real/sub/photos", "photos", "out"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "real/sub/photos/1.jpg").write_text("it")
    (tmp_path / "link").symlink_to("real/sub/clean")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "there"),
    [
        ("real/sub/photos/1.jpg", "../real/sub/photos/1.jpg"),
        ("link/../photos/1.jpg", "../real/sub/photos/1.jpg"),
        ("real/../link/../../sub/photos/1.jpg", "../real/sub/photos/1.jpg"),
        ("out/../real/sub/photos/1.jpg", "../real/sub/photos/1.jpg"),
    ],
)
def test_a_path_leads_to_its_photograph_through_links(linked: Path, file: str, there: str) -> None:
    found = seen_from(linked / "out", linked / file)
    assert found == there
    assert (linked / "out" / found).read_text() == "it"


def test_a_path_from_a_folder_that_is_a_link(linked: Path) -> None:
    found = seen_from(linked / "link", linked / "real/sub/photos/1.jpg")
    assert found == "../photos/1.jpg"
    assert (linked / "link" / found).read_text() == "it"


def test_a_linked_folder_keeps_its_name(linked: Path) -> None:
    (linked / "photos" / "a").symlink_to(linked / "real/sub/photos")
    assert seen_from(linked / "out", linked / "photos/a/1.jpg") == "../photos/a/1.jpg"


def test_a_member_of_a_tar(linked: Path) -> None:
    (linked / "real/sub/s.tar").touch()
    assert seen_from(linked / "out", linked / "link/../s.tar/a/1.jpg") == "../real/sub/s.tar/a/1.jpg"


def test_what_has_nothing_in_common_is_absolute(linked: Path) -> None:
    assert seen_from(linked / "out", Path("/elsewhere/1.jpg")) == "/elsewhere/1.jpg"
