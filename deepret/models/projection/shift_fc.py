"""DIR's projection, which starts as a PCA and learns on."""

from __future__ import annotations

from torch import Tensor, nn

from deepret.models.projection.pca import PCA


class ShiftFC(PCA):
    """Shifts region vectors and projects them by a layer without bias, both learned: y = L2(W (L2(x) − s)).

    s and W start as the mean and the rows of a PCA of the training split's region vectors, and then learn with the
    convolutions.

    Args:
        channels: C, from the backbone.
        dim: D, the length of a region's code.
        whitening: w of the PCA that it starts from.
        normalise: whether the projected vectors are brought to length one too.

    Shape:
        (N, C) → (N, D), rows of length one unless told otherwise.

    Raises:
        UserError: more dimensions than channels; used before it is fitted; too few vectors to fit it.

    Paper: Gordo, Almazán, Revaud, Larlus, "Deep image retrieval: learning global representations for image search",
    ECCV 2016.
    """

    def _keep(self, mean: Tensor, rows: Tensor) -> None:
        self.mean = nn.Parameter(mean)
        self.rows = nn.Parameter(rows)
