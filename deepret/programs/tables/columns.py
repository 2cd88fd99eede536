"""The columns of the table: benchmarks, with their photographs, and what parts are fitted on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from deepret import config as configuration
from deepret.benchmarks.distractors import photographs_of
from deepret.benchmarks.none import NoBenchmark
from deepret.benchmarks.protocol import Benchmark
from deepret.data import members
from deepret.data.catalogue import Catalogue
from deepret.data.folder import check_folder
from deepret.errors import UserError
from deepret.parts import build, locate, signature
from deepret.programs.shared import check_benchmark, prepare, scored_file
from deepret.programs.tables.outside import sources_of
from deepret.programs.tables.rows import COLUMNS, ELSEWHERE, head_of, refuse_words

SCENES = "scenes"
FOLDERS = ("landmarks", "covers", "ukbench")
OWN = (SCENES, *FOLDERS, "fit")
"""What is said of a column by a setting of its own."""


@dataclass(frozen=True)
class Column:
    """A benchmark, or the photographs that parts are fitted on.

    Args:
        name: what it is called.
        words: all that it was asked for by.
        more: those of them that are about descriptors.
        config: its data and benchmark, resolved and checked.
    """

    name: str
    words: tuple[str, ...]
    more: tuple[str, ...]
    config: dict[str, Any]

    @property
    def given(self) -> str:
        """The setting that it was asked for by."""
        return self.name if self.name in OWN else f"benchmarks.{self.name}"

    @cached_property
    def catalogue(self) -> Catalogue:
        """The photographs of its data, read or rendered now.

        Raises:
            UserError: they are not there, or cannot be read.
        """
        try:
            found: Catalogue = build(self.config["data"], seed=self.config["seed"]).load()
        except UserError as error:
            raise UserError(self.told(error)) from None
        return found

    def told(self, error: UserError) -> str:
        """What is wrong with it, by the setting that it was asked for by."""
        text, root = str(error), "benchmark.root" if self.name == "ukbench" else "data.root"
        text = text.replace(f"{root}=", f"{self.name}=") if self.name in FOLDERS else text
        return text if text.startswith(f"{self.name}=") else f"{self.given}: {text}"

    @property
    def of_catalogue(self) -> bool:
        """Whether its data are what is scored, and not the benchmark's own files."""
        return "catalogue" in signature(self.config["benchmark"]["_target_"])

    def benchmark(self) -> Any:
        """The benchmark, with an index as configured."""
        return build(self.config["benchmark"], catalogue=self.catalogue if self.of_catalogue else None)

    @cached_property
    def content(self) -> dict[str, Any]:
        """What figures depend on of it, the same on every machine."""
        node = {key: value for key, value in self.config["benchmark"].items() if key not in ("root", "distractors")}
        found = self.catalogue.digest() if self.of_catalogue else digest_of(self.benchmark())
        index = self.config["index"]
        return {"benchmark": node, "index": index, "parts": sources_of([node, index]), "photographs": found}

    @cached_property
    def looked_at(self) -> int:
        """How many photographs are described to score it."""
        if self.of_catalogue:
            aside = {"train", "val"} - {self.config["benchmark"].get("split")}
            return sum(split not in aside for split in self.catalogue.splits)
        benchmark: Benchmark = self.benchmark()
        return len(benchmark.files(benchmark.truth()))


