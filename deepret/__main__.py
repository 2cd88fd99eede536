"""``deepret train | eval | data | clean | reproduce``; ``python -m deepret …`` and train.py, eval.py come here too."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NoReturn

from deepret.errors import AGAIN, Preempted, UserError
from deepret.memory import keep_memory

# Threads that wait for work sleep: workers that decode, and other people's programs, need the core meanwhile.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# torch's C++ prints stacks of what it raises too: a process that meets nobody is told once.
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")

PROGRAMS = {
    "train": "trains a network and scores it before and after",
    "eval": "scores a network, trained or not",
    "data": "checks photographs: what there is, broken files, copies in train and test: deepret data data.root=DIR",
    "clean": "keeps of each class what shows the same, and finds where it is: deepret clean data.root=DIR out=DIR2",
    "fetch": "fetches a published set, or distractors: deepret fetch name=revisitop1m root=DIR",
    "reproduce": "trains a finished run again and compares, or compares two",
    "pack": "packs photographs into a few large tar files: deepret pack root=DIR out=DIR",
    "report": "tells and draws: report table | sweep | matrix | transfer | proposal_recall | detection"
    " | scene_matches | contact_sheet | duplicates | linking | cleaning_loop",
}
REPORTS = (
    "table",
    "sweep",
    "matrix",
    "transfer",
    "proposal_recall",
    "detection",
    "scene_matches",
    "contact_sheet",
    "duplicates",
    "linking",
    "cleaning_loop",
)
MODULES = {"table": "deepret.programs.tables"}
"""Where a report is that runs what programs do, and so stands above the others."""
CONFIG_DIR = ("--config-dir", "-cd")
HELP = {"-h", "--help"}
HYDRA_ONLY = {"-m", "--multirun", "-c", "--cfg", *HELP, "--hydra-help", "-i", "--info", "-p", "--package"}


def main(program: str | None = None) -> None:
    """Runs a program on the command line's words; a user's mistake ends it with one message and code 2.

    Args:
        program: its name; the first word of the command line where none is given.
    """
    words = sys.argv[1:]
    if program is None:
        if not words or words[0] not in PROGRAMS:
            known = "\n".join(f"  deepret {name:9} {what}" for name, what in PROGRAMS.items())
            asked = bool(HELP.intersection(words[:1]))
            wrong = f"error: there is no such program as {words[0]!r}.\n\n" if words and not asked else ""
            print(f"{wrong}usage: deepret PROGRAM [key=value …]\n\n{known}", file=sys.stdout if asked else sys.stderr)
            sys.exit(0 if asked else 2)
        program, words = words[0], words[1:]
    words = [_quoted(_at_home(word)) for word in words]
    keep_memory()
    several, code = _several(), 0
    try:
        if several is not None:
            several.join()
        if program == "reproduce":
            code = _reproduce(words)
        elif program == "report":
            _report(words)
        elif program == "fetch":
            _command("deepret.programs.fetch.fetch", words, "name=sop root=DIR")
        elif program == "pack":
            _command("deepret.programs.pack.pack", words, "root=photos out=shards")
        elif HYDRA_ONLY.intersection(w.split("=")[0] for w in words):
            _through_hydra(program, words)
        else:
            from deepret import config

            overrides, folders = _split(words)
            if program == "eval":  # a checkpoint's configuration takes the place of eval.yaml
                _task(program)(None, overrides, folders)
            elif program in ("data", "clean"):
                _task(program)(config.compose(program, overrides, folders), overrides)
            else:
                code = _train(config.compose(program, overrides, folders), overrides, words)
        if several is not None:
            several.leave()
        if code:
            sys.exit(code)
    except UserError as error:
        _end(f"error: {error}", 2)
    except KeyboardInterrupt as stop:
        _end(f"\nstopped. {stop}".rstrip(), 130)
    except Preempted as stop:
        _end(f"\nstopped. {stop}", AGAIN)
    except Exception as error:
        if several is None or not (several.told() or several.lost(error)):
            if several is not None:
                several.speaks()  # what follows says it
            raise
        _end(f"error: {several.lost_by(error)}", 2)  # unless the other one has said why


def _train(cfg: Any, overrides: list[str], words: list[str]) -> int:
    """Trains in this process, or in as many of this machine as the configuration, or the run's, asks for.

    Gives the exit code of those, which have said why; a mistake in this process is raised.
    """
    from deepret.distributed.launch import launch, wanted
    from deepret.programs.opening import trainer_of

    count = wanted(trainer_of(cfg, overrides))
    if count > 1:
        return launch("train", words, count)
    _task("train")(cfg, overrides)
    return 0


def _reproduce(words: list[str]) -> int:
    """Trains a run again, in as many processes of this machine as it had; gives 1 where it comes out otherwise."""
    from deepret.distributed.launch import launch
    from deepret.programs.reproduce import processes_wanted, reproduce, runs_of, verdict

    run, *again = runs_of(words)
    if again:
        return int(not verdict(run, again[0]))
    count = processes_wanted(run)
    return launch("reproduce", words, count) if count > 1 else int(not reproduce(run))


def _report(words: list[str]) -> None:
    """Runs one of deepret.reports as a program."""
    import runpy

    from deepret.errors import closest

    name = words[0] if words else ""
    if not name or name in ("-h", "--help"):
        print(
            f"usage: deepret report NAME [key=value …]; deepret report NAME --help says what it takes\n\n"
            f"  {'  '.join(REPORTS)}",
            file=sys.stdout if name else sys.stderr,
        )
        sys.exit(0 if name else 2)
    if name not in REPORTS:
        raise UserError(f"report {name}".strip() + f": there is no such report; {closest(name, REPORTS)}")
    sys.argv = [f"deepret report {name}", *words[1:]]
    runpy.run_module(MODULES.get(name, f"deepret.reports.{name}"), run_name="__main__")


def _command(name: str, words: list[str], example: str) -> None:
    """Calls a function with the command line's words, checked by its signature."""
    from deepret.reports.command import command

    sys.argv = [name, *words]
    command(name, example)


