"""Stanford Online Products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from deepret.benchmarks.classes import Classes
from deepret.data.sets.sop import SITE, read_products


class StanfordOnlineProducts(Classes):
    """Products of a marketplace: 60,502 test photographs of 11,316 products.

    - Source: https://cvgl.stanford.edu/projects/lifted_struct: Stanford_Online_Products.zip, whose folder ROOT is.
    - Query rule: leave one out among the test photographs, those of Ebay_test.txt.
    - Positives: the other photographs of the product. Ignored: the query itself.
    - Figures: recall@1, 10, 100 and 1,000; MAP@R and R-precision; mAP over whole rankings.
    - Image size: the network's own; published figures use crops of 224.
    - Partial: fewer than 60,502 photographs.

    Oh Song et al., Deep metric learning via lifted structured feature embedding, CVPR 2016.
    """

    name: ClassVar[str] = "sop"
    count: ClassVar[int] = 60_502
    recalls: ClassVar[Sequence[int]] = (1, 10, 100, 1000)
    site: ClassVar[str] = SITE

    def labelled(self) -> list[tuple[str, str]]:
        """From Ebay_test.txt: image_id class_id super_class_id path."""
        return read_products(self.lists, "Ebay_test.txt")
