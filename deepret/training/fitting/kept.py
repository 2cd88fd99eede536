"""Fitted parts kept on disk under the content that made them: one network is fitted on one set of photographs once."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.files import replacing
from deepret.models.network import Network
from deepret.search.code_cache import CODES, fingerprint, photos_key
from deepret.training.fitting.parts import Fitting, fit_parts, to_fit

FITTING = (*CODES, "training/fitting")
"""Of deepret's sources, those that fitted parts depend on."""


def fitted_once(network: Network, catalogue: Catalogue, fitting: Fitting) -> int:
    """``fit_parts``, or what came of it the last time that the same was asked; gives the number of images used.

    Args:
        network: the network.
        catalogue: where the train split is.
        fitting: on what and how; what came out is kept below its folder, in ``fitted``.

    Raises:
        UserError: a part cannot be fitted, or the disk is full.
    """
    wanted = to_fit(network)
    if not wanted:
        return 0
    rows = fitting.rows(catalogue)
    adapted = {getattr(getattr(network, name), "adapt_to", None) for name in wanted}
    others = [i for i, split in enumerate(catalogue.splits) if split in adapted]
    # The order of the vectors depends on the batches, and their last digits on device and threads.
    drawing = (fitting.images, fitting.regions, fitting.seed, fitting.batch_size)
    photos, labels = [catalogue.photo(i) for i in [*rows, *others]], catalogue.label_ids()[rows].tolist()
    settings = repr((len(rows), labels, drawing, fitting.device.type, torch.get_num_threads()))
    parts = (fingerprint(network, FITTING), photos_key(photos), settings)
    key, kept = hashlib.sha256("\n".join(parts).encode()).hexdigest(), FittedParts(fitting.folder / "fitted")
    if kept.read(key, network, wanted):
        return len(rows)
    used = fit_parts(network, catalogue, fitting)
    kept.write(key, network, wanted)
    return used


class FittedParts:
    """A folder of safetensors files, one for each network and set of photographs.

    Any of them may be deleted at any time. One that is damaged reads as absent. One that cannot be written is warned
    of: it saves time, and stops no work.

    Args:
        folder: made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).expanduser()

    def read(self, key: str, network: Network, names: Sequence[str]) -> bool:
        """Fills parts of a network with what they came out as, and says whether it was there."""
        try:
            with safe_open(self.folder / f"{key}.safetensors", framework="pt") as file:
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                whole = (file.metadata() or {}).get("sha256") == _checksum(found)
        except (OSError, SafetensorError):
            return False
        own = _state(network, names)
        if not whole or {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in own.items()}:
            return False
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(found[name])
        return True

    def write(self, key: str, network: Network, names: Sequence[str]) -> None:
        """Keeps fitted parts: whole or not at all; none where one does not keep in its state that it is fitted."""
        state = {name: value.detach().cpu().clone().contiguous() for name, value in _state(network, names).items()}
        known = {key.partition(".")[0] for key in state if key.endswith(".fitted")}
        if not known.issuperset(names):
            return
        try:
            with replacing(self.folder / f"{key}.safetensors") as part:
                save_file(state, part, {"sha256": _checksum(state)})
        except (UserError, SafetensorError) as error:
            warnings.warn(f"fitted parts are not kept: {error} The work goes on.", stacklevel=2)


def _state(network: Network, names: Sequence[str]) -> dict[str, Tensor]:
    """The tensors of parts, by the part's name and their own."""
    return {f"{name}.{key}": value for name in names for key, value in getattr(network, name).state_dict().items()}


def _checksum(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().flatten().view(torch.uint8).numpy())  # type: ignore[arg-type]
    return digest.hexdigest()
