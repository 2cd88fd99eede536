"""Several processes as one program: torchrun starts them, the first one decides and speaks, the others follow."""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist

from deepret.distributed.ranks import rank, world
from deepret.errors import UserError

T = TypeVar("T")

PATIENCE = datetime.timedelta(days=1)
"""The others wait while the first process renders, or trains the RPN; torchrun sees to processes that are gone."""
MOMENT = 5.0
"""Seconds in which the others meet a mistake that all of them meet."""
ALL = ("auto", -1, "-1")
"""Lightning's names for every device of a machine."""

_store: Any = None


def join() -> None:
    """Joins the processes that torchrun has started; nothing where there is only one.

    What is on the CPU goes through gloo, what is on GPUs through NCCL. Only the first process is heard: what the others
    print goes nowhere, and they show no bars.
    """
    global _store
    if not several_started() or dist.is_initialized():
        return
    _store, number, count = next(iter(dist.rendezvous("env://", timeout=PATIENCE)))  # type: ignore[attr-defined]
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=_store, rank=number, world_size=count, timeout=PATIENCE)
    if number > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        sys.stderr = _Quiet(sys.stderr.buffer, line_buffering=True)


def leave() -> None:
    """Parts from the other processes once all have finished."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def give_up(code: int) -> NoReturn:
    """Ends this process after a mistake, at once and with its code.

    Most mistakes are met by all, so it waits a moment for the others: what torchrun sees is how each ended by itself.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(RuntimeError):
        until = time.monotonic() + MOMENT
        arrived = _store.add("gave up", 1)
        while arrived < world() and time.monotonic() < until:
            time.sleep(0.02)
            arrived = _store.add("gave up", 0)
    os._exit(code)  # threads of the process group may abort an interpreter that shuts down


class _Quiet(io.TextIOWrapper):
    """Takes tracebacks, but no bars, which are shown on terminals alone."""

    def isatty(self) -> bool:
        return False


def speaks() -> bool:
    """Whether it is this process that tells the user what went wrong: of several, the one that asks first."""
    try:
        return _store is None or bool(_store.add("told", 1) == 1)
    except RuntimeError:  # the store is gone with the process that kept it
        return True


def told() -> bool:
    """Whether another process has told the user what went wrong, after which this one fails only because it did."""
    try:
        return _store is not None and bool(_store.add("told", 0) > 0)
    except RuntimeError:
        return False


def first(task: Callable[[], T]) -> T:
    """What the first process makes of a task; the others wait for it.

    Args:
        task: needs no other process, and gives something that can be pickled, on the CPU.

    Raises:
        UserError: in all processes, what the first one met.
    """
    if world() == 1:
        return task()
    box: list[Any] = [None, None]
    if rank() == 0:
        try:
            box[0] = task()
        except UserError as error:
            box[1] = str(error)
    dist.broadcast_object_list(box)
    if box[1] is not None:
        raise UserError(box[1])
    found: T = box[0]
    return found


def everyones(value: T) -> list[T]:
    """What each process has, in the order of the ranks."""
    if world() == 1:
        return [value]
    found: list[Any] = [None] * world()
    dist.all_gather_object(found, value)
    return found


def lightning(trainer: dict[str, Any], *, alone: bool = False) -> dict[str, Any]:
    """The trainer's settings with devices, machines and strategy as torchrun has started the processes.

    Where Lightning is to choose, it is CUDA or the CPU, which are what photographs are described on.

    Args:
        trainer: the configuration's.
        alone: for a stage that one process does while the others wait.
    """
    if trainer.get("accelerator", "auto") == "auto":
        trainer = {**trainer, "accelerator": "cuda" if torch.cuda.is_available() else "cpu"}
    if world() == 1 or alone:
        return {**trainer, "devices": 1, "num_nodes": 1, "strategy": "auto"}
    here = int(os.environ.get("LOCAL_WORLD_SIZE", world()))
    strategy = trainer.get("strategy", "auto")
    return {
        **trainer,
        "devices": here,
        "num_nodes": world() // here,
        "strategy": "ddp" if strategy == "auto" else strategy,
    }


def check_started(trainer: dict[str, Any]) -> None:
    """Makes sure that several devices have as many processes.

    Raises:
        UserError: they are asked for, and torchrun has not started them.
    """
    if dist.is_torchelastic_launched():  # it says how many there are, whatever the configuration has
        return
    nodes, count = trainer.get("num_nodes", 1), _count(trainer)
    if nodes > 1 or count > 1:
        words = f"--nnodes={nodes} " if nodes > 1 else ""
        raise UserError(
            f"trainer.devices={trainer.get('devices')}, trainer.num_nodes={nodes}: several processes are started by "
            f"torchrun: torchrun {words}--nproc_per_node={count} train.py trainer=ddp …; a single one takes "
            f"trainer.devices=1 trainer.num_nodes=1."
        )


def several_started() -> bool:
    """Whether torchrun has started this process and others."""
    return dist.is_available() and dist.is_torchelastic_launched() and int(os.environ.get("WORLD_SIZE", "1")) > 1


def _count(trainer: dict[str, Any]) -> int:
    """The devices of this machine that a configuration asks for."""
    devices = trainer.get("devices", 1)
    if devices in ALL:
        on_cpu = trainer.get("accelerator", "auto") == "cpu" or not torch.cuda.is_available()
        return 1 if on_cpu else torch.cuda.device_count()
    return int(devices)
