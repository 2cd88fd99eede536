"""How fast a folder of photographs is described, as a share of the bare backbone's own speed; decoding counts in both.

    python timings/extraction.py                                  # generated photographs
    python timings/extraction.py --folder DIR --images 200 --size 512 --workers 2

Both run over the same batches from the same loader, with weights, layout in memory and precision alike; they
take turns, and the median of the ratios of neighbouring turns is printed last. The aim is at least 0.80.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from deepret.config import compose, resolve
from deepret.data.loading import photo_loader
from deepret.data.photo import Photo
from deepret.memory import keep_memory
from deepret.models.build import build_network
from deepret.models.network import Network
from deepret.search.describe import Describer


def generated(folder: Path, count: int) -> list[Photo]:
    """JPEGs of 512 pixels in four shapes, smooth shapes under fine grain, about as large as real ones."""
    generator = np.random.default_rng(0)
    photos = []
    for i in range(count):
        width, height = [(512, 384), (384, 512), (512, 341), (512, 288)][i % 4]
        coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)
        pixels = (smooth + generator.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)
        photos.append(Photo(folder / f"{i}.jpg"))
        Image.fromarray(pixels).save(photos[-1].path, quality=90)
    return photos


def bare(network: Network, photos: list[Photo], batch: int, workers: int) -> float:
    """Seconds for the maps alone."""
    start = time.perf_counter()
    with torch.inference_mode():
        for images, _ in photo_loader(photos, None, network.input, batch, workers):
            network.maps(images.contiguous(memory_format=torch.channels_last))
    return time.perf_counter() - start


def whole(network: Network, photos: list[Photo], batch: int, workers: int) -> float:
    """Seconds for codes, the way that every program takes."""
    start = time.perf_counter()
    Describer(network, batch_size=batch, workers=workers, progress=False)(photos)
    return time.perf_counter() - start


def main() -> None:
    keep_memory()  # as every program does
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="JPEG and PNG files; generated ones without it")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--size", type=int, default=256, help="larger side in pixels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("overrides", nargs="*", help="other parts, such as backbone=resnet50 regions=whole")
    given = parser.parse_args()

    overrides = ["data=catalogue", "data.root=.", f"input.size={given.size}", *given.overrides]
    network = build_network(resolve(compose("eval", overrides))).eval()
    if network.projection.needs_fit:
        network.projection.fit(torch.rand(2000, network.backbone.channels))
    with tempfile.TemporaryDirectory() as folder:
        if given.folder is None:
            photos = generated(Path(folder), given.images)
        else:
            files = sorted(p for p in given.folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
            photos = [Photo(path) for path in files[: given.images]]
        arguments = (network, photos, given.batch, given.workers)
        bare(*arguments), whole(*arguments)  # warm up
        ratios = []
        for turn in range(given.repeats):
            runs = [bare, whole] if turn % 2 == 0 else [whole, bare]
            seconds = {run.__name__: run(*arguments) for run in runs}
            ratios.append(seconds["bare"] / seconds["whole"])
            speeds = "  ".join(f"{name} {len(photos) / seconds[name]:6.1f} images/s" for name in ("bare", "whole"))
            print(f"{speeds}  ratio {ratios[-1]:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f} of {len(photos)} images at {given.size} px")


if __name__ == "__main__":
    main()
