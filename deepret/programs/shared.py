"""What training and evaluation both do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from deepret import __version__
from deepret import config as configuration
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.result import Result
from deepret.benchmarks.searched import Index
from deepret.data.catalogue import Catalogue
from deepret.data.photo import Photo
from deepret.distributed.describe import Together
from deepret.distributed.launch import by_srun
from deepret.distributed.processes import agree, first
from deepret.distributed.ranks import world
from deepret.errors import UserError, closest
from deepret.models.build import build_network
from deepret.models.network import Network
from deepret.parts import build, check, check_value, locate
from deepret.search.describe import Describer
from deepret.search.exact import ExactIndex
from deepret.search.looked import Store
from deepret.training.fitting.kept import fitted_once
from deepret.training.fitting.parts import Fitting, to_fit
from deepret.training.precision import choose_precision
from deepret.training.proposals.handed_on import hand_on
from deepret.training.settings import PROGRAM
from deepret.training.trainer import check_settings


def prepare(cfg: DictConfig, program: str = "train") -> dict[str, Any]:
    """The resolved and checked configuration, with every ``auto`` replaced by what this machine chose.

    Args:
        cfg: the composed configuration.
        program: ``train``, ``eval``, ``data`` or ``clean``, whose YAML says which settings there are.

    Raises:
        UserError: the first value that no part takes, or an index whose package is not installed.
    """
    check_names(cfg, program)
    if "trainer" in cfg and cfg.trainer.get("precision") == "auto":
        cfg = cfg.copy()
        depthwise = getattr(locate(cfg.backbone._target_), "depthwise", False)
        chosen = choose_precision(cfg.trainer.get("accelerator", "auto"), depthwise)
        OmegaConf.update(cfg, "trainer.precision", chosen)
    found = configuration.resolve(cfg)
    for key, value in found.items():
        if key in PROGRAM:
            check_value(PROGRAM[key], value, key)
    if "trainer" in found:
        check_settings(found["trainer"])
    check(found)
    index_of(found)  # a package that it lacks is said before any work
    return found


OPTIONAL = frozenset({"resume", "checkpoint", "threads", "ema", "dims", "profile", "compile", "allow", "keep_maps"})
"""Settings that mean nothing where they are left out."""


def check_names(cfg: DictConfig, program: str) -> None:
    """Checks that every setting at the top is one of the program's, and that none is left out.

    Raises:
        UserError: a name that is no setting, a part that is gone, or one that is no part.
    """
    names = configuration.known(program)
    for key in map(str, cfg):
        if key not in names:
            raise UserError(f"{key}: there is no such setting; {closest(key, names)}")
    for name in names:
        if name in PROGRAM:
            if name not in cfg and name not in OPTIONAL:
                raise UserError(f"{name} is missing: give it a value, {name}=VALUE.")
            continue
        node = cfg.get(name)
        if node is None and name in OPTIONAL:
            continue
        if not isinstance(node, DictConfig) or "_target_" not in node:
            options = configuration.groups().get(name)
            file = configuration.file_of(program)
            mend = f"take one of its options: {', '.join(f'{name}={o}' for o in options)}." if options else ""
            raise UserError(f"{name} is missing: {mend or f'{name} is needed as conf/{file}.yaml has it.'}")


def agree_on(cfg: DictConfig, **more: object) -> None:
    """Makes sure that all processes have one configuration and one deepret.

    Args:
        cfg: the configuration.
        more: what else they are to have alike, where there are several.

    Raises:
        UserError: what one has otherwise than the first.
    """
    if world() == 1:
        return
    found = {name: OmegaConf.select(cfg, name, throw_on_missing=False) for name in configuration.keys(cfg)}
    kept = {name: str(v) for name, v in found.items() if not isinstance(v, DictConfig)}
    own = {"deepret": __version__, "torch": torch.__version__}
    agree({**kept, **own, **more})


@contextmanager
def within_memory(remedy: str) -> Iterator[None]:
    """Says what to do where a GPU's memory is full.

    Args:
        remedy: settings that take less of it.

    Raises:
        UserError: it is.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        said = str(error).partition(". ")[0]
        raise UserError(f"the GPU's memory is full ({said}): take {remedy} or input.size.") from None


def threads(config: dict[str, Any]) -> None:
    """Sets the number of threads, where the configuration asks for one."""
    if config.get("threads"):
        torch.set_num_threads(config["threads"])


def device_of(config: dict[str, Any]) -> torch.device:
    """Where networks run outside Lightning: the GPU unless the trainer is told to stay on the CPU.

    Raises:
        UserError: a GPU is asked for and there is none, or more processes than GPUs.
    """
    key, mend = ("trainer.accelerator", "trainer=cpu") if "trainer" in config else ("accelerator", "accelerator=cpu")
    wanted = config["trainer"].get("accelerator", "auto") if "trainer" in config else config.get("accelerator", "auto")
    if wanted in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(f"{key}={wanted}: torch sees no GPU on this machine; take {mend}.")
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    number, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= there:
        if by_srun():
            raise UserError(f"process {number} here sees {there} GPUs, not all of the machine's: take --gpus-per-node.")
        raise UserError(f"--nproc_per_node: this machine has {there} GPUs, so torchrun can start as many processes.")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


