"""What libraries say that a user can do nothing about."""

from __future__ import annotations

import logging
import os
import warnings


def quiet() -> None:
    """Silences remarks of libraries that a user can do nothing about."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "wandb"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("always", category=UserWarning)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning|wandb|torch")
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", flush=True)
    os.environ.setdefault("WANDB_SILENT", "true")
