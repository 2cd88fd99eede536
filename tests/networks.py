"""A network around any backbone, of the simplest parts there are."""

from __future__ import annotations

from typing import Any

from deepret.models.aggregation.sum import Sum
from deepret.models.head.l2 import L2
from deepret.models.input.base import Input
from deepret.models.input.longer import Longer
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.none import NoProjection
from deepret.models.regions.whole import Whole
from deepret.models.weighting.uniform import Uniform


def simplest(backbone: Any, kind: type[Input] = Longer, **settings: Any) -> Network:
    """The largest response of each channel, of length one; or the sum of local features.

    Args:
        backbone: with ``mean``, ``std`` and ``channels``.
        kind: of the input.
        settings: of the input.
    """
    return Network(
        input=kind(backbone.mean, backbone.std, **settings),
        backbone=backbone,
        regions=Whole(),
        pooling=Max(),
        projection=NoProjection(channels=backbone.channels),
        weighting=Uniform(),
        aggregation=Sum(),
        head=L2(),
    )
