"""What it costs to describe a photograph, with several networks against each other in one run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from deepret.data.photo import Photo
from deepret.models.build import build_network, load_state
from deepret.models.network import Network
from deepret.parts import build
from deepret.runs import checkpoint as checkpoints
from deepret.search.describe import evaluating


def costs(checkpoints_of: Mapping[str, Path], count: int) -> dict[str, float]:
    """Milliseconds that each network takes for a photograph of the data that the first one was trained on.

    Args:
        checkpoints_of: a checkpoint for each name.
        count: photographs, the first of the test split, or of whatever there is.

    Raises:
        UserError: a checkpoint or data that cannot be read.
    """
    loaded = {name: checkpoints.load(path) for name, path in checkpoints_of.items()}
    networks = {}
    for name, found in loaded.items():
        networks[name] = build_network(found["deepret"]["config"], weights=False)
        load_state(networks[name], checkpoints.network_state(found), str(checkpoints_of[name]))
    config = next(iter(loaded.values()))["deepret"]["config"]
    catalogue = build(config["data"], seed=config["seed"]).load()
    rows = [row for row, split in enumerate(catalogue.splits) if split == "test"] or list(range(len(catalogue)))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return milliseconds(networks, [catalogue.photo(row) for row in rows[:count]], device)


@torch.inference_mode()
def milliseconds(
    networks: Mapping[str, Network], photos: Sequence[Photo], device: torch.device, turns: int = 5
) -> dict[str, float]:
    """Milliseconds that each network takes for a photograph that is decoded: the mean of each one's quickest turn.

    The networks take turns at each photograph, so that whatever else the machine does falls on all of them.

    Args:
        networks: by name.
        photos: one at a time.
        device: where to compute.
        turns: times that each network describes each photograph, after once for nothing.
    """
    quickest = {name: [float("inf")] * len(photos) for name in networks}
    with ExitStack() as stack:
        for network in networks.values():
            stack.enter_context(evaluating(network.to(device)))
        for number, photo in enumerate(photos):
            images = {name: network.input.tensor(photo)[None].to(device) for name, network in networks.items()}
            for turn in range(turns + 1):
                for name, network in networks.items():
                    start = time.perf_counter()
                    network(images[name])
                    if device.type == "cuda":
                        torch.cuda.synchronize(device)
                    taken = 1000 * (time.perf_counter() - start)
                    if turn:
                        quickest[name][number] = min(quickest[name][number], taken)
    return {name: sum(each) / len(each) for name, each in quickest.items()}
