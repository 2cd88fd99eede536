from __future__ import annotations

from pathlib import Path

import pytest

from deepret.data.sets.rgbd import RGBD
from deepret.errors import UserError

OBJECTS = ("apple/apple_1", "apple/apple_2", "bell_pepper/bell_pepper_1", "coffee_mug/coffee_mug_5", "cap/cap_1")


@pytest.fixture
def root(write, photos: Path, text) -> Path:
    for path in OBJECTS:
        name = path.split("/")[1]
        for video, frames in ((1, (1, 2, 3, 10)), (2, (1, 2)), (4, (7,))):
            for frame in frames:
                stem = f"{path}/{name}_{video}_{frame}"
                for ending in ("_crop", "_depthcrop", "_maskcrop", "", "_depth", "_mask"):
                    write(f"{stem}{ending}.png")
                text(f"{stem}_loc.txt", "254,201\n")
    return photos


def frames(found, name: str) -> list[str]:
    return [Path(path).name for path in found.paths if Path(path).parent.name == name]


def test_every_second_frame_of_each_video(root: Path, told: list[str]) -> None:
    found = RGBD(str(root), every=2, cache=None).load()
    wanted = ["1_1", "1_3", "2_1", "4_7"]
    for path in OBJECTS:
        name = path.split("/")[1]
        assert frames(found, name) == [f"{name}_{frame}_crop.png" for frame in wanted]
    assert found.paths[0] == "apple/apple_1/apple_1_1_1_crop.png"
    assert set(found.labels) == {path.split("/")[1] for path in OBJECTS}
    assert told == [f"data=rgbd: {root} has other counts than are published: 5 of classes (300 are published)"]


def test_whole_frames(root: Path) -> None:
    found = RGBD(str(root), crop=False, every=1, cache=None).load()
    assert frames(found, "bell_pepper_1") == [
        f"bell_pepper_1_{frame}.png" for frame in ("1_1", "1_2", "1_3", "1_10", "2_1", "2_2", "4_7")
    ]


def test_objects_are_held_out(root: Path, table) -> None:
    found = table(RGBD(str(root), every=1, val_share=0.2, test_share=0.2, cache=None).load())
    splits = {label: split for _, label, split in found}
    assert sorted(splits.values()) == ["test", "train", "train", "train", "val"]
    assert all(splits[label] == split for _, label, split in found)


def test_another_folder_is_told(root: Path, photos: Path) -> None:
    with pytest.raises(UserError, match=r"there is no CATEGORY_N_VIDEO_FRAME_crop.png below it. https://rgbd.*ROOT is"):
        RGBD(str(root / "apple" / "apple_1" / "none"), cache=None).rows()
    with pytest.raises(UserError, match=r"there is no such folder.*https://rgbd-dataset"):
        RGBD(str(photos / "none"), cache=None).load()
