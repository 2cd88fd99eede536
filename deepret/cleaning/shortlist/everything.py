"""Every pair of a class."""

from __future__ import annotations

from deepret.cleaning.features.store import FeatureStore
from deepret.cleaning.shortlist.base import Partners, Shortlist


class Everything(Shortlist):
    """Compares every photograph of a class with every other: n (n − 1) / 2 pairs, whatever n is."""

    def limit(self, count: int) -> None:
        """No limit, however many there are."""

    def partners(self, paths: list[str], sample: list[str], store: FeatureStore) -> Partners:
        """Is never asked.

        Raises:
            AssertionError: always.
        """
        raise AssertionError("every pair is compared, so nobody asks which")
