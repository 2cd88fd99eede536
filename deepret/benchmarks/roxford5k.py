"""ROxford5k and, with its distractors, ROxford5k+1M."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from deepret.benchmarks.revisited import Revisited


class ROxford5k(Revisited):
    """Oxford buildings, revisited: 4,993 photographs and 70 queries that are none of them.

    - Source: gnd_roxford5k.pkl of http://cmp.felk.cvut.cz/revisitop in ROOT; the photographs of
      https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/ in ROOT/jpg.
    - Query rule: the image is cut by the query's box, at the scale that a whole image has.
    - Positives: medium, which ``mAP`` is, easy and hard; easy: easy; hard: hard. Ignored: junk; for easy the hard ones,
      too, and for hard the easy ones. A query without a positive is left out of that mean.
    - Image size: the network's own; published figures use a larger side of 1024.
    - Partial: one of the 4,993 images, or of the 70 queries, is missing, or more queries than 2 have no easy positive,
      or any has no hard one.
    - +1M: ``distractors`` names the 1,001,001 photographs of R1M, or their codes.

    Radenović et al., Revisiting Oxford and Paris: Large-scale image retrieval benchmarking, CVPR 2018.
    """

    name: ClassVar[str] = "roxford5k"
    count: ClassVar[int] = 4993
    enlarged: ClassVar[tuple[str, int]] = ("roxford5k+1m", 1_001_001)
    without: ClassVar[Mapping[str, int]] = {"easy": 2}
    site: ClassVar[str] = "https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/"
