"""Parts that start from statistics of the training images, before any gradient."""

from __future__ import annotations

from typing import Any

import torch
from tqdm import tqdm

from deepret.data.catalogue import Catalogue
from deepret.data.loading import photo_loader
from deepret.models.network import Network
from deepret.search.describe import evaluating


def fitting_rows(catalogue: Catalogue, images: int, seed: int) -> list[int]:
    """At most ``images`` rows of the train split, drawn at random, in order.

    Unlabelled photographs are among them: they show more of the world than a few dozen landmarks, so the components
    that they bring out serve landmarks never seen.
    """
    train = [i for i, split in enumerate(catalogue.splits) if split == "train"]
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:images]
    return sorted(train[i] for i in order.tolist())


@torch.inference_mode()
def fit_projection(
    network: Network,
    catalogue: Catalogue,
    *,
    images: int,
    seed: int,
    batch_size: int,
    workers: int,
    device: torch.device,
) -> int:
    """Fits the projection, where it wants that, on region vectors of the train split; gives the number of images used.

    Args:
        network: its backbone, regions and pooling make the vectors.
        catalogue: where the train split is.
        images: at most so many, drawn at random.
        seed: seed of that draw.
        batch_size: images at once.
        workers: processes that decode.
        device: where to compute.
    """
    projection: Any = network.projection
    if not getattr(projection, "needs_fit", False) or bool(projection.fitted):
        return 0
    chosen = fitting_rows(catalogue, images, seed)
    photos, sizes = [catalogue.photo(i) for i in chosen], [catalogue.sizes[i] for i in chosen]
    network.to(device)
    vectors = []
    loader = photo_loader(photos, sizes, network.input, batch_size, workers)
    with (
        evaluating(network),
        tqdm(total=len(photos), desc="fitting the projection", unit=" images", disable=None, leave=False) as bar,
    ):
        for batch, _ in loader:
            vectors.append(network.region_vectors(batch.to(device)).float().cpu())
            bar.update(len(batch))
    projection.fit(torch.cat(vectors))
    return len(photos)
