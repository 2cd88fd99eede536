"""The multi-view RGB-D objects: views from a turntable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from deepret.data.folder import images_below
from deepret.data.listing import Row
from deepret.data.photographs import class_splits
from deepret.data.sets.published import PublishedSet
from deepret.errors import UserError

NAME = re.compile(r"(?P<object>.+_\d+)_(?P<video>\d+)_(?P<frame>\d+)(?P<crop>_crop)?\.png")
"""Of a colour picture: CATEGORY_N_VIDEO_FRAME.png, or _crop.png; depths, masks and places end otherwise."""


class RGBD(PublishedSet):
    """Views of 300 objects in 51 categories that turn on a table, from three heights; an object is a class.

    - Source: https://rgbd-dataset.cs.washington.edu/dataset: rgbd-dataset with the cut-out objects, or
      rgbd-dataset_full with whole frames (``crop=false``); ROOT is the folder of the categories.
    - Layout: CATEGORY/CATEGORY_N/CATEGORY_N_VIDEO_FRAME_crop.png, beside it _depthcrop.png, _maskcrop.png and _loc.txt
      (left and top of the cut-out), which are not used; whole frames end in FRAME.png, which is from memory.
    - Published use: one class an object, for networks that tell objects; every fifth frame where less will do, as
      rgbd-dataset_eval has it. Objects are held out here for val and test.

    Args:
        root: the folder of the categories.
        crop: the cut-out objects; false for whole frames.
        every: of each video the first of so many frames.
        strict: whether a file that cannot be read stops the run; otherwise it is reported once and left out.
        val_share: share of the objects that choose the best checkpoint.
        test_share: share of the objects for the last word.
        split_seed: of that draw.
        split: which split is scored.
        cache: where it is kept which files are sound.

    Lai et al., A large-scale hierarchical multi-view RGB-D object dataset, ICRA 2011.
    """

    name: ClassVar[str] = "rgbd"
    fetch: ClassVar[str] = (
        "https://rgbd-dataset.cs.washington.edu/dataset has it: ROOT is the folder rgbd-dataset, which holds "
        "apple/apple_1/apple_1_1_1_crop.png; with data.crop=false it is that with apple/apple_1/apple_1_1_1.png."
    )

    def __init__(
        self,
        root: str,
        crop: bool = True,
        every: PositiveInt = 5,
        strict: bool = False,
        val_share: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        test_share: Annotated[float, Field(ge=0, lt=1)] = 0.15,
        split_seed: NonNegativeInt = 0,
        split: Literal["val", "test"] = "test",
        cache: str | None = "~/.cache/deepret",
    ) -> None:
        super().__init__(root, strict, cache)
        self.crop = crop
        self.every = every
        self.val_share = val_share
        self.test_share = test_share
        self.split_seed = split_seed

    def rows(self) -> list[Row]:
        """From the names of the files, a video's frames in their order.

        Raises:
            UserError: there is no such picture.
        """
        videos: dict[tuple[str, int], list[tuple[int, str]]] = {}
        for path in images_below(self.root):
            found = NAME.fullmatch(path.name)
            if found and (found["crop"] is not None) == self.crop:
                video = videos.setdefault((found["object"], int(found["video"])), [])
                video.append((int(found["frame"]), path.relative_to(self.root).as_posix()))
        if not videos:
            kind = "_crop.png" if self.crop else ".png"
            raise UserError(f"data.root={self.root}: there is no CATEGORY_N_VIDEO_FRAME{kind} below it. {self.fetch}")
        splits = class_splits(sorted({label for label, _ in videos}), self.val_share, self.test_share, self.split_seed)
        return [
            Row(name, label, splits[label])
            for (label, _), frames in sorted(videos.items())
            for _, name in sorted(frames)[:: self.every]
        ]

    def published(self) -> Mapping[str, int]:
        """The objects; how many photographs there are depends on ``every``."""
        return {"classes": 300}
