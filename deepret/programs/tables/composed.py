"""Rows as configurations, and what of these decides figures, on any machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from deepret import config as configuration
from deepret.errors import UserError
from deepret.files import digest_of as digest_of_file
from deepret.models.build import PARTS
from deepret.parts import locate
from deepret.programs.overlay import overlay
from deepret.programs.sets import refuse_sets
from deepret.programs.shared import prepare
from deepret.programs.tables.outside import sources_of
from deepret.programs.tables.rows import Row, latest
from deepret.runs import checkpoint as checkpoints
from deepret.search.code_cache import software

digest_of = cache(digest_of_file)  # each cell asks for a checkpoint's again
MEASURED = ("data", "models", "search", "benchmarks", "training/fitting", "programs/tables/measured.py")
"""Of deepret's sources, those that figures depend on."""


class Composer:
    """Composes rows, each once.

    Args:
        words: of all rows, as eval.py takes them; a row's own replace these, and a column's a row's.
        place: the cache folder.
        keep_maps: whether maps are kept; those of checkpoints are not, whose backbones no other row has.
        folders: more configuration folders.
    """

    def __init__(self, words: Sequence[str], place: Path, keep_maps: bool, folders: Sequence[str]) -> None:
        self.words = tuple(words)
        self.places = (f"cache={configuration.quoted(place)}",)
        self.keep_maps = keep_maps
        self.folders = list(folders)
        self.plain = configuration.compose("eval", [*self.places], self.folders)
        self._made: dict[tuple[Row, tuple[str, ...]], dict[str, Any]] = {}

    def config(self, row: Row, more: tuple[str, ...] = (), column: str = "") -> dict[str, Any]:
        """A row's configuration, resolved and checked; its data and benchmark are the default ones.

        Args:
            row: the network.
            more: a column's words.
            column: where these were given.

        Raises:
            UserError: words that do not compose, an aggregation that adapts itself to what is scored, or regions that
                have to be trained first.
        """
        if (row, more) not in self._made:
            try:
                self._made[row, more] = self._config(row, self.words_of(row, more))
            except UserError as error:
                raise UserError(f"{self._blamed(row, more, column)}: {error}") from None
        return self._made[row, more]

    def words_of(self, row: Row, more: Sequence[str] = ()) -> list[str]:
        """What composes a row on a column: words of all rows, then its own, then the column's."""
        return latest(self.words, row.words, more)

    def _blamed(self, row: Row, more: Sequence[str], column: str) -> str:
        """Whose words do not compose: the row's own, those of all rows with it, or else the column's with both."""
        for where, words in ((f"row {row.name}", row.words), (f"words, of row {row.name}", self.words_of(row))):
            try:
                self._config(row, [*words])
            except UserError:
                return where
        return f"{column or ' '.join(more)}, of row {row.name}"

    def _config(self, row: Row, words: list[str]) -> dict[str, Any]:
        if row.checkpoint is None:
            maps = f"keep_maps={str(self.keep_maps).lower()}"
            cfg = configuration.compose("eval", [*words, *self.places, maps], self.folders)
        else:
            cfg = self._trained(row, [*words, *self.places])
        cfg.data, cfg.benchmark = self.plain.data, self.plain.benchmark
        config = prepare(cfg, "eval")
        if split := config["aggregation"].get("adapt"):
            raise UserError(
                f"aggregation.adapt={split}: a table fits a descriptor once for all columns, and each has other "
                f"photographs to adapt it to; leave it out, or score each by eval.py."
            )
        refuse_sets(config, "a table compares one code an image")
        trained = getattr(locate(config["regions"]["_target_"]), "trained", False)
        if trained and (row.checkpoint is None or row.before):
            raise UserError("its regions are an RPN that is untrained; take regions=grid, or give it as a checkpoint.")
        return config

    def _trained(self, row: Row, words: list[str]) -> DictConfig:
        """The configuration of a checkpoint's network, or of the one before it, with the regions that it began with."""
        assert row.checkpoint is not None
        stored = checkpoints.load(row.checkpoint)["deepret"]["config"]
        cfg = overlay(stored, words, str(row.checkpoint), self.folders)
        cfg.keep_maps = self.keep_maps and row.before
        if row.before and getattr(locate(stored["regions"]["_target_"]), "trained", False):
            cfg.regions = OmegaConf.create(stored["first_regions"])
        return cfg


def content_of(row: Row, config: dict[str, Any]) -> dict[str, Any]:
    """What a row's figures depend on, the same on every machine: files by what is in them, not by where they are."""
    network = {name: with_digests(config[name]) for name in (*PARTS, "stages")}
    after = None if row.checkpoint is None or row.before else digest_of(row.checkpoint)
    settings = {name: config[name] for name in ("seed", "evaluation_precision")}
    code = {"deepret": software(MEASURED), "parts": sources_of(network)}
    return {**network, **settings, **code, "checkpoint": after}


def with_digests(value: Any) -> Any:
    """A setting in which names of files are their content's."""
    if isinstance(value, dict):
        return {key: with_digests(one) for key, one in value.items()}
    if isinstance(value, str) and Path(value).suffix and Path(value).expanduser().is_file():
        return digest_of(Path(value).expanduser())
    return value
