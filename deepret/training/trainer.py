"""Lightning's trainer: tried before any work, made for each stage."""

from __future__ import annotations

import sys
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments import ClusterEnvironment  # type: ignore[attr-defined]
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.plugins.environments import (  # type: ignore[attr-defined]
    LightningEnvironment,
    TorchElasticEnvironment,
)

from deepret.distributed.launch import ALL
from deepret.distributed.processes import lightning
from deepret.distributed.ranks import world
from deepret.errors import UserError, closest
from deepret.parts import build, locate, signature
from deepret.runs.checkpoint import AtomicIO

SETTINGS = (
    "accelerator",
    "benchmark",
    "detect_anomaly",
    "deterministic",
    "devices",
    "enable_progress_bar",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "limit_train_batches",
    "max_epochs",
    "num_nodes",
    "precision",
    "profiler",
    "strategy",
    "sync_batchnorm",
)
"""What of Lightning's trainer can be set; all else the stages set themselves, or would be misled by."""
STRATEGIES = {"auto", "ddp", "ddp_find_unused_parameters_true"}
"""Those whose processes each hold the whole network, and are not started by Lightning: the rest counts on both."""
LENGTHS = "take trainer.max_epochs and trainer.limit_train_batches, which every stage keeps to."
REFUSED = {
    **dict.fromkeys(("max_steps", "max_time", "min_steps", "min_epochs", "fast_dev_run", "overfit_batches"), LENGTHS),
    "accumulate_grad_batches": "a step is one whole batch, over which triplets are formed; take batch.images.",
}
"""Ways to another length or batch, of which the schedules and what is said at the start would know nothing."""


def check_settings(node: dict[str, Any]) -> None:
    """Checks that nothing is set that the stages decide themselves, or know nothing of.

    Raises:
        UserError: a setting that is not one of ``SETTINGS``.
    """
    for key in sorted(node.keys() - {*SETTINGS, "_target_"}):
        if key in REFUSED:
            mend = REFUSED[key]
        elif key in signature(node["_target_"]):
            mend = f"there are: {', '.join(SETTINGS)}."
        else:
            mend = closest(key, SETTINGS)
        raise UserError(f"trainer.{key}: the stages do not take it; {mend}")


def check_trainer(node: dict[str, Any]) -> None:
    """Checks what Lightning looks up by name while a trainer is made, and that there is something to compute on.

    Photographs are described on CUDA or the CPU, beside Lightning, so it computes on nothing else.

    Raises:
        UserError: a name that there is not, with the closest one that there is, a precision that weights are not kept
            in, no device at all, or a list of them.
    """
    if str(node.get("precision")) in ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16"):
        raise UserError(
            f"trainer.precision={node['precision']!r}: weights are kept in 32 bits; take 32-true, bf16-mixed or "
            f"16-mixed."
        )
    known = {
        "accelerator": {"auto", "cpu", "cuda", "gpu"},
        "strategy": STRATEGIES,
    }
    for key, names in known.items():
        value = node.get(key, "auto")
        if isinstance(value, str) and value not in names:
            raise UserError(f"trainer.{key}={value!r}: there is none of this name; {closest(value, names)}")
    devices = node.get("devices", 1)
    if devices not in ALL and not str(devices).isdigit():
        raise UserError(
            f"trainer.devices={devices}: give how many there are to be, or auto; which ones is said before "
            f"the command, by CUDA_VISIBLE_DEVICES=1 and the like."
        )
    for key in ("devices", "num_nodes"):
        if node.get(key, 1) in (0, "0", []):
            raise UserError(f"trainer.{key}={node[key]!r}: nothing computes then; take trainer.{key}=1.")


def try_trainer(node: dict[str, Any]) -> None:
    """Makes the trainer once as the stages will, so that what it refuses is said before anything is rendered.

    Raises:
        UserError: in Lightning's words.
    """
    quiet = {"enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False}
    settings = {key: value for key, value in {**lightning(node), **quiet}.items() if key != "_target_"}
    try:
        locate(node["_target_"])(**settings, logger=False, plugins=[environment(alone=False)])
    except (MisconfigurationException, AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"trainer: Lightning refuses it: {' '.join(str(error).split())}") from None


def environment(alone: bool) -> ClusterEnvironment:
    """Where Lightning reads who else there is: not in SLURM's variables, which are those of a whole job."""
    return LightningEnvironment() if alone or world() == 1 else TorchElasticEnvironment()


def stage_trainer(
    node: dict[str, Any], epochs: int, steps: int, callbacks: list[pl.Callback], alone: bool, **where: Any
) -> pl.Trainer:
    """The trainer of one stage.

    Args:
        node: the configuration's ``trainer``.
        epochs: of the stage.
        steps: batches an epoch, with ``trainer.limit_train_batches`` taken off already.
        callbacks: in the order in which they are called.
        alone: whether one process trains while the others wait.
        where: its logger and its folder.
    """
    node = {**lightning(node, alone=alone), "max_epochs": epochs}
    node["limit_train_batches"] = steps  # a share would shorten the epoch a second time
    node["enable_progress_bar"] = node["enable_progress_bar"] and sys.stderr.isatty()
    bars: list[pl.Callback] = [TQDMProgressBar(refresh_rate=1, leave=True)] if node["enable_progress_bar"] else []
    made: pl.Trainer = build(
        node,
        callbacks=[*callbacks, *bars],
        use_distributed_sampler=False,  # it would tear P × K batches apart
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        plugins=[AtomicIO(), environment(alone)],
        **where,
    )
    return made
