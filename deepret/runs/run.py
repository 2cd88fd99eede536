"""The folder of one run: its configuration, state, checkpoints, logs and pictures."""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]

from deepret.distributed.ranks import rank
from deepret.errors import UserError
from deepret.files import PARTS
from deepret.runs.checkpoint import write_bytes
from deepret.runs.lock import hold, let_go
from deepret.runs.made_with import made_with

FORMAT = 3
"""Of ``run.json``; one of another is refused."""
PLACES = ("accelerator", "devices", "num_nodes", "strategy")
"""Where a trainer computes, which is nothing that a run depends on: it may go on elsewhere."""


class Run:
    """A training's folder.

    ``config.yaml`` is the whole resolved configuration; ``run.json`` says how far the run is; ``1-ranking``,
    ``2-proposals`` and ``3-ranking`` hold each stage's ``state.ckpt`` (to go on from) and ``best.ckpt`` (to use);
    ``metrics.csv``, ``pictures`` and ``result.json`` what came out.

    Args:
        folder: where it stands.
        config: the whole resolved configuration.
        state: what ``run.json`` holds.

    Attributes:
        fresh: whether it was made by this program.
    """

    def __init__(self, folder: Path, config: dict[str, Any], state: dict[str, Any]) -> None:
        self.folder = folder
        self.config = config
        self.state = state
        self.fresh = False

    @classmethod
    def start(cls, config: dict[str, Any], mark: str) -> Run:
        """Makes a new folder ``<output>/<date>_<time>_<name>``.

        Args:
            config: the whole resolved configuration.
            mark: the digest of what was asked for, by which the run is found again.

        Raises:
            UserError: the folder cannot be made.
        """
        stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        base = Path(config["output"]).expanduser() / f"{stamp}_{config['name']}"
        folder, twin = base, 1
        while True:
            try:
                folder.mkdir(parents=True)
                break
            except FileExistsError:
                folder, twin = base.with_name(f"{base.name}_{twin}"), twin + 1
            except OSError as error:
                raise UserError(f"output={config['output']}: no folder can be made there ({error.strerror}).") from None
        state: dict[str, Any] = {"format": FORMAT, "status": "running", "digest": mark, "made_with": [], "stages": {}}
        run = cls(folder, config, state)
        run.fresh = True
        try:
            run.hold()
            write_bytes(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(config)).encode())
            run.save()
        except UserError:
            run.discard()
            raise
        return run

    @classmethod
    def open(cls, path: str | Path, asked: str = "resume=") -> Run:
        """Opens the run that ``path`` is, or lies in: its folder, or a checkpoint of it.

        Args:
            path: of the run.
            asked: the word that named it, for messages.

        Raises:
            UserError: there is no run, or one of a newer or older format.
        """
        start = Path(path).expanduser()
        for folder in (start, *start.parents[:2]):
            if (folder / "run.json").is_file() and (folder / "config.yaml").is_file():
                try:
                    state = _read_state(folder)
                    config = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
                except (ValueError, OSError, YAMLError) as error:
                    said = " ".join(str(error).split())
                    raise UserError(f"{asked}{path}: run.json or config.yaml there cannot be read ({said}).") from None
                if state.get("format") != FORMAT:
                    raise UserError(
                        f"{asked}{path}: its format is {state.get('format')}, and this deepret goes on with format "
                        f"{FORMAT}: use the version that began it, or train again."
                    )
                assert isinstance(config, dict)
                return cls(folder, {str(k): v for k, v in config.items()}, state)
        last = ", or resume=last for the newest unfinished one" if asked == "resume=" else ""
        raise UserError(f"{asked}{path}: there is no run: name a run's folder{last}.")

    @classmethod
    def of(cls, output: str, mark: str) -> list[Run]:
        """The runs of one digest under an output folder, the newest first."""
        found = []
        for path in sorted(Path(output).expanduser().glob("*/run.json"), reverse=True):
            with suppress(ValueError, OSError):
                if _read_state(path.parent).get("digest") != mark:
                    continue
                try:
                    found.append(cls.open(path.parent))
                except UserError as error:
                    warnings.warn(f"left as it is: {error}", stacklevel=1)
        return found

    @property
    def done(self) -> bool:
        """Whether the run is finished, its result written."""
        return self.state.get("status") == "finished" and (self.folder / "result.json").is_file()

    @classmethod
    def last(cls, output: str, mark: str) -> Run:
        """The newest unfinished run of a digest under an output folder that no process trains in.

        Raises:
            UserError: there is none.
        """
        busy = ""
        for run in cls.of(output, mark):
            if run.state.get("status") == "finished":
                continue
            try:
                run.hold()
            except UserError as error:
                busy = busy or str(error)
                continue
            if run.state.get("status") != "finished":
                return run
            run.let_go()
        raise UserError(
            busy
            or f"resume=last: no unfinished run of this configuration lies under output={output}: start one without "
            f"resume, or name its folder with resume=PATH."
        )

    def hold(self) -> None:
        """Keeps other programs out of the run until ``let_go`` or the end of this process.

        What one that was killed had begun to write is cleared away, and what one has kept until now is read.

        Raises:
            UserError: another program trains in it.
        """
        hold(self.folder)
        with suppress(ValueError, OSError):  # nothing was kept yet
            self.state = _read_state(self.folder)
        for begun in self.folder.rglob(PARTS):
            begun.unlink(missing_ok=True)

    def made(self) -> None:
        """Keeps what the run is made with from now on, where it was something else before."""
        now, starts = made_with(), self.state["made_with"]
        if starts[-1:] != [now]:
            starts.append(now)
        self.state["status"] = "running"
        self.save()

    def discard(self) -> None:
        """Removes a folder that this program has made if nothing has been learned in it yet.

        Of several processes the first one does.
        """
        if self.fresh and rank() == 0 and not any(self.folder.glob("?-*/*")):
            self.let_go()
            shutil.rmtree(self.folder, ignore_errors=True)

    def let_go(self) -> None:
        """Lets other programs go on with the run."""
        let_go(self.folder)

    def stage(self, name: str) -> Path:
        """The folder of a stage."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def finished(self, stage: str) -> bool:
        """Whether a stage has ended."""
        return bool(self.state["stages"].get(stage, {}).get("finished"))

    def note(self, stage: str, **values: Any) -> None:
        """Keeps values of a stage."""
        self.state["stages"].setdefault(stage, {}).update(values)
        self.save()

    def save(self) -> None:
        """Writes ``run.json``, whole or not at all; of several processes the first one does."""
        if rank() == 0:
            write_bytes(self.folder / "run.json", json.dumps(self.state, indent=2).encode())


def _read_state(folder: Path) -> dict[str, Any]:
    state = json.loads((folder / "run.json").read_text())
    if not isinstance(state, dict):
        raise ValueError("run.json holds no state")
    return state


def digest(config: dict[str, Any]) -> str:
    """The digest of what is asked for; how a run is to go on, on which devices and logged where is no part of it.

    ``auto`` is what it is, whatever a machine chooses for it.
    """
    kept = {key: value for key, value in config.items() if key not in ("resume", "output", "logger")}
    kept["trainer"] = {key: value for key, value in config.get("trainer", {}).items() if key not in PLACES}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
