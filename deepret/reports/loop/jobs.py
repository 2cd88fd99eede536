"""Which runs the comparison of noisy and cleaned data takes, and the words of each."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepret.config import quoted
from deepret.errors import UserError

AS_LONG = "stages.ranking=5"
"""Epochs over the grid, as many as training over proposals takes in its two rankings."""
PHOTOGRAPHS = "photographs"
"""What the set of real photographs is called among the rendered ones, which are called NOISE/SEED."""


@dataclass(frozen=True)
class Scenes:
    """A set of rendered scenes.

    Args:
        noise: share of the train pictures under a wrong label.
        seed: of the set, and of the networks that are trained on it.
    """

    noise: float
    seed: int

    @property
    def name(self) -> str:
        """NOISE/SEED, as the sets are asked for."""
        return f"{self.noise:g}/{self.seed}"


@dataclass(frozen=True)
class Job:
    """One run of a program.

    Args:
        scenes: name of the set that it is about.
        kind: ``cleaning``; or what is trained on: ``noisy``, or ``cleaned`` over the grid, or with proposals from the
            network's own ``response`` or from the cleaning's ``boxes``, or over the grid for ``longer``, as many epochs
            as those two take.
        words: what its figures depend on.
        places: words that name folders, which may be others on another machine.
        needs: the folder of the cleaning whose photographs it learns from.
    """

    scenes: str
    kind: str
    words: tuple[str, ...]
    places: tuple[str, ...]
    needs: Path | None = None

    @property
    def name(self) -> str:
        """How results call it."""
        return f"{self.scenes} {self.kind}"

    @property
    def command(self) -> tuple[str, ...]:
        """The program and all its words."""
        program = "clean" if self.kind == "cleaning" else "train"
        return ("deepret", program, *self.words, *self.places)

    @property
    def shown(self) -> str:
        """The command as it is typed."""
        return shlex.join(["python", "-m", *self.command])


@dataclass(frozen=True)
class Words:
    """What is added to the words of jobs.

    Args:
        data: to those about rendered scenes: settings of the renderer.
        cleaning: to every cleaning.
        training: to every training.
    """

    data: tuple[str, ...] = ()
    cleaning: tuple[str, ...] = ()
    training: tuple[str, ...] = ()


def read_sets(names: Sequence[str]) -> list[Scenes]:
    """The sets that NOISE/SEED name, each once.

    Raises:
        UserError: a name that is none, or no name.
    """
    found = []
    for name in names:
        noise, _, seed = name.partition("/")
        share = float(noise) if noise.replace(".", "", 1).isdecimal() else -1.0
        if not (0 <= share <= 1 and seed.isdecimal()):
            raise UserError(f"sets={name}: write NOISE/SEED with noise from 0 to 1, such as 0.4/0.")
        found.append(Scenes(share, int(seed)))
    if not found:
        raise UserError("sets=[]: there is nothing to train on; sets=[0.4/0] trains on one set.")
    return list(dict.fromkeys(found))


def scene_jobs(scenes: Scenes, output: Path, cache: Path, more: Words) -> list[Job]:
    """The runs on a set of rendered scenes: the cleaning, then the trainings."""
    data = ("data=scenes", f"data.noise={scenes.noise:g}", f"data.seed={scenes.seed}", *more.data)
    mark = f"{scenes.noise:g}-{scenes.seed}"
    cleaned = cleaned_folder(output, scenes.name)
    seed = f"seed={scenes.seed}"
    given = {
        "response": ("regions=rpn", "boxes=response"),
        "boxes": ("regions=rpn", "boxes=given"),
        "longer": ("regions=grid", AS_LONG),
    }

    def training(kind: str, words: tuple[str, ...], root: Path | None) -> Job:
        words = (*words, seed, f"name={kind}-{mark}", *more.training)
        return Job(scenes.name, kind, words, training_places(output, cache, root), root)

    return [
        cleaning_job(scenes.name, (*data, "splits=[train,val]", *more.cleaning), output, cache),
        training("noisy", data, None),
        *(training(kind, ("data=catalogue", *words), cleaned) for kind, words in given.items()),
    ]


def photograph_jobs(root: Path, output: Path, cache: Path, more: Words) -> list[Job]:
    """The runs on real photographs: the cleaning, then training on the noisy and on the cleaned ones over the grid."""
    cleaned = cleaned_folder(output, PHOTOGRAPHS)
    there = f"data.root={quoted(root)}"

    def training(kind: str, folder: Path) -> Job:
        words = (
            "experiment=landmarks",
            "data=catalogue",
            "regions=grid",
            "seed=0",
            f"name={kind}-{PHOTOGRAPHS}",
            *more.training,
        )
        needs = cleaned if folder == cleaned else None
        return Job(PHOTOGRAPHS, kind, words, training_places(output, cache, folder), needs)

    words = ("data=catalogue", "splits=[train,val]", *more.cleaning)
    return [
        cleaning_job(PHOTOGRAPHS, words, output, cache, there),
        training("noisy", root),
        training("cleaned", cleaned),
    ]


def cleaning_job(name: str, words: tuple[str, ...], output: Path, cache: Path, *more: str) -> Job:
    """The cleaning of a set; one that ended without being noted is made again, from compared pairs that are kept."""
    places = (*more, f"out={quoted(cleaned_folder(output, name))}", f"cache={quoted(cache)}", "overwrite=true")
    return Job(name, "cleaning", words, places)


def cleaned_folder(output: Path, name: str) -> Path:
    """Where the cleaned photographs of a set are listed."""
    return output / f"cleaned-{name.replace('/', '-')}"


def training_places(output: Path, cache: Path, root: Path | None) -> tuple[str, ...]:
    """The words of a training that name folders, and how it goes on where it was cut off."""
    there = () if root is None else (f"data.root={quoted(root)}",)
    return (*there, f"output={quoted(output / 'runs')}", f"cache={quoted(cache)}", "resume=auto")
