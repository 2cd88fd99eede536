"""What nobody is to read: remarks of libraries, and what is said to a terminal that is gone."""

from __future__ import annotations

import logging
import os
import stat
import warnings


def hung_up() -> None:
    """Has what is said go nowhere where the terminal is gone, instead of ending the program."""
    for place in (1, 2):
        if stat.S_ISCHR(os.fstat(place).st_mode) and not os.isatty(place):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, place)
            os.close(nowhere)


def quiet() -> None:
    """Silences remarks of libraries that a user can do nothing about."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "wandb"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("always", category=UserWarning)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning|wandb|torch")
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", flush=True)
    os.environ.setdefault("WANDB_SILENT", "true")
