"""Checkpoints: written whole or not at all, read without running anything that they hold."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any, cast

import torch
from pytorch_lightning.plugins import TorchCheckpointIO
from torch import nn

from deepret import __version__
from deepret.errors import UserError
from deepret.files import ROOM, write_whole

FORMAT = 2
"""Grows when older code could not read what newer code writes."""

DETECTOR = "detector"
"""What a detector's weights are called, beside the network's."""


def header(config: dict[str, Any], stage: str, score: float | None) -> dict[str, Any]:
    """What every checkpoint says of itself: format, version, the whole resolved configuration, stage, score on val."""
    return {"format": FORMAT, "version": __version__, "config": config, "stage": stage, "score": score}


def remedy(run: Path) -> str:
    """How a disk that takes no more is mended: once something is learned, the run goes on."""
    learned = any(run.glob("?-*/*"))
    return f"the last good state is kept: mend this, then go on with resume={run}." if learned else ROOM


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Writes a file of a run, whole or not at all.

    Raises:
        UserError: the disk is full or the folder cannot be written; what stood there still stands.
    """
    run = path.parent.parent if path.suffix == ".ckpt" else path.parent
    write_whole(path, data, remedy(run))


def save(checkpoint: dict[str, Any], path: Path) -> None:
    """Writes a checkpoint atomically."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_bytes(path, buffer.getbuffer())


def save_network(network: nn.Module, about: dict[str, Any], path: Path, detector: nn.Module | None = None) -> None:
    """Writes the weights of a network, and of a detector on top of it, with what their checkpoint says of itself."""
    modules = {"network": network} | ({} if detector is None else {DETECTOR: detector})
    weights = {
        f"{part}.{name}": value.detach().cpu()
        for part, module in modules.items()
        for name, value in module.state_dict().items()
    }
    save({"deepret": about, "state_dict": weights}, path)


def load(path: str | Path) -> dict[str, Any]:
    """Reads a checkpoint that deepret wrote; only tensors and plain containers are let in.

    Raises:
        UserError: no such file, no checkpoint, one of another program, or one of a newer or older format.
    """
    path = Path(path)
    if path.is_dir():
        inside = sorted(path.rglob("best.ckpt"))
        mend = f"name the file, such as {inside[-1]}." if inside else "and no best.ckpt is in it; name the file."
        raise UserError(f"{path}: this is a folder, {mend}")
    if not path.is_file():
        raise UserError(f"{path}: there is no such checkpoint; a run keeps them in its folders 1-…, 2-…, 3-….")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, zipfile.BadZipFile, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: this is no checkpoint that can be read ({type(error).__name__}): broken, "
            "or not written by deepret."
        ) from None
    about = found.get("deepret") if isinstance(found, dict) else None
    if not isinstance(about, dict) or not isinstance(about.get("config"), dict) or "state_dict" not in found:
        raise UserError(
            f"{path}: this checkpoint was not written by deepret: it lacks configuration or weights. "
            f"Weights of a backbone alone are given with backbone.weights={path}."
        )
    if about.get("format") != FORMAT:
        raise UserError(
            f"{path}: its format is {about.get('format')} (deepret {about.get('version')}), and this deepret "
            f"({__version__}) reads format {FORMAT}: use that version, or train again."
        )
    return cast("dict[str, Any]", found)


def network_state(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The network's own tensors, from the best checkpoint of a stage or from the state that a run goes on from."""
    return _state(checkpoint, "network")


def detector_state(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """A detector's tensors, from the same; empty where there is none."""
    return _state(checkpoint, DETECTOR)


def _state(checkpoint: dict[str, Any], part: str) -> dict[str, torch.Tensor]:
    prefix = f"{part}."
    return {key.removeprefix(prefix): v for key, v in checkpoint["state_dict"].items() if key.startswith(prefix)}


class AtomicIO(TorchCheckpointIO):
    """Lightning's checkpoints, through ``save`` and ``load``."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes the state of a run."""
        save(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Reads the state of a run."""
        return load(path)
