"""Opens the run that a training is to be: a new one, or one to go on with, checked before any work."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from deepret.config import resolve
from deepret.distributed.launch import wanted
from deepret.errors import UserError
from deepret.parts import check_value
from deepret.programs.leaks import check_allowed
from deepret.programs.sets import check_sets, refuse_sets
from deepret.programs.shared import device_of, prepare, scored_file
from deepret.runs.run import PLACES, Run, digest
from deepret.training.compiled import check_backend
from deepret.training.learning import check_learns
from deepret.training.plan import plan
from deepret.training.settings import PROGRAM
from deepret.training.trainer import check_trainer, try_trainer


def open_run(cfg: DictConfig, overrides: list[str]) -> Run:
    """A new run, or the one that ``resume`` names, which goes on with its own configuration, on any devices.

    With ``resume=auto`` a run that is finished already is given as it is.

    Raises:
        UserError: no such run, one that is finished or still training, or a setting given beside ``resume=PATH``.
    """
    name = check_value(PROGRAM["resume"], cfg.get("resume"), "resume")
    if name in (None, "last", "auto"):
        config, mark = prepare(cfg), digest(resolve(cfg))
        check_before_work(config)
        output: str = config["output"]
        known = Run.of(output, mark) if name == "auto" else []
        if all(run.done for run in known) and name != "last":
            return known[0] if known else Run.start(config, mark)
        run = Run.last(output, mark)
        run.config["trainer"] |= {key: config["trainer"][key] for key in PLACES if key in config["trainer"]}
        run.config["logger"] = config["logger"]
        return run
    run = Run.open(name)
    kept = ("resume", "output", *(f"trainer.{key}" for key in PLACES))
    others = [o for o in overrides if o.lstrip("+").partition("=")[0] not in kept]
    if others:
        raise UserError(
            f"{others[0]}: resume={name} goes on with the run's own settings, those of "
            f"{run.folder / 'config.yaml'}; leave it out, or start a new run."
        )
    try:
        run.hold()
    except UserError as error:
        raise UserError(f"resume={name}: {error}") from None
    if run.state.get("status") == "finished":
        run.let_go()
        raise UserError(
            f"resume={name}: this run is finished; score it with eval.py checkpoint={run.folder}/…/best.ckpt."
        )
    run.config["trainer"] |= _places(cfg, overrides)
    run.config = prepare(OmegaConf.create(run.config))
    check_before_work(run.config)
    return run


def trainer_of(cfg: DictConfig, overrides: list[str]) -> dict[str, Any]:
    """The trainer's settings: the configuration's, or those of the run that ``resume`` names; none if it is amiss."""
    if cfg.get("resume") in (None, "last", "auto"):
        return {str(key): value for key, value in (cfg.get("trainer") or {}).items()}
    try:
        return {**Run.open(str(cfg.resume)).config["trainer"], **_places(cfg, overrides)}
    except (UserError, KeyError):  # told later, by one process
        return {}


def _places(cfg: DictConfig, overrides: list[str]) -> dict[str, Any]:
    """Where the command line says that a run is to go on."""
    named = {override.lstrip("+").partition("=")[0] for override in overrides}
    return {key: cfg.trainer[key] for key in PLACES if f"trainer.{key}" in named}


def check_before_work(config: dict[str, Any]) -> None:
    """Refuses what nothing could come of.

    Raises:
        UserError: processes that nobody has started, stages or networks that learn nothing where something has to be
            learned, a network that gives sets of codes, names in ``allow`` that nothing has, a file to be scored in
            place of the network, or a trainer that Lightning refuses.
    """
    if (given := scored_file(config)) is not None:
        raise UserError(
            f"{given[0]}={given[1]}: this file would be scored in place of the network that is trained: leave it out, "
            f"or score the file with eval.py."
        )
    check_trainer(config["trainer"])
    if (count := wanted(config["trainer"])) > 1:
        raise UserError(f"{count} processes are wanted, and this is one: start them with torchrun, or deepret train.")
    check_backend(config.get("compile"))
    if config.get("profile") and config["trainer"].get("profiler") is not None:
        raise UserError("trainer.profiler: profile=true brings its own, so take one of the two.")
    refuse_sets(config, "a training compares one code an image")
    check_sets(config)
    check_allowed(config)
    plan(config)
    check_learns(config)
    device_of(config)
    try_trainer(config["trainer"])
