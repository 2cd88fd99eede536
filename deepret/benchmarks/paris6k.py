"""Paris6k and, with Oxford's distractors, Paris106k."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from deepret.benchmarks.buildings import Buildings
from deepret.benchmarks.truth import Truth
from deepret.data.check import look_at_all


class Paris6k(Buildings):
    """Paris buildings: 6,392 photographs, 55 queries, five for each of eleven landmarks.

    - Source: https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/: paris_1.tgz and paris_2.tgz unpacked into
      ROOT/images, paris_120310.tgz into ROOT/groundtruth; or gnd_paris6k.pkl in ROOT in place of the latter.
    - Query rule: the image is cut by the query's box, at the scale that the whole image has in the database.
    - Positives: good and ok. Ignored: junk. The query's own image counts as the lists say.
    - Image size: the network's own; published figures use a larger side of 1024.
    - Partial: fewer than 6,392 images, or one that the ground truth names is missing. Of the 6,412 published files 20
      are broken: those that cannot be decoded are no part of the benchmark.
    - Paris106k: ``distractors`` names the folder of the 100,071 photographs of Flickr100k.

    Philbin et al., Lost in quantization: Improving particular object retrieval in large scale image databases, CVPR
    2008.
    """

    name: ClassVar[str] = "paris6k"
    count: ClassVar[int] = 6392
    enlarged: ClassVar[tuple[str, int]] = ("paris106k", 100_071)
    archives: ClassVar[Mapping[str, str]] = {
        "images": "paris_1.tgz and paris_2.tgz",
        "groundtruth": "paris_120310.tgz",
    }
    site: ClassVar[str] = "https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/"

    def files(self, truth: Truth) -> dict[str, Path]:
        """The photographs by name, without broken ones."""
        found = super().files(truth)
        seen = look_at_all(self.root, [str(path) for path in found.values()], None)
        return {name: path for (name, path), what in zip(found.items(), seen, strict=True) if not what.wrong}