def _several() -> Any:
    """What several processes have in common; None where this is the only one, which waits for nothing."""
    if not {"TORCHELASTIC_RUN_ID", "SLURM_STEP_NUM_TASKS"} & os.environ.keys():
        return None
    from deepret.distributed import processes
    from deepret.distributed.launch import started

    return processes if started() else None


def _end(message: str, code: int) -> NoReturn:
    """Ends the program with one message, of several processes too."""
    several = _several()
    if message and (several is None or several.speaks(code)):
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(message, file=sys.stderr)
    if several is not None:
        several.give_up(code)
    sys.exit(code)


def _task(program: str) -> Callable[..., Any]:
    if program == "train":
        from deepret.programs.train import train

        return train
    if program == "data":
        from deepret.programs.data import check_data

        return check_data
    if program == "clean":
        from deepret.programs.clean import clean

        return clean
    from deepret.programs.evaluate import evaluate

    return evaluate


def _at_home(word: str) -> str:
    """key=~/PATH with the home folder written out, which neither the shell nor Hydra does."""
    key, equals, value = word.partition("=")
    return f"{key}{equals}{os.path.expanduser(value)}" if value.startswith("~/") else word


def _quoted(word: str) -> str:
    """key=value in quotes where the value has letters that Hydra reads in quotes only, such as ä in a folder's name."""
    key, equals, value = word.partition("=")
    if not equals or value.isascii() or value[0] in "'\"[{" or "," in value or word.startswith("-"):
        return word
    return key + equals + "'" + value.replace("'", "\\'") + "'"


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Overrides, and the folders named with --config-dir (-cd)."""
    overrides, folders, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        if word in CONFIG_DIR:
            if not rest:
                raise UserError(f"{word} needs a folder: {word} DIR.")
            folders.append(rest.pop(0))
        elif word.startswith("--config-dir="):
            folders.append(word.partition("=")[2])
        elif word.startswith("-"):
            raise UserError(f"{word}: there is no such flag; settings are given as key=value, and --help lists them.")
        else:
            overrides.append(word)
    return overrides, folders


def _help(program: str) -> str:
    """What --help prints: the program's groups with their options, and every setting."""
    from deepret import config

    options = config.groups()
    listed = "\n".join(f"{name}: {', '.join(options[name])}" for name in config.named(program) if name in options)
    return (
        f"${{hydra.help.header}}\n\nGroups, to be chosen from as group=option:\n\n{listed}\n\n"
        f"All settings, to be changed as key.key=value:\n\n$CONFIG\n"
    )


def _through_hydra(program: str, words: list[str]) -> None:
    """Sweeps, --cfg and --help are Hydra's own."""
    import hydra
    from hydra.core.hydra_config import HydraConfig

    from deepret import config

    sys.argv = [f"deepret {program}", *words]
    if HELP.intersection(words):
        sys.argv += [
            f'hydra.help.header="deepret {program}: {PROGRAMS[program]}"',
            f"hydra.help.template='{_help(program)}'",
        ]
    folders = [word for flag in pairwise(words) if flag[0] in CONFIG_DIR for word in flag]
    folders += [word for word in words if word.startswith("--config-dir=")]

    sweeps = program == "train" and bool({"-m", "--multirun"} & set(words))

    @hydra.main(version_base="1.3", config_path=str(config.conf_dir()), config_name=config.file_of(program))
    def job(cfg: Any) -> Any:
        words = list(HydraConfig.get().overrides.task)
        several = _several()
        try:
            if several is not None:  # a launcher may have made tasks of SLURM's of it
                several.join()
            if program == "train":
                from deepret.programs.sweep import run_job

                return run_job(cfg, words, lambda cfg, words: _train(cfg, words, [*folders, *words]))
            _task(program)(cfg, words)
        except UserError as error:
            _end(f"error: {error}", 2)
        return None

    if not sweeps:
        job()
        return
    from deepret.programs.sweep import ledger_of, sweep_name
    from deepret.runs.ledger import outcome

    name = sweep_name()  # before jobs begin, which may do so in other processes and on other machines
    ledger = ledger_of(words)
    try:
        job()
    finally:
        said, all_finished = outcome(ledger, name)
        print(f"\n{said}", flush=True)
    if not all_finished:
        sys.exit(1)


if __name__ == "__main__":
    main()
