"""Who starts the processes of a training: torchrun, SLURM's srun, or deepret itself on one machine."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from deepret.errors import AGAIN, ASKING, HANG_UP, UserError
from deepret.quiet import hung_up

ALL = ("auto", -1, "-1")
"""Lightning's names for every device of a machine."""
STARTER = "DEEPRET_STARTER"
"""The variable that tells processes which one has started them."""
SET_DEATH_SIGNAL = 1
"""Linux' PR_SET_PDEATHSIG."""
GRACE = 5.0
"""Seconds in which processes end by themselves after another one has failed."""
LAST = 60.0
"""Seconds that they have after they were asked to end."""
KEPT = "The last good state is kept: go on with"
"""How what says that a training was cut off ends, but for the word."""


def started() -> bool:
    """Whether torchrun or srun has started this process and others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 if by_torchrun() else by_srun()


def by_torchrun() -> bool:
    """Whether torchrun, or deepret in its way, has started this process, be it alone."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def by_srun() -> bool:
    """Whether this is one of several tasks of a step of SLURM's; the batch script itself is none."""
    return not by_torchrun() and int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1


def read_slurm() -> None:
    """Puts what srun says of this process into the variables that torchrun would have set.

    Raises:
        UserError: machines with different numbers of tasks.
    """
    from lightning_fabric.plugins.environments import SLURMEnvironment  # type: ignore[attr-defined]

    world, nodes = (int(os.environ.get(name, "1")) for name in ("SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES"))
    job, step = (int(os.environ.get(name, "0")) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    if world % nodes or "," in os.environ.get("SLURM_STEP_TASKS_PER_NODE", ""):
        raise UserError(f"srun started {world} tasks on {nodes} machines: take --ntasks-per-node, as many on each.")
    found = {
        "RANK": os.environ["SLURM_PROCID"],
        "WORLD_SIZE": world,
        "LOCAL_RANK": os.environ["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": world // nodes,
        "MASTER_ADDR": SLURMEnvironment.resolve_root_node_address(os.environ["SLURM_STEP_NODELIST"]),
        "MASTER_PORT": 15000 + (100 * job + step) % 16000,  # its own for each step, below those that systems give away
    }
    os.environ.update({name: str(value) for name, value in found.items()})


def wanted(trainer: dict[str, Any]) -> int:
    """How many processes a configuration wants on this machine, where nobody has started them.

    Raises:
        UserError: several machines, each of which has to be told, or more devices than there are.
    """
    if started() or by_torchrun():  # what started them says how many, whatever the configuration has
        return 1
    nodes, count = whole(trainer.get("num_nodes", 1)), devices(trainer)
    if nodes > 1:
        raise UserError(
            f"trainer.num_nodes={nodes}: processes on several machines are started by torchrun on each, torchrun "
            f"--nnodes={nodes} --nproc_per_node={count} train.py trainer=ddp …, or by srun in a job of SLURM's; one "
            f"machine takes trainer.num_nodes=1."
        )
    there, accelerator = torch.cuda.device_count(), trainer.get("accelerator", "auto")
    on_gpus = accelerator in ("gpu", "cuda") or (accelerator != "cpu" and there > 0)
    if on_gpus and count > max(1, there):
        raise UserError(
            f"trainer.devices={trainer['devices']}: this machine has {there} GPUs; take at most as many, or "
            f"trainer.accelerator=cpu."
        )
    return count


def devices(trainer: dict[str, Any]) -> int:
    """The devices of this machine that a configuration asks for."""
    wanted = trainer.get("devices", 1)
    if wanted in ALL:
        on_cpu = trainer.get("accelerator", "auto") == "cpu" or not torch.cuda.is_available()
        return 1 if on_cpu else torch.cuda.device_count()
    return whole(wanted)


def whole(value: Any) -> int:
    """A number from 1 on; 1 for what is none, which is told later, with the rest."""
    return int(value) if str(value).isdecimal() and int(value) else 1


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def die_with_starter() -> None:
    """Has this process asked to end when the one that started it, which is deepret itself, is killed.

    Raises:
        UserError: it is gone already.
    """
    starter = os.environ.get(STARTER)
    if starter is not None and sys.platform == "linux":
        die_with(int(starter))


def die_with(starter: int) -> None:
    """Has this process asked to end when the one that started it is killed; on Linux alone.

    Raises:
        UserError: it is gone already.
    """
    ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != starter:
        raise UserError("the process that started this one is gone.")


def home_first() -> str:
    """What ``PYTHONPATH`` is for processes that are to have this deepret, before what it is here."""
    home = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))


