"""Whether photographs that are fitted on are scored, by what is in them, as eval.py looks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deepret.data.duplicates.leaks import Scored, copies, refuse
from deepret.data.duplicates.prints import prints
from deepret.errors import UserError, closest
from deepret.parts import locate
from deepret.programs.leaks import benchmark_name, benchmark_prints, cache_of, catalogue_prints, scored_splits
from deepret.programs.tables.columns import Column


def check_allowed(columns: Sequence[Column], allow: Sequence[str]) -> None:
    """Refuses names in ``allow`` that no column has.

    Raises:
        UserError: one of them.
    """
    names = [column.name for column in columns]
    for name in allow:
        if name not in names:
            raise UserError(f"allow={name}: there is no such column; {closest(name, names)}")


def refuse_fitted(columns: Sequence[Column], fit: Column, drawn: Iterable[int], allow: Sequence[str]) -> None:
    """Refuses to fit on copies of photographs that are scored; hashes of photographs are kept below the cache.

    Args:
        columns: what is scored.
        fit: where the photographs that are fitted on are.
        drawn: which these are.
        allow: columns that may hold copies.

    Raises:
        UserError: there are some in another column.
    """
    rendered = _disjoint(fit)
    learned = [i for i in sorted({*drawn}) if fit.catalogue.views[i] or not rendered]
    looked = [scored_of(column) for column in columns if column.name not in allow] if learned else []
    scored = [one for one in looked if one is not None]
    if not scored:
        return
    catalogue = fit.catalogue.subset(learned)
    found, pairs = catalogue_prints(fit.config, catalogue), []
    for column_prints in scored:
        pairs += copies(catalogue, found, (), column_prints, within=False, cache=cache_of(fit.config))
    try:
        refuse(pairs, allow)
    except UserError as error:
        raise UserError(f"fit: {error}") from None


def scored_of(column: Column) -> Scored | None:
    """The photographs that a column scores; None of rendered ones, of which there are no copies."""
    if benchmark_name(column.config):
        own = benchmark_prints(column.config)
        return own and own._replace(name=column.name)
    if _disjoint(column):
        return None
    splits, catalogue = scored_splits(column.config, choosing=False), column.catalogue
    paths = [path for path, split in zip(catalogue.paths, catalogue.splits, strict=True) if split in splits]
    return Scored(column.name, prints(catalogue.root, paths, cache_of(column.config)))


def _disjoint(column: Column) -> bool:
    return bool(getattr(locate(column.config["data"]["_target_"]), "disjoint", False))
