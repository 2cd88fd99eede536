"""What backbones find in photographs, batch by batch; kept on disk where that is asked for."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from deepret.data.loading import image_loader, one_shape_batches
from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.files import replacing
from deepret.models.network import Network
from deepret.models.types import Found, Regions
from deepret.search.code_cache import MAPS, fingerprint, photos_key


def look(
    network: Network,
    photos: Sequence[Photo],
    sizes: Sequence[tuple[int, int]] | None,
    *,
    batch_size: int,
    workers: int,
    device: torch.device,
    rank: int = 0,
    world: int = 1,
    store: Store | None = None,
) -> Iterator[tuple[list[Found], Tensor]]:
    """What a network's backbone finds in each view of photographs, and their positions (b,), in batches of one shape.

    Over all ranks each photograph once; the batches are the same with a store and without one.

    Args:
        network: in evaluation mode; its input and backbone are used, and its device is where it is.
        photos: n of them.
        sizes: upright width and height of each, where they are known.
        batch_size: photographs at once.
        workers: processes that decode.
        device: where the network is.
        rank: this process' number.
        world: number of processes.
        store: where it is kept and looked for; nowhere by default.

    Raises:
        UserError: a photograph that cannot be read.
    """
    batches = one_shape_batches(photos, sizes, network.input, batch_size)[rank::world]
    kept = None if store is None else store.of(network)
    missing = [kept is None or not all(kept.path(photos[i]).exists() for i in batch) for batch in batches]
    images = iter(image_loader(photos, network.input, [b for b, m in zip(batches, missing, strict=True) if m], workers))
    for batch, is_missing in zip(batches, missing, strict=True):
        found = None if is_missing or kept is None else kept.batch([photos[i] for i in batch], device)
        if found is None:
            pixels = next(images)[0] if is_missing else torch.stack([network.input.tensor(photos[i]) for i in batch])
            # The strides of channels_last make convolutions a quarter faster; the weights may keep theirs.
            pixels = pixels.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
            found = network.views(pixels)
            if kept is not None:
                for row, one in zip(batch, apart(found, len(batch)), strict=True):
                    kept.write(photos[row], one)
        yield found, torch.tensor(batch)


class Store:
    """A folder with a file for each photograph under each input and backbone; any of them may be deleted at any time.

    One that is damaged is made again; one that cannot be written is warned of once: it saves time, and stops no work.

    Args:
        folder: made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).expanduser()
        self._warned = False

    def of(self, network: Network) -> Store:
        """The store of one network's input and backbone, whatever comes after them.

        Codes that are merged otherwise come from the same views, and a setting of that is none of the key.
        """
        looking = nn.ModuleDict({"input": network.input, "backbone": network.backbone})
        merge, network.input.merge = network.input.merge, "sum"
        try:
            precision = "bf16" if torch.is_autocast_enabled(network.input.mean.device.type) else "32"
            key = hashlib.sha256(f"{fingerprint(looking, MAPS)} {precision}".encode()).hexdigest()
        finally:
            network.input.merge = merge
        return Store(self.folder / key[:20])

    def path(self, photo: Photo) -> Path:
        """The file of a photograph, by where it is, its size and its time of change.

        Raises:
            UserError: it is not there.
        """
        key = photos_key([photo])
        return self.folder / key[:2] / f"{key[2:40]}.safetensors"

    def read(self, photo: Photo) -> list[Found] | None:
        """What was found in each view of one photograph: maps (1, C, H, W) or regions; None where it is not there."""
        try:
            with safe_open(self.path(photo), framework="pt") as file:
                count = int((file.metadata() or {})["views"])
                if (file.metadata() or {}).get("kind") == "maps":
                    return [file.get_tensor(f"{i}")[None] for i in range(count)]
                return [
                    Regions(boxes, torch.zeros(len(boxes), dtype=torch.int64), file.get_tensor(f"{i}.vectors"))
                    for i in range(count)
                    for boxes in (file.get_tensor(f"{i}.boxes"),)
                ]
        except (OSError, SafetensorError, KeyError, ValueError):
            return None

    def write(self, photo: Photo, views: list[Found]) -> None:
        """Keeps what was found in each view of one photograph."""
        tensors: dict[str, Tensor] = {}
        for i, found in enumerate(views):
            if isinstance(found, Tensor):
                tensors[f"{i}"] = found[0].float().cpu().contiguous()
            else:
                assert found.vectors is not None
                tensors |= {f"{i}.vectors": found.vectors.float().cpu(), f"{i}.boxes": found.boxes.cpu()}
        kind = "maps" if isinstance(views[0], Tensor) else "regions"
        try:
            with replacing(self.path(photo)) as part:
                save_file(tensors, part, {"views": str(len(views)), "kind": kind})
        except (UserError, SafetensorError) as error:
            if not self._warned:
                warnings.warn(f"maps are not kept: {error} The work goes on.", stacklevel=2)
            self._warned = True

    def batch(self, photos: Sequence[Photo], device: torch.device) -> list[Found] | None:
        """What was found in each view of several photographs, as one batch; None where one is not there."""
        each = [views for views in map(self.read, photos) if views is not None]
        return together(each, device) if len(each) == len(photos) else None


def together(images: Sequence[list[Found]], device: torch.device) -> list[Found]:
    """What was found in the views of single images → the same of a batch of them."""
    views: list[Found] = []
    for each in zip(*images, strict=True):
        maps = [one for one in each if isinstance(one, Tensor)]
        regions = [one for one in each if isinstance(one, Regions)]
        if maps:
            # NumPy copies in this one thread: torch's wait for each other where files are mapped and cores are taken.
            views.append(torch.from_numpy(np.concatenate([one.numpy() for one in maps])).to(device))
            continue
        image = torch.arange(len(regions)).repeat_interleave(torch.tensor([len(one.boxes) for one in regions]))
        vectors = torch.cat([one.vectors for one in regions if one.vectors is not None])
        boxes = torch.cat([one.boxes for one in regions])
        views.append(Regions(boxes.to(device), image.to(device), vectors.to(device)))
    return views


def apart(views: list[Found], batch: int) -> list[list[Found]]:
    """What was found in a batch of images → the same of each image, as a batch of one."""
    return [[_one(found, i) for found in views] for i in range(batch)]


def _one(found: Found, i: int) -> Found:
    if isinstance(found, Tensor):
        return found[i : i + 1]
    assert found.vectors is not None
    own = found.image == i
    return Regions(found.boxes[own], torch.zeros_like(found.image[own]), found.vectors[own])
