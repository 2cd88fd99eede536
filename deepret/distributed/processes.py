"""Several processes as one program: the first one decides and speaks, the others follow."""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore  # type: ignore[attr-defined]

from deepret.distributed.launch import by_srun, die_with_starter, read_slurm, started
from deepret.distributed.ranks import machines, rank, world
from deepret.errors import AGAIN, UserError

T = TypeVar("T")

PATIENCE = datetime.timedelta(days=1)
"""The others wait while the first process renders, or trains the RPN; torchrun sees to processes that are gone."""
MEETING = 600.0
"""Seconds that processes wait for each other to start; the variable DEEPRET_MEETING_SECONDS sets others."""
MOMENT = 5.0
"""Seconds in which the others meet a mistake that all of them meet."""
LONGER = 20.0
"""Seconds in which the first process, which may have W&B's last figures to send, makes room where all were asked to."""

GONE = (
    *("connection closed by peer", "connection reset by peer", "broken pipe", "socket closed"),
    *("connection closed by remote peer", "remote process exited"),
)
"""What gloo and NCCL say where a connection has ended."""

_store: Any = None


def join() -> None:
    """Joins the processes that were started together; nothing where there is only one.

    What is on the CPU goes through gloo, what is on GPUs through NCCL. Only the first process is heard: what the others
    print goes nowhere, and they show no bars.

    Raises:
        UserError: some have not come, or the first one cannot be reached.
    """
    global _store
    if not started() or dist.is_initialized():
        return
    die_with_starter()
    if by_srun():
        read_slurm()
    try:
        seconds = float(os.environ.get("DEEPRET_MEETING_SECONDS", MEETING))
    except ValueError as error:
        raise UserError(f"DEEPRET_MEETING_SECONDS: {error}; give a number of seconds.") from None
    _store, number, count = _meet(seconds)
    _try_network(seconds, number, count)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=_store, rank=number, world_size=count, timeout=PATIENCE)
    if number > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        sys.stderr = _Quiet(sys.stderr.buffer, line_buffering=True)


def _meet(seconds: float) -> tuple[Any, int, int]:
    """The store that all share, this process' number and how many there are."""
    number, count, address = (os.environ[name] for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"))
    try:
        wait = datetime.timedelta(seconds=seconds)
        found: tuple[Any, int, int] = next(iter(dist.rendezvous("env://", timeout=wait)))  # type: ignore[attr-defined]
        found[0].add("here", 1)
        until = time.monotonic() + seconds
        while (here := found[0].add("here", 0)) < found[2] and time.monotonic() < until:
            time.sleep(0.05)
    except RuntimeError as error:  # torch's own errors of a store and of the network among them
        raise UserError(
            f"process {number} of {count} has not met the others at {address}:{os.environ['MASTER_PORT']} within "
            f"{seconds:g} s: see that the first machine can be reached there and that all {count} were started "
            f"({str(error).splitlines()[0]})"
        ) from None
    if here < found[2]:
        raise UserError(
            f"{here} of {count} processes have come to {address}:{os.environ['MASTER_PORT']} within {seconds:g} s: see "
            f"that all were started, on every machine."
        )
    found[0].set_timeout(PATIENCE)
    return found


def _try_network(seconds: float, number: int, count: int) -> None:
    """Makes sure that all processes reach each other, and not only the first one, before they wait for long."""
    wait = datetime.timedelta(seconds=seconds)
    try:
        trial = PrefixStore("trial", _store)  # addresses that the later group would take for its own
        dist.init_process_group("gloo", store=trial, rank=number, world_size=count, timeout=wait)
        dist.barrier()
        dist.destroy_process_group()
    except RuntimeError as error:
        raise UserError(
            f"process {number} of {count} has met the others but cannot talk to them ({' '.join(str(error).split())}): "
            f"see that the machines reach each other on every port, and that GLOO_SOCKET_IFNAME, where it is set, "
            f"names a network that all have."
        ) from None


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
        if _store is None:  # they have not met
            os._exit(code)
        until = time.monotonic() + (LONGER if code == AGAIN and rank() > 0 else MOMENT)
        arrived = _store.add("gave up", 1)
        while arrived < world() and time.monotonic() < until:
            time.sleep(0.02)
            arrived = _store.add("gave up", 0)
    os._exit(code)  # threads of the process group may abort an interpreter that shuts down


class _Quiet(io.TextIOWrapper):
    """Takes tracebacks, but no bars, which are shown on terminals alone."""

    def isatty(self) -> bool:
        return False


def speaks(code: int = 1) -> bool:
    """Whether it is this process that tells the user what went wrong: of several, the one that asks first.

    Of those that have not met, one on each machine. Where the first process is gone, which was asked to make room as
    all were, it has said so.

    Args:
        code: with which this process ends.
    """
    if _store is None:
        return not started() or os.environ.get("LOCAL_RANK", "0") == "0"
    try:
        return bool(_store.add("told", 1) == 1)
    except RuntimeError:  # the store is gone with the first process, which kept it, and perhaps with its machine
        return code != AGAIN and os.environ["RANK"] in ("1", os.environ.get("LOCAL_WORLD_SIZE"))


def told() -> bool:
    """Whether another process has told the user what went wrong, after which this one fails only because it did."""
    try:
        return _store is not None and bool(_store.add("told", 0) > 0)
    except RuntimeError:
        return False


def lost(error: BaseException) -> bool:
    """Whether a mistake is another process' end, of which this one hears where they meet next."""
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(text in said for text in GONE)


def lost_by(error: BaseException) -> str:
    """What there is to say of a process that has said nothing itself."""
    said = re.sub(r"^\[\S*\] ", "", " ".join(str(error).split())).partition(". ")[0]
    return f"another process has ended: it was killed, perhaps for want of memory, or its machine is gone ({said})."


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


def agree(settings: dict[str, Any]) -> None:
    """Makes sure that all processes were started with the same settings.

    Args:
        settings: by their names.

    Raises:
        UserError: in all processes, the first setting that one has otherwise than the first process.
    """
    ours, *others = everyones(settings)
    for number, theirs in enumerate(others, start=1):
        for name in sorted({*ours, *theirs}):
            one, other = ours.get(name, "nothing"), theirs.get(name, "nothing")
            if one != other:
                raise UserError(
                    f"process {number} was started with {name}={other}, and the first one with {name}={one}: start all "
                    f"with the same words, and the same deepret."
                )


def lightning(trainer: dict[str, Any], *, alone: bool = False) -> dict[str, Any]:
    """The trainer's settings with devices, machines and strategy as the processes were started.

    Where Lightning is to choose, it is CUDA or the CPU, which are what photographs are described on.

    Args:
        trainer: the configuration's.
        alone: for a stage that one process does while the others wait.
    """
    if trainer.get("accelerator", "auto") == "auto":
        trainer = {**trainer, "accelerator": "cuda" if torch.cuda.is_available() else "cpu"}
    if world() == 1 or alone:
        return {**trainer, "devices": 1, "num_nodes": 1, "strategy": "auto"}
    strategy = trainer.get("strategy", "auto")
    return {
        **trainer,
        "devices": world() // machines(),
        "num_nodes": machines(),
        "strategy": "ddp" if strategy == "auto" else strategy,
    }
