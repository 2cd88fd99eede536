"""What backbones find in views of photographs, batch by batch; kept on disk where that is asked for."""

from __future__ import annotations

import copy
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
from deepret.models.input.base import View
from deepret.models.network import Network
from deepret.models.types import Found, Given, Regions
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
    views: Sequence[View] | None = None,
) -> Iterator[tuple[list[Found], Tensor]]:
    """What a network's backbone finds in each view of photographs, and their positions (b,), in batches of one shape.

    Over all ranks each photograph once; the batches are the same with a store and without one. Where regions are found
    in the pixels, photographs are decoded for that even if their maps are kept.

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
        views: those of the network's input by default.

    Raises:
        UserError: a photograph that cannot be read.
    """
    views = network.input.views if views is None else views
    batches = one_shape_batches(photos, sizes, network.input, batch_size)[rank::world]
    kept = None if store is None else store.of(network)
    missing = [
        kept is None or not all(kept.path(photos[i], view).exists() for i in batch for view in views)
        for batch in batches
    ]
    missing = [m or network.needs_images for m in missing]
    images = iter(image_loader(photos, network.input, [b for b, m in zip(batches, missing, strict=True) if m], workers))
    for batch, is_missing in zip(batches, missing, strict=True):
        own = [photos[i] for i in batch]
        found = [None if kept is None else kept.batch(own, view, device) for view in views]
        boxes: list[Tensor] | None = None
        if is_missing or any(one is None for one in found):
            pixels = next(images)[0] if is_missing else torch.stack([network.input.tensor(photo) for photo in own])
            boxes = network.propose(pixels)
            # The strides of channels_last make convolutions a quarter faster; the weights may keep theirs.
            pixels = pixels.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
            for i, view in enumerate(views):
                if found[i] is None:
                    found[i] = made = network.look(pixels, view)
                    if kept is not None:
                        kept.write(own, view, made)
        seen = zip(views, found, strict=True)
        yield [network.beside(f, boxes, view.mirrored) for view, f in seen if f is not None], torch.tensor(batch)


class Store:
    """A folder with a file for each view of a photograph under each input and backbone; any may be deleted at any time.

    One that is damaged is made again; one that cannot be written is warned of once: it saves time, and stops no work.

    Args:
        folder: made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).expanduser()
        self._warned = False

    def of(self, network: Network) -> Store:
        """The store of one network's input and backbone, whatever comes after them.

        Which views there are, and how their codes are merged, is none of the key: each view has a file of its own.
        """
        plain = copy.copy(network.input)
        plain.scales, plain.flip, plain.merge = [1.0], False, "sum"
        looking = nn.ModuleDict({"input": plain, "backbone": network.backbone})
        precision = "bf16" if torch.is_autocast_enabled(network.input.mean.device.type) else "32"
        key = hashlib.sha256(f"{fingerprint(looking, MAPS)} {precision}".encode()).hexdigest()
        return Store(self.folder / key[:20])

    def path(self, photo: Photo, view: View) -> Path:
        """The file of a view of a photograph, by where this is, its size and its time of change.

        Raises:
            UserError: it is not there.
        """
        key = photos_key([photo])
        name = f"{key[2:40]} {view.scale:g}{' mirrored' if view.mirrored else ''}"
        return self.folder / key[:2] / f"{name}.safetensors"

    def read(self, photo: Photo, view: View) -> Given | None:
        """What was found in a view of one photograph: maps (1, C, H, W) or regions; None where it is not there."""
        try:
            with safe_open(self.path(photo, view), framework="pt") as file:
                if (file.metadata() or {}).get("kind") == "maps":
                    found: Tensor = file.get_tensor("maps")[None]
                    return found
                boxes = file.get_tensor("boxes")
                return Regions(boxes, torch.zeros(len(boxes), dtype=torch.int64), file.get_tensor("vectors"))
        except (OSError, SafetensorError):
            return None

    def write(self, photos: Sequence[Photo], view: View, found: Given) -> None:
        """Keeps what was found in a view of a batch of photographs, each by itself."""
        for i, photo in enumerate(photos):
            if isinstance(found, Tensor):
                tensors = {"maps": found[i].float().cpu().contiguous()}
            else:
                assert found.vectors is not None
                own = found.image == i
                tensors = {"vectors": found.vectors[own].float().cpu(), "boxes": found.boxes[own].cpu()}
            try:
                with replacing(self.path(photo, view)) as part:
                    save_file(tensors, part, {"kind": "maps" if isinstance(found, Tensor) else "regions"})
            except (UserError, SafetensorError) as error:
                if not self._warned:
                    warnings.warn(f"maps are not kept: {error} The work goes on.", stacklevel=2)
                self._warned = True

    def batch(self, photos: Sequence[Photo], view: View, device: torch.device) -> Given | None:
        """What was found in a view of several photographs, as one batch; None where one is not there."""
        each = []
        for photo in photos:
            if (one := self.read(photo, view)) is None:
                return None
            each.append(one)
        return together(each, device)


def together(images: Sequence[Given], device: torch.device) -> Given:
    """What was found in single images → the same of a batch of them."""
    maps = [one for one in images if isinstance(one, Tensor)]
    if maps:
        # NumPy copies in this one thread: torch's wait for each other where files are mapped and cores are taken.
        return torch.from_numpy(np.concatenate([one.numpy() for one in maps])).to(device)
    regions = [one for one in images if isinstance(one, Regions)]
    image = torch.arange(len(regions)).repeat_interleave(torch.tensor([len(one.boxes) for one in regions]))
    vectors = torch.cat([one.vectors for one in regions if one.vectors is not None])
    boxes = torch.cat([one.boxes for one in regions])
    return Regions(boxes.to(device), image.to(device), vectors.to(device))