WITHOUT_FIT = {"projection": "none", "aggregation": "sum", "head": "l2"}
"""What to take in place of a part that is fitted."""


def first_network(
    config: dict[str, Any],
    catalogue: Catalogue | None,
    device: torch.device,
    *,
    regions: dict[str, Any] | None = None,
    before_fitting: Callable[[], object] = lambda: None,
) -> Network:
    """The network before any training, its parts fitted on the train split; the same in every process.

    Args:
        config: the resolved configuration.
        catalogue: where the train split is.
        device: where to compute.
        regions: other regions than the configuration's.
        before_fitting: called by one process, where there are parts to fit; it may refuse the data.

    Raises:
        UserError: weights that cannot be had, or parts to fit without a train split.
    """
    made: list[Network] = []

    def fitted() -> dict[str, torch.Tensor]:
        network = build_network(config, regions=regions)
        if regions is None or regions == config["regions"]:
            hand_on(network, config)
        made.append(network)
        if parts := to_fit(network):
            if catalogue is None or "train" not in catalogue.splits:
                raise UserError(
                    f"{parts[0]}: it is fitted on a train split, and the data have none: name a network with "
                    f"checkpoint=PATH, take {parts[0]}={WITHOUT_FIT[parts[0]]}, or give data with a train split."
                )
            before_fitting()
            fitting = Fitting(
                images=config["stages"]["fit_images"],
                regions=config["stages"]["fit_regions"],
                seed=config["seed"],
                batch_size=config["extract_batch"],
                workers=config["workers"],
                device=device,
                folder=Path(config["cache"]).expanduser(),
                store=store_of(config),
            )
            used = fitted_once(network, catalogue, fitting)
            print(f"{' and '.join(parts)} fitted on {used:,} images", flush=True)
        return {name: value.cpu() for name, value in network.state_dict().items()} if world() > 1 else {}

    state = first(fitted)
    if not made:
        made.append(build_network(config, weights=False, regions=regions))
        made[0].load_state_dict(state)
    return made[0]


def describer(network: Network, config: dict[str, Any], device: torch.device, *, cache: bool = True) -> Describer:
    """The describer with a configuration's settings."""
    return Together(
        network,
        batch_size=config["extract_batch"],
        workers=config["workers"],
        device=device,
        cache=Path(config["cache"]).expanduser() / "codes" if cache else None,
        precision=config["evaluation_precision"],
        store=store_of(config),
    )


def store_of(config: dict[str, Any]) -> Store | None:
    """Where maps are kept, where that is asked for."""
    return Store(Path(config["cache"]).expanduser() / "maps") if config.get("keep_maps") else None


def index_of(config: dict[str, Any]) -> Callable[[], Index] | None:
    """Makes empty indexes as configured; None for the exact one, whose result benchmarks get without sorting.

    Raises:
        UserError: the index needs a package that is not installed.
    """
    node = config.get("index")  # older checkpoints have none
    if node is None or isinstance(build(node), ExactIndex):
        return None
    return lambda: cast(Index, build(node))


def check_benchmark(config: dict[str, Any]) -> None:
    """Looks for the files of a benchmark that has some, and its distractors, before any network is made or trained.

    Raises:
        UserError: they are missing or cannot be read.
    """
    target = locate(config["benchmark"]["_target_"])
    if isinstance(target, type) and issubclass(target, Benchmark):
        benchmark: Benchmark = build(config["benchmark"])
        benchmark.prepare()
        benchmark.compared(no_network, benchmark.truth())


def scored_file(config: dict[str, Any]) -> tuple[str, str] | None:
    """The benchmark's setting that names what is scored in place of a network, and the file."""
    keys = ("ranking", "descriptors", "queries")
    return next(((f"benchmark.{key}", config["benchmark"][key]) for key in keys if config["benchmark"].get(key)), None)


def no_network(photos: Sequence[Photo]) -> Tensor:
    """Describes nothing, where nothing is to be described.

    Raises:
        AssertionError: always.
    """
    raise AssertionError("a benchmark has asked for codes")


def evaluate_network(
    network: Network, config: dict[str, Any], catalogue: Catalogue | None, device: torch.device
) -> Result:
    """Scores a network on the configuration's benchmark."""
    benchmark = build(config["benchmark"], catalogue=catalogue, index=index_of(config))
    result: Result = benchmark.evaluate(describer(network, config, device))
    return result


def last_line(values: dict[str, Any]) -> None:
    """Prints the one JSON object that ends a program's output."""
    print(json.dumps(values), flush=True)
