"""Reads what W&B has written: LevelDB's log format after a head of seven bytes, one protobuf record after the other."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

from wandb.proto import wandb_internal_pb2

BLOCK = 32768


def records(path: Path) -> Iterator[wandb_internal_pb2.Record]:
    data, place, parts = path.read_bytes(), 7, []
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        parts.append(data[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield wandb_internal_pb2.Record.FromString(b"".join(parts))
            parts = []


def history(path: Path) -> list[dict[str, float]]:
    """The figures that were logged, call by call."""
    found = []
    for record in records(path):
        if record.HasField("history"):
            items = record.history.item
            found.append({"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items})
    return found


def run_id(path: Path) -> str:
    return next(record.run.run_id for record in records(path) if record.HasField("run"))
