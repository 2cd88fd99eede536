from __future__ import annotations

from deepret.cleaning.shortlist.everything import Everything


def test_all_pairs_however_many() -> None:
    names = [str(i) for i in range(5000)]
    assert Everything().partners(names, names, None) is None  # type: ignore[arg-type]
