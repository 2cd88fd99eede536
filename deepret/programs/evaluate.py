"""``deepret eval``: scores a network as it is before training, or a checkpoint."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from deepret import config as configuration
from deepret.benchmarks.result import Result
from deepret.config import build, locate
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError
from deepret.models.build import build_network, load_state
from deepret.models.network import Network
from deepret.programs.shared import (
    describer,
    device_of,
    evaluate_network,
    first_network,
    index_of,
    last_line,
    prepare,
    quiet,
    threads,
)
from deepret.reports.gallery import gallery, save_png
from deepret.reports.table import results_table
from deepret.search.reduced import reduce_codes
from deepret.training import checkpoint as checkpoints
from deepret.training.distributed import rank
from deepret.training.fit import fitting_rows
from deepret.training.processes import first


def evaluate(cfg: DictConfig, overrides: list[str]) -> dict[str, Any]:
    """Scores what is configured and gives the figures that the last line prints.

    Raises:
        UserError: an untrained RPN, a checkpoint that cannot be read or does not fit, data that are not there.
    """
    start = time.perf_counter()
    quiet()
    path = cfg.get("checkpoint")
    found = checkpoints.load(path) if path else None
    if found is not None:
        cfg = overlay(OmegaConf.create(found["deepret"]["config"]), cfg, overrides)
    config = prepare(cfg)
    threads(config)
    device = device_of(config)
    if found is None and getattr(locate(config["regions"]["_target_"]), "trained", False):
        raise UserError(
            "regions=rpn: its RPN is untrained, so it has no proposals to give: name a trained one with "
            "checkpoint=PATH, or take regions=grid."
        )
    catalogue = first(lambda: catalogue_of(config))
    if found is None:
        network = first_network(config, catalogue, device)
    else:
        network = build_network(config, weights=False)
        changed = ("regions.",) if config["regions"] != found["deepret"]["config"]["regions"] else ()
        load_state(network, checkpoints.network_state(found), str(path), optional=changed)
    result = scored(network, config, catalogue, device)
    name = "untrained" if found is None else str(found["deepret"]["stage"])
    print(results_table({name: result}), flush=True)
    values: dict[str, Any] = {**result.summary(), "checkpoint": path}
    if config.get("gallery") and rank() == 0:
        folder = Path(config["output"]) / "eval" if found is None else Path(path).parent / "pictures"
        values["picture"] = str(save_png(gallery(result), folder / "results.png"))
        print(f"picture: {values['picture']}")
    values["seconds"] = round(time.perf_counter() - start, 1)
    last_line(values)
    return values


def overlay(stored: DictConfig, given: DictConfig, overrides: list[str]) -> DictConfig:
    """A checkpoint's configuration, with what the command line says put over it.

    Args:
        stored: the configuration in the checkpoint.
        given: eval.yaml as composed.
        overrides: the command line's words; only what they name is taken from ``given``.
    """
    merged = OmegaConf.merge(stored)
    assert isinstance(merged, DictConfig)
    for key in ("checkpoint", "gallery", "dims"):
        OmegaConf.update(merged, key, given[key], force_add=True)
    OmegaConf.update(merged, "gallery", bool(given.gallery))
    groups = configuration.groups()
    for word in overrides:
        key = word.lstrip("+~").partition("=")[0].partition("@")[0]
        if key in ("experiment", "debug") or key.startswith("hydra"):
            continue
        for name in (key, *followers(given, key)):
            value = given[key] if name in groups else OmegaConf.select(given, name)
            OmegaConf.update(merged, name, value, merge=False, force_add=True)
    return merged


def followers(cfg: DictConfig, key: str, prefix: str = "") -> list[str]:
    """The settings that take their value from another one, as ``benchmark.split: ${data.split}`` does."""
    found = []
    for name in map(str, cfg):
        if OmegaConf.is_interpolation(cfg, name):
            if OmegaConf.to_container(cfg, resolve=False)[name] == f"${{{key}}}":  # type: ignore[index,call-overload]
                found.append(f"{prefix}{name}")
        elif not OmegaConf.is_missing(cfg, name) and isinstance(cfg[name], DictConfig):
            found += followers(cfg[name], key, f"{prefix}{name}.")
    return found


def catalogue_of(config: dict[str, Any]) -> Catalogue | None:
    """The data, unless neither the benchmark nor a projection needs them."""
    needs = "catalogue" in configuration.signature(config["benchmark"]["_target_"])
    if not needs and config.get("checkpoint") and not config.get("dims"):
        return None
    catalogue: Catalogue = build(config["data"], seed=config["seed"]).load()
    return catalogue


def scored(network: Network, config: dict[str, Any], catalogue: Catalogue | None, device: torch.device) -> Result:
    """The benchmark's result, with fewer dimensions where that is asked for."""
    if config.get("dims") is None:
        return evaluate_network(network, config, catalogue, device)
    if catalogue is None or "train" not in catalogue.splits:
        raise UserError(f"dims={config['dims']}: the PCA is fitted on a train split, and the data have none.")
    describe = describer(network, config, device)
    rows = fitting_rows(catalogue, config["stages"]["fit_images"], config["seed"])
    reduced = reduce_codes(describe, [catalogue.photo(i) for i in rows], config["dims"])
    result: Result = build(config["benchmark"], catalogue=catalogue, index=index_of(config)).evaluate(reduced)
    return result
