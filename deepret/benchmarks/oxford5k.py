"""Oxford5k and, with its distractors, Oxford105k."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from deepret.benchmarks.buildings import Buildings


class Oxford5k(Buildings):
    """Oxford buildings: 5,063 photographs, 55 queries, five for each of eleven landmarks.

    - Source: https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/: oxbuild_images.tgz unpacked into ROOT/images,
      gt_files_170407.tgz into ROOT/groundtruth; or gnd_oxford5k.pkl in ROOT in place of the latter.
    - Query rule: the image is cut by the query's box, at the scale that the whole image has in the database.
    - Positives: good and ok. Ignored: junk. The query's own image counts as the lists say.
    - Image size: the network's own; published figures use a larger side of 1024.
    - Partial: fewer than 5,063 images, or one that the ground truth names is missing. A query is left out where its
      image or every positive is missing. Images beyond the 5,063 are said in the name too; the
      pickle lists all images, and others are not ranked.
    - Oxford105k: ``distractors`` names the folder of the 100,071 photographs of Flickr100k.

    Philbin et al., Object retrieval with large vocabularies and fast spatial matching, CVPR 2007.
    """

    name: ClassVar[str] = "oxford5k"
    count: ClassVar[int] = 5063
    enlarged: ClassVar[tuple[str, int]] = ("oxford105k", 100_071)
    prefix: ClassVar[str] = "oxc1_"
    archives: ClassVar[Mapping[str, str]] = {"images": "oxbuild_images.tgz", "groundtruth": "gt_files_170407.tgz"}
    site: ClassVar[str] = "https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/"
