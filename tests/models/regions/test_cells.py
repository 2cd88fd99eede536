"""Every cell as a region."""

from __future__ import annotations

import torch

from deepret.models.regions.cells import Cells


def test_every_cell_of_every_map_row_by_row() -> None:
    regions = Cells()(torch.zeros(3, 5, 4, 6))
    wanted = [(b, [x, y, x + 1, y + 1]) for b in range(3) for y in range(4) for x in range(6)]
    assert list(zip(regions.image.tolist(), regions.boxes.tolist(), strict=True)) == wanted
    assert regions.boxes.dtype == regions.image.dtype == torch.int64
