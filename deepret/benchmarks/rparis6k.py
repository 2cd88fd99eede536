"""RParis6k and, with its distractors, RParis6k+1M."""

from __future__ import annotations

from typing import ClassVar

from deepret.benchmarks.revisited import Revisited


class RParis6k(Revisited):
    """Paris buildings, revisited: 6,322 photographs and 70 queries that are none of them.

    - Source: gnd_rparis6k.pkl of http://cmp.felk.cvut.cz/revisitop in ROOT; the photographs of
      https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/ in ROOT/jpg.
    - Query rule: the image is cut by the query's box, at the scale that a whole image has.
    - Positives: medium, which ``mAP`` is, easy and hard; easy: easy; hard: hard. Ignored: junk; for easy the hard ones,
      too, and for hard the easy ones. A query without a positive is left out of that mean.
    - Image size: the network's own; published figures use a larger side of 1024.
    - Partial: one of the 6,322 images, or of the 70 queries, is missing. The archives hold 6,412 files: those that are
      not listed, 20 broken ones among them, are not ranked.
    - +1M: ``distractors`` names the 1,001,001 photographs of R1M, or their codes.

    Radenović et al., Revisiting Oxford and Paris: Large-scale image retrieval benchmarking, CVPR 2018.
    """

    name: ClassVar[str] = "rparis6k"
    count: ClassVar[int] = 6322
    enlarged: ClassVar[tuple[str, int]] = ("rparis6k+1m", 1_001_001)
    site: ClassVar[str] = "https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/"
