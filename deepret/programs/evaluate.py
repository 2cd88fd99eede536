"""``deepret eval``: scores a network as it is before training, or a checkpoint."""

from __future__ import annotations

import csv
import functools
import time
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from deepret import config as configuration
from deepret.benchmarks.result import Result
from deepret.data import check
from deepret.data.catalogue import Catalogue
from deepret.distributed.processes import first
from deepret.distributed.ranks import rank, world
from deepret.errors import UserError
from deepret.files import digest_of
from deepret.models.build import build_network, load_state
from deepret.models.network import Network
from deepret.parts import build, signature
from deepret.programs.leaks import check_allowed, refuse_leaks
from deepret.programs.overlay import overlay, parse
from deepret.programs.sets import check_sets
from deepret.programs.shared import (
    agree_on,
    check_benchmark,
    describer,
    device_of,
    evaluate_network,
    first_network,
    index_of,
    last_line,
    no_network,
    prepare,
    scored_file,
    threads,
    within_memory,
)
from deepret.quiet import quiet
from deepret.reports.gallery import gallery, save_png
from deepret.reports.table import results_report
from deepret.reports.weighed import weighed, weighs
from deepret.runs import checkpoint as checkpoints
from deepret.search.reduced import Describe, first_entries, reduce_codes
from deepret.training.fitting.parts import fitting_rows
from deepret.training.learning import check_regions
from deepret.training.plan import learns_regions
from deepret.training.proposals.handed_on import hand_on
from deepret.training.settings import FitSettings


def evaluate(cfg: DictConfig | None, overrides: list[str], folders: list[str] | None = None) -> dict[str, Any]:
    """Scores what is configured and gives the figures that the last line prints.

    Args:
        cfg: eval.yaml as composed, where that is done already; a checkpoint's configuration takes its place.
        overrides: the command line's words.
        folders: more configuration folders.

    Raises:
        UserError: an untrained RPN, a checkpoint that cannot be read or does not fit, data that are not there.
    """
    start = time.perf_counter()
    quiet()
    path = checkpoint_of(overrides)
    found = None if path is None else checkpoints.load(path)
    if found is not None:
        cfg = overlay(found["deepret"]["config"], overrides, str(path), folders)
    else:
        cfg = miniature(cfg or configuration.compose("eval", overrides, folders), overrides)
    if world() > 1:
        agree_on(cfg, checkpoint=path and digest_of(path))
    config = prepare(cfg, "eval")
    threads(config)
    if (given := scored_file(config)) is not None:
        if path is not None:
            raise UserError(
                f"{given[0]}={given[1]}: this file would be scored in place of checkpoint={path}: give one of the two."
            )
        result = build(config["benchmark"], index=index_of(config)).evaluate(no_network)
        return tell(Path(given[1]).name, result, {"checkpoint": None}, start)
    check_sets(config)
    device = device_of(config)
    check_regions(config)
    if found is None and learns_regions(config):
        raise UserError(
            "regions=rpn: its RPN is untrained, so it has no proposals to give: name a trained one with "
            "checkpoint=PATH, or take regions=grid."
        )
    if config["dims_whitening"] and config.get("dims") is None:
        raise UserError(f"dims_whitening={config['dims_whitening']:g}: there is no PCA to whiten; give dims=128, too.")
    check_allowed(config)
    check_benchmark(config)
    catalogue = first(lambda: catalogue_of(config))
    refuse = functools.cache(lambda: refuse_fitted(config, catalogue))
    if config.get("dims") is not None:
        first(refuse)
    if found is None:
        network = first_network(config, catalogue, device, before_fitting=refuse)
    else:
        assert path is not None
        network = build_network(config, weights=False)
        other_regions = config["regions"] != found["deepret"]["config"]["regions"]
        changed = ["regions."] if other_regions else []
        if not network.weighting.state_dict():  # the network without its attention
            changed.append("weighting.")
        load_state(network, checkpoints.network_state(found), str(path), optional=tuple(changed))
        if other_regions:
            hand_on(network, config)
    if path is not None and catalogue is not None:
        for text in trained_on(catalogue, path, drawn="test_share" in config["data"]):
            check.report(text)
    with within_memory("a smaller extract_batch"):
        result = scored(network, config, catalogue, device)
    name = "untrained" if found is None else str(found["deepret"].get("stage", "trained"))
    more: dict[str, Any] = {"checkpoint": None if path is None else str(path)}
    if config.get("gallery") and rank() == 0:
        folder = Path(config["output"]).expanduser() / "eval" if path is None else path.parent / "pictures"
        more["picture"] = str(save_png(gallery(result), folder / "results.png"))
        if weighs(network):
            drawn = gallery(result, heat=weighed(network, device))
            more["picture of weights"] = str(save_png(drawn, folder / "weights.png"))
    return tell(name, result, more, start)


