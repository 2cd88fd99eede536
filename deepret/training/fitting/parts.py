"""Parts that start from statistics of the training images, before any gradient."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.models.network import Network
from deepret.models.types import Found, Regions
from deepret.search.describe import LACK, evaluating, exactly
from deepret.search.looked import Store, look
from deepret.training.fitting.vectors import VectorFile

FITTED = (("projection", "pooled"), ("aggregation", "projected"), ("head", "aggregated"))
"""Parts that may want to be fitted, in their order, and the network's step that gives what each is fitted on."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """On what parts are fitted, and how it is looked at.

    Args:
        images: of the train split at most so many, drawn at random.
        regions: of each image at most so many, drawn at random; codes count as one.
        seed: of both draws.
        batch_size: images at once.
        workers: processes that decode.
        device: where to compute.
        folder: where vectors lie meanwhile; they have no name there.
        store: where maps are kept, or None: then they are made for each part again.
    """

    images: int
    regions: int
    seed: int
    batch_size: int
    workers: int
    device: torch.device
    folder: Path
    store: Store | None = None

    def rows(self, catalogue: Catalogue, split: str = "train") -> list[int]:
        """The rows of a split that are drawn."""
        return fitting_rows(catalogue, self.images, self.seed, split)


def fitting_rows(catalogue: Catalogue, images: int, seed: int, split: str = "train") -> list[int]:
    """At most ``images`` rows of a split, drawn at random, in order.

    Unlabelled photographs are among them: they show more of the world than a few dozen landmarks, so the components
    that they bring out serve landmarks never seen.
    """
    there = [i for i, other in enumerate(catalogue.splits) if other == split]
    order = torch.randperm(len(there), generator=torch.Generator().manual_seed(seed))[:images]
    return sorted(there[i] for i in order.tolist())


def to_fit(network: Network) -> list[str]:
    """The parts of a network that start from statistics, and have none yet."""
    parts = [(name, getattr(network, name)) for name, _ in FITTED]
    return [name for name, part in parts if getattr(part, "needs_fit", False) and not bool(part.fitted)]


@torch.no_grad()
def fit_parts(network: Network, catalogue: Catalogue, fitting: Fitting) -> int:
    """Fits projection, aggregation and head on the train split, where they want that; gives the number of images used.

    Each is fitted on what the parts before it make of the same photographs: the projection on pooled vectors, the
    aggregation on projected ones, the head on codes. These lie on disk while they are looked at. A part whose
    ``adapt_to`` names a split is adapted to that one once it is fitted: ``adapt(vectors)``.

    Raises:
        UserError: a part cannot be fitted on them, there is nothing to adapt one to, or the disk is full.
    """
    network.to(fitting.device)
    wanted, train = to_fit(network), fitting.rows(catalogue)
    for name, step in FITTED:
        if name not in wanted:
            continue
        part = getattr(network, name)
        split = getattr(part, "adapt_to", None)
        target = fitting.rows(catalogue, split) if split else []
        if split and not target:
            raise UserError(
                f"{name}.adapt={split}: the data have no photographs of that split; they have "
                f"{', '.join(sorted(set(catalogue.splits)))}."
            )
        part.fit(*seen(network, catalogue, fitting, step, train, f"fitting the {name}"))
        if target:
            part.adapt(seen(network, catalogue, fitting, step, target, f"adapting the {name}")[0])
    return len(train) if wanted else 0


def seen(
    network: Network, catalogue: Catalogue, fitting: Fitting, step: str, rows: list[int], what: str
) -> tuple[Tensor, Tensor]:
    """What a step of a network gives for photographs of a catalogue: vectors (n, D), mapped from disk, and labels (n,).

    Photographs are looked at as they are, whatever views they are described in, and in float32. The vectors are in the
    order of the photographs, whatever the batches.

    Args:
        network: the network.
        catalogue: where the photographs are.
        fitting: how they are looked at.
        step: the network's method.
        rows: which photographs.
        what: what the bar says.

    Raises:
        UserError: local features, and none in any of the photographs.
    """
    photos, sizes = [catalogue.photo(i) for i in rows], [catalogue.sizes[i] for i in rows]
    labels = catalogue.label_ids()[rows]
    file, images = VectorFile(fitting.folder), []
    with (
        evaluating(network),
        exactly(fitting.device, "32"),
        tqdm(total=len(photos), desc=what, unit=" images", disable=None, leave=False) as bar,
    ):
        for views, where in look(
            network,
            photos,
            sizes,
            batch_size=fitting.batch_size,
            workers=fitting.workers,
            device=fitting.device,
            store=fitting.store,
            views=[network.input.plainest],
        ):
            vectors, image = vectors_of(network, step, views[0], len(where))
            kept = drawn(image, where, fitting.regions, fitting.seed)
            file.write(vectors[kept])
            images.append(where[image[kept]])
            bar.update(len(where))
    if not file.count:
        lack, mend = getattr(network.backbone, "lack", LACK)
        named = ", ".join(str(photo.path) for photo in photos[:2]) + (", …" if len(photos) > 2 else "")
        raise UserError(f"{named}: {what}: there is {lack} in any of the {len(photos):,} photographs. {mend}")
    order = torch.cat(images).argsort(stable=True)
    return file.read(order), labels[torch.cat(images)[order]]


def vectors_of(network: Network, step: str, found: Found, batch: int) -> tuple[Tensor, Tensor]:
    """What a step of a network gives for a batch of images: vectors (n, D) and their images (n,), on the CPU."""
    if step == "aggregated":
        codes = network.aggregated(found, batch=batch)
        return codes.vectors.float().cpu(), codes.image.cpu()
    regions: Regions = getattr(network, step)(found)
    assert regions.vectors is not None
    return regions.vectors.float().cpu(), regions.image.cpu()


def drawn(image: Tensor, where: Tensor, most: int, seed: int) -> Tensor:
    """The rows (n,) that are kept: all of an image, in their order, or ``most`` of them at random.

    Args:
        image: (N,) int64, the image of the batch that each row is of, ascending.
        where: (b,) int64, the number of each image, on which the draw depends and not on its batch.
        most: of each image.
        seed: of the draw.
    """
    counts = torch.bincount(image, minlength=len(where)).tolist()
    rows, start = [], 0
    for number, count in zip(where.tolist(), counts, strict=True):
        own = torch.arange(start, start + count)
        if count > most:
            order = torch.randperm(count, generator=torch.Generator().manual_seed(seed * 1_000_003 + number))
            own = own[order[:most].sort().values]
        rows.append(own)
        start += count
    return torch.cat(rows)
