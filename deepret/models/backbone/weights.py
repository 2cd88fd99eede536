"""A backbone's weights: read from a file and fitted in, or downloaded."""

from __future__ import annotations

import pickle
import re
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import getproxies

import torch
from huggingface_hub import constants
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from deepret.errors import UserError

LITE0_STAGES = (0, 1, 3, 5, 8, 11, 15)
"""The first block of each stage, in the package's numbering."""


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a ``.safetensors`` file or one written by ``torch.save``; nothing in it is executed.

    A state dict kept under the key ``state_dict`` is found, and the prefix ``module.`` of data-parallel training is
    taken off.

    Raises:
        UserError: no such file, one that cannot be read, or one that holds no state dict.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"backbone.weights={path}: there is no such file.")
    state: Any
    try:
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, SafetensorError):
        raise UserError(
            f"backbone.weights={path}: cannot be read as weights. It must hold a state dict and nothing else, "
            f"written by torch.save or as .safetensors."
        ) from None
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"backbone.weights={path}: holds no state dict (a mapping from names to tensors).")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def fit_weights(body: nn.Module, state: Mapping[str, Tensor], source: str, spare: Collection[str] = ()) -> None:
    """Loads a state dict into a module, every tensor of it.

    Args:
        body: takes the weights.
        state: name → tensor.
        source: where they come from, for the message.
        spare: names that may be there although the module has no use for them, such as its classifier's.

    Raises:
        UserError: names that are missing or unknown, tensors of another shape, or values that are no numbers; the first
            few of each.
    """
    own = body.state_dict()
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    unknown = [k for k in state if k not in own and k not in spare]
    shapes = [
        f"{k} {tuple(state[k].shape)} for {tuple(v.shape)}"
        for k, v in own.items()
        if k in state and state[k].shape != v.shape
    ]
    if missing or unknown or shapes:
        found = {"missing": missing, "unknown": unknown, "of another shape": shapes}
        said = "; ".join(f"{len(names)} {what}: {_few(names)}" for what, names in found.items() if names)
        raise UserError(f"{source}: these weights do not fit the backbone ({said}). Give weights of this architecture.")
    bad = [k for k in own if k in state and not state[k].isfinite().all()]
    if bad:
        raise UserError(
            f"{source}: {len(bad)} of these tensors hold values that are no finite numbers: {_few(bad)}. The file is "
            f"damaged, or its training diverged; give another one."
        )
    body.load_state_dict({k: state.get(k, v) for k, v in own.items()})


def lite0_name(name: str) -> str:
    """timm's name for a tensor of EfficientNet-Lite0, from the name in the package's file; other names stay."""
    name = name.replace("_conv_stem", "conv_stem").replace("_conv_head", "conv_head").replace("_fc", "classifier")
    name = re.sub(r"^_bn0", "bn1", re.sub(r"^_bn1", "bn2", name))
    block = re.match(r"_blocks\.(\d+)\.(.+)", name)
    if not block:
        return name
    number, rest = int(block[1]), block[2]
    stage = max(i for i, first in enumerate(LITE0_STAGES) if first <= number)
    parts = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    if number > 0:  # the other blocks widen first
        parts = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
        parts |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
    part, _, tensor = rest.partition(".")
    return f"blocks.{stage}.{number - LITE0_STAGES[stage]}.{parts.get(part, part)}.{tensor}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def fetch(name: str, pretrained: bool, make: Callable[[bool], nn.Module]) -> nn.Module:
    """Makes a model, with downloaded weights or without.

    Raises:
        UserError: the weights cannot be downloaded.
    """
    try:
        with _impatient():
            return make(pretrained)
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        raise UserError(
            f"backbone={name}: its pretrained weights cannot be downloaded ({type(error).__name__}). Give a file with "
            f"backbone.weights=PATH, take backbone=lite0, whose weights need no network, or "
            f"backbone.pretrained=false for random ones."
        ) from None


@contextmanager
def _impatient() -> Iterator[None]:
    """Without a network, Hugging Face's client looks into its cache alone rather than trying for most of a minute."""
    before = constants.HF_HUB_OFFLINE
    if not getproxies():
        try:
            socket.getaddrinfo(urlparse(constants.ENDPOINT).hostname, 443)
        except OSError:
            constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