def tell(name: str, result: Result, more: dict[str, Any], start: float) -> dict[str, Any]:
    """Prints what was scored, as a table and as the last line's JSON, which it gives.

    Args:
        name: of what was scored.
        result: what came out.
        more: what the JSON has besides.
        start: when the program began, by ``time.perf_counter``.
    """
    print(results_report({name: result}), flush=True)
    for name in ("picture", "picture of weights"):
        if name in more:
            print(f"{name}: {more[name]}")
    values = {**result.summary(), **more, "seconds": round(time.perf_counter() - start, 1)}
    last_line(values)
    return values


def trained_on(catalogue: Catalogue, checkpoint: Path, drawn: bool) -> list[str]:
    """What is to be said of classes that are scored and that the checkpoint's run has trained on, by its folder's list.

    And of classes that are not scored and that it has not: photographs from elsewhere are all new to it.

    Args:
        catalogue: the photographs.
        checkpoint: in its run's folder.
        drawn: whether ``data.test_share`` says which classes are scored.
    """
    listed = checkpoint.parent.parent / "images.csv"
    if not listed.is_file():
        return []
    found = []
    with listed.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        seen = [(row.get("label"), row.get("split")) for row in csv.DictReader(file)]
    trained = {label for label, split in seen if label and split == "train"}
    rows = list(zip(catalogue.labels, catalogue.splits, strict=True))
    others = {label for label, split in rows if label and split in ("train", "val")}
    if drawn and others and not others & {label for label, _ in seen} and not (catalogue.root / "images.csv").is_file():
        count = len({label for label, _ in rows if label})
        found.append(
            f"{count - len(others):,} of {count:,} classes are scored, a share as if the others were trained on, which "
            f"none was: data.test_share=1 scores all."
        )
    both = sorted(trained & {label for label, split in rows if split in ("test", "query")})
    if both:
        found.append(
            f"{len(both):,} of the classes that are scored were trained on, says {listed}, so the score is not one of "
            f"unseen classes: {check.first(map(repr, both))}"
        )
    return found


def checkpoint_of(overrides: list[str]) -> Path | None:
    """The checkpoint that the command line names; the last one, where it names several."""
    found: Path | None = None
    for word in overrides:
        if word.lstrip("+").startswith("checkpoint="):
            value = parse(word).value()
            found = None if value is None else Path(str(value)).expanduser()
    return found


def miniature(cfg: DictConfig, overrides: list[str]) -> DictConfig:
    """The configuration without what ``debug=`` sets for a training alone."""
    if not any(word.startswith("debug=") for word in overrides):
        return cfg
    named = {word.lstrip("+").partition("=")[0] for word in overrides}
    tops = {name.partition(".")[0] for name in named}
    training = set(configuration.known("train")) - set(configuration.known("eval"))
    kept = cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=False))
    own = ("_target_", *(field.name for field in fields(FitSettings)))
    kept["stages"] = {k: v for k, v in kept["stages"].items() if k in own or f"stages.{k}" in named}
    return OmegaConf.create({k: v for k, v in kept.items() if k not in training or k in tops})


def catalogue_of(config: dict[str, Any]) -> Catalogue | None:
    """The data, unless neither the benchmark nor a projection needs them."""
    needs = "catalogue" in signature(config["benchmark"]["_target_"])
    if not needs and config.get("checkpoint") and not config.get("dims"):
        return None
    catalogue: Catalogue = build(config["data"], seed=config["seed"]).load()
    return catalogue


def refuse_fitted(config: dict[str, Any], catalogue: Catalogue | None) -> None:
    """Refuses to fit parts, or the PCA of ``dims``, on photographs that are scored.

    Raises:
        UserError: copies of them are among those that are scored, and not allowed.
    """
    if catalogue is not None:
        refuse_leaks(config, catalogue, fitting_rows(catalogue, config["stages"]["fit_images"], config["seed"]))


def scored(network: Network, config: dict[str, Any], catalogue: Catalogue | None, device: torch.device) -> Result:
    """The benchmark's result, with fewer dimensions where that is asked for."""
    if config.get("dims") is None:
        return evaluate_network(network, config, catalogue, device)
    result: Result = build(config["benchmark"], catalogue=catalogue, index=index_of(config)).evaluate(
        reduced(network, config, catalogue, device)
    )
    return result


def reduced(network: Network, config: dict[str, Any], catalogue: Catalogue | None, device: torch.device) -> Describe:
    """Describes with fewer dimensions: the first ones of a head that is a PCA, or by a PCA of the train split's codes.

    Raises:
        UserError: more dimensions than there are, or nothing to fit a PCA on.
    """
    describe = describer(network, config, device)
    if getattr(network.head, "ordered", False):
        if config["dims_whitening"]:
            raise UserError(
                f"dims_whitening={config['dims_whitening']:g}: this network's head has its components in order, and "
                f"dims={config['dims']} takes the first; say head.whitening where the network is made."
            )
        return first_entries(describe, config["dims"])
    if catalogue is None or "train" not in catalogue.splits:
        raise UserError(f"dims={config['dims']}: the PCA is fitted on a train split, and the data have none.")
    rows = fitting_rows(catalogue, config["stages"]["fit_images"], config["seed"])
    return reduce_codes(describe, [catalogue.photo(i) for i in rows], config["dims"], config["dims_whitening"])
