"""Who starts the processes of a training: torchrun, SLURM's srun, or deepret itself on one machine."""

from __future__ import annotations

import logging
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

import torch

from deepret.errors import AGAIN, UserError

ALL = ("auto", -1, "-1")
"""Lightning's names for every device of a machine."""


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
    if world % nodes:
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
    nodes, count = int(trainer.get("num_nodes", 1)), devices(trainer)
    if nodes > 1:
        raise UserError(
            f"trainer.num_nodes={nodes}: processes on several machines are started by torchrun on each, torchrun "
            f"--nnodes={nodes} --nproc_per_node={count} train.py trainer=ddp …, or by srun in a job of SLURM's; one "
            f"machine takes trainer.num_nodes=1."
        )
    there = torch.cuda.device_count()
    if count > 1 and trainer.get("accelerator", "auto") != "cpu" and torch.cuda.is_available() and count > there:
        raise UserError(f"trainer.devices={trainer['devices']}: this machine has {there} GPUs; take at most as many.")
    return count


def devices(trainer: dict[str, Any]) -> int:
    """The devices of this machine that a configuration asks for."""
    wanted = trainer.get("devices", 1)
    if wanted in ALL:
        on_cpu = trainer.get("accelerator", "auto") == "cpu" or not torch.cuda.is_available()
        return 1 if on_cpu else torch.cuda.device_count()
    return int(wanted) if str(wanted).isdigit() and int(wanted) else 1  # what is none is told later, with the rest


def launch(program: str, words: list[str], count: int) -> int:
    """Runs a program in several processes of this machine, as torchrun does, and gives its exit code.

    Signals that ask it to stop are passed on. Each process gets an equal share of the machine's cores.

    Args:
        program: ``train`` or ``eval``.
        words: its command line.
        count: how many processes.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in logging.root.manager.loggerDict:
        if name.startswith("torch.distributed.elastic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # the processes say what is wrong
    home = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    start = elastic_launch(
        LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
            signals_to_handle="SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1",
        ),
        sys.executable,
    )
    try:
        start("-m", "deepret", program, *words)
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return code if code > 0 else 128 - code
    except SignalException as stop:
        number = int(stop.sigval)
        return AGAIN if number in (signal.SIGTERM, signal.SIGUSR1) else 128 + number
    return 0