def read_columns(
    scenes: Sequence[str],
    folders: Mapping[str, str | None],
    ukbench: str | None,
    benchmarks: Mapping[str, Sequence[str]],
    cache: Path,
    configs: Sequence[str] = (),
) -> list[Column]:
    """Rendered scenes, then what else is asked for.

    Args:
        scenes: more words of the scenes, such as ``data.size=64``.
        folders: folders of photographs by their column's name; None for one that is not given.
        ukbench: a folder of UKB's photographs, or of some of them.
        benchmarks: words of more columns, by their names.
        cache: the cache folder.
        configs: more configuration folders.

    Raises:
        UserError: a folder that is not there, words that do not compose, or a name that two have.
    """
    named = any(word.startswith("data=") for word in scenes)
    asked = {SCENES: [*([] if named else ["data=scenes"]), *scenes]}
    for name, text in folders.items():
        if text is not None:
            path = Path(text).expanduser()
            check_folder(path, name)
            asked[name] = ["data=catalogue", f"data.root={configuration.quoted(path)}"]
    if ukbench is not None:
        path = Path(ukbench).expanduser()
        check_folder(path, "ukbench")
        asked["ukbench"] = ["benchmark=ukb", f"benchmark.root={configuration.quoted(path)}"]
    for name, words in benchmarks.items():
        if name in asked:
            raise UserError(f"benchmarks: there is a column {name} already; give this one another name.")
        asked[name] = list(words)
    return [read_column(name, words, cache, configs) for name, words in asked.items()]


def read_column(name: str, words: Sequence[str], cache: Path, configs: Sequence[str] = ()) -> Column:
    """A column from the words that eval.py takes.

    Raises:
        UserError: words that do not compose, or a benchmark that scores no network.
    """
    refuse_words(words, (*ELSEWHERE, "experiment"), name if name in OWN else f"benchmarks.{name}")
    own = [word for word in words if head_of(word) in COLUMNS]
    places = [f"cache={configuration.quoted(cache)}"]
    column = Column(name, tuple(words), tuple(word for word in words if head_of(word) not in COLUMNS), {})
    try:
        config = prepare(configuration.compose("eval", [*own, *places], [*configs]), "eval")
    except UserError as error:
        raise UserError(column.told(error)) from None
    if locate(config["benchmark"]["_target_"]) is NoBenchmark:
        raise UserError(f"{column.given}: benchmark=none scores nothing; name another one.")
    if (given := scored_file(config)) is not None:
        raise UserError(
            f"{column.given}: {given[0]}={given[1]} would be scored in place of each network; leave it out."
        )
    return replace(column, config=config)


def check_columns(columns: Sequence[Column], fit: Column) -> None:
    """Looks, before any work, for the photographs of columns and of what is fitted on.

    Rendered scenes come last: that takes a minute, where they have to be made.

    Raises:
        UserError: what is missing.
    """
    for column in sorted(columns, key=lambda column: column.name == SCENES):
        if column.of_catalogue:
            splits, wanted = {*column.catalogue.splits}, column.config["benchmark"].get("split", "test")
            if wanted not in splits and not (wanted == "test" and {"query", "gallery"} <= splits):
                raise UserError(
                    f"{column.given}: {column.catalogue.root} has no {wanted} split to be scored"
                    + (", nor query and gallery." if wanted == "test" else ".")
                )
        else:
            try:
                check_benchmark(column.config)
            except UserError as error:
                raise UserError(column.told(error)) from None
    if "train" not in fit.catalogue.splits:
        raise UserError(
            f"{fit.given}: {fit.catalogue.root} has no train split for parts to be fitted on: give "
            f"fit=[data=catalogue, data.root=DIR], a folder that has one, or fit=[data=scenes]."
        )


def digest_of(benchmark: Benchmark) -> str:
    """SHA-256 of a benchmark's ground truth, and of names and sizes of its photographs."""
    truth = benchmark.truth()
    digest = hashlib.sha256()
    for question in truth.questions:
        lists = {kind: sorted(names) for kind, names in question.lists.items()}
        digest.update(repr((question.name, question.image, question.box, sorted(lists.items()))).encode())
    for name, path in sorted(benchmark.files(truth).items()):
        digest.update(f"{name}\0{members.stat(path).size}\n".encode("utf-8", "surrogateescape"))
    for path in [] if benchmark.distractors is None else photographs_of(benchmark.distractors):
        digest.update(f"{path.name}\0{members.stat(path).size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
