from __future__ import annotations

from typing import Any

import pytest

from deepret.errors import UserError
from deepret.training.trainer import check_settings, check_trainer, try_trainer

NODE: dict[str, Any] = {
    "_target_": "pytorch_lightning.Trainer",
    "accelerator": "cpu",
    "devices": 1,
    "strategy": "auto",
    "enable_progress_bar": True,
}


def test_a_good_trainer_passes() -> None:
    for strategy in ("auto", "ddp"):
        check_trainer({**NODE, "strategy": strategy})
        try_trainer({**NODE, "strategy": strategy})


@pytest.mark.parametrize(
    ("key", "value", "mend"),
    [
        ("accelerator", "cup", "'cpu'"),
        ("strategy", "dp", "'ddp'"),
        ("strategy", "ddp_spawn", "'ddp'"),
        ("strategy", "fsdp", "'ddp'"),
        ("strategy", "deepspeed", "there are: auto, ddp"),
        ("accelerator", "mps", "gpu"),
        ("devices", 0, "devices=1"),
        ("devices", [1], "CUDA_VISIBLE_DEVICES=1"),
        ("devices", "1,", "CUDA_VISIBLE_DEVICES=1"),
        ("devices", "abc", "auto"),
        ("num_nodes", 0, "num_nodes=1"),
        ("precision", "bf16-true", "bf16-mixed"),
    ],
)
def test_what_lightning_has_not_is_named(key: str, value: object, mend: str) -> None:
    with pytest.raises(UserError, match=rf"trainer\.{key}=.*{mend}"):
        check_trainer({**NODE, key: value})


def test_what_lightning_refuses_is_one_message() -> None:
    with pytest.raises(UserError, match=r"trainer: Lightning refuses it: .*duration") as error:
        try_trainer({**NODE, "max_time": "soon"})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "mend"),
    [
        ("accumulate_grad_batches", 4, "batch.images"),
        ("max_steps", 1, "trainer.max_epochs"),
        ("fast_dev_run", True, "trainer.limit_train_batches"),
        ("enable_checkpointing", False, "there are: accelerator"),
        ("limit_val_batches", 3, "there are: accelerator"),
        ("max_epoch", 3, "max_epochs"),
    ],
)
def test_what_the_stages_know_nothing_of_is_refused(key: str, value: object, mend: str) -> None:
    with pytest.raises(UserError, match=rf"trainer\.{key}: .*{mend}"):
        check_settings({**NODE, key: value})
