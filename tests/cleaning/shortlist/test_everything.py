from __future__ import annotations

from deepret.cleaning.shortlist.everything import Everything


def test_all_pairs_however_many() -> None:
    assert Everything().limit(5000) is None
