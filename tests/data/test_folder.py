"""What is in a folder, through symbolic links too."""

from __future__ import annotations

from pathlib import Path

from deepret.data.folder import images_below, label_of


def test_linked_folders_are_entered_each_once(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for path in ("root/own/1.png", "root/own/.hidden/2.png", "elsewhere/deep/3.png", "elsewhere/4.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (root / "a link").symlink_to(elsewhere)
    (root / "another").symlink_to(elsewhere)
    (root / "an own one").symlink_to(root / "own")  # before it by name
    (root / ".hidden").symlink_to(elsewhere)
    (root / "gone").symlink_to(tmp_path / "gone")
    (root / "photograph.png").symlink_to(elsewhere / "4.jpg")
    (elsewhere / "up").symlink_to(root)
    (elsewhere / "deep" / "itself").symlink_to(elsewhere / "deep")
    found = images_below(root)
    wanted = ["a link/4.jpg", "a link/deep/3.png", "own/1.png", "photograph.png"]
    assert [path.relative_to(root).as_posix() for path in found] == wanted
    assert [label_of(root, path) for path in found] == ["a link", "a link", "own", ""]
    (tmp_path / "root too").symlink_to(root)
    assert len(images_below(tmp_path / "root too")) == 4