def launch(program: str, words: list[str], count: int) -> int:
    """Runs a program in several processes of this machine and gives the exit code of the first that failed.

    Signals that ask it to stop are passed on, and what the processes make of them is waited for: a step of theirs may
    take long. Each gets an equal share of the cores. Where one fails the others are ended.

    Args:
        program: ``train`` or ``reproduce``.
        words: its command line.
        count: how many processes.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # outlives each of them
    shared = {
        **os.environ,
        "PYTHONPATH": home_first(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, cores() // count))),
        "TORCHELASTIC_RUN_ID": uuid.uuid4().hex,
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        STARTER: str(os.getpid()),
    }
    if sys.platform == "linux":
        shared.setdefault("GLOO_SOCKET_IFNAME", "lo")
    resume = next((word for word in reversed(words) if word.startswith("resume=")), "")
    resume = resume if resume.partition("=")[2] not in ("", "null", "last") else "resume=auto"
    again = f"{KEPT} {resume}" if program == "train" else "Start it again."
    started: list[subprocess.Popen[bytes]] = []
    with passing_on(started) as heard:

        def tell(number: int, code: int) -> None:
            if code < 0 and -code not in heard and store.add("told", 1) == 1:  # none of the others has said it
                print(f"error: process {number} was ended by {signal.Signals(-code).name}. {again}", file=sys.stderr)

        command = [sys.executable, "-m", "deepret", program, *words]
        own = [{**shared, "RANK": str(number), "LOCAL_RANK": str(number)} for number in range(count)]
        started += [subprocess.Popen(command, env=variables, start_new_session=True) for variables in own]
        for number in list(heard):  # while they were started
            send(started, number)
        code = _first_failure(started, tell)
    if -code in heard:  # it could not be heard yet, or no longer
        print(f"stopped. {signal.Signals(-code).name} asked for it.", file=sys.stderr)
        return AGAIN if -code in ASKING else 128 - code
    return code if code >= 0 else 128 - code


@contextmanager
def passing_on(processes: list[subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """Passes signals that ask this process to stop on to others; gives those that have come so far.

    Each of the others runs in a session of its own, so that a terminal does not tell them too. What this process is
    not to hear, as SIGHUP under nohup, it leaves alone.
    """
    heard: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if number == HANG_UP:
            hung_up()
        heard.append(number)
        send(processes, number)

    names = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {n: signal.signal(n, pass_on) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def send(processes: list[subprocess.Popen[bytes]], number: int) -> None:
    """Sends a signal to processes."""
    for process in processes:
        process.send_signal(number)


def _first_failure(processes: list[subprocess.Popen[bytes]], tell: Callable[[int, int], None]) -> int:
    """The exit code of the first process that failed, below zero if a signal ended it; 0 where all end well.

    Once one has failed the others may end by themselves, for they meet it sooner or later; then they are asked to, as
    a scheduler would, and ended at last.

    Args:
        processes: all of them.
        tell: says which one failed and with which code, before the others are asked to end, or once they have.
    """
    failed: tuple[int, int] | None = None
    until, number = math.inf, signal.SIGTERM
    while True:
        codes = [process.poll() for process in processes]
        if failed is None and (failed := next(((i, code) for i, code in enumerate(codes) if code), None)):
            until = time.monotonic() + GRACE
        over = None not in codes
        if failed and (over or time.monotonic() > until):
            tell(*failed)
        if over:
            return failed[1] if failed else 0
        if time.monotonic() > until:
            send(processes, number)
            number, until = signal.SIGKILL, time.monotonic() + LAST
        time.sleep(0.05)
