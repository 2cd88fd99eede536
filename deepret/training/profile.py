"""Where the time of a training step goes."""

from __future__ import annotations

import csv
import io
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
from pytorch_lightning.profilers import Profiler
from torch import nn

from deepret.runs.checkpoint import write_bytes

NEXT = "train_dataloader_next"
PARTS = {
    NEXT: "waiting for images",
    "batch_to_device": "moving them to the device",
    "training_step": "pairs and loss",
    "backward": "backward",
    "optimizer_step": "optimiser",
    "optimizer_zero_grad": "optimiser",
    "configure_gradient_clipping": "optimiser",
}
"""What Lightning's actions are, by the ends of their names."""
NETWORK = "network: "
"""What the names of its parts begin with."""
REST = "the rest: figures, logs, states"
COLUMNS = ("stage", "part", "seconds a step", "share")


class Profile(Profiler):
    """Adds up the time of each part of a step, the first step of a stage left out, each moment counted once.

    A step lasts from one batch being asked for to the next; the last one of an epoch, after which the network is scored
    and saved, to its own end. What a part calls is its own time no more: the network's parts are no time of the step
    that calls them. On a GPU each part is waited for, which a training does not do, so that steps are a little longer.

    Args:
        clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self.clock = clock
        self.seconds: dict[str, float] = {}
        self.steps = 0
        self._stack: list[str] = []
        self._step: defaultdict[str, float] | None = None
        self._first, self._ended = True, False
        self._since = clock()

    def watch(self, network: nn.Module) -> None:
        """Times the network's parts, forward, but where backward calls them again."""
        for name, part in network.named_children():
            part.register_forward_pre_hook(lambda *_, name=name: self._within(name, self.start))
            part.register_forward_hook(lambda *_, name=name: self._within(name, self.stop))

    def _within(self, name: str, then: Callable[[str], None]) -> None:
        if self._stack and (self._stack[-1].endswith("training_step") or self._stack[-1].startswith(NETWORK)):
            then(f"{NETWORK}{name}")

    def start(self, action_name: str) -> None:
        """Something begins, within what has begun before it."""
        self._count()
        if action_name.endswith(NEXT):
            if self._step is not None and self._ended:
                self._keep()
            self._step, self._ended = defaultdict(float), False
        elif action_name.endswith("on_train_epoch_end") and self._step is not None:
            self._keep()
        self._stack.append(action_name)

    def stop(self, action_name: str) -> None:
        """It ends."""
        self._count()
        self._ended = self._ended or action_name.endswith("on_train_batch_end")
        if action_name in self._stack:
            del self._stack[len(self._stack) - 1 - self._stack[::-1].index(action_name) :]

    def _count(self) -> None:
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()
        now = self.clock()
        if self._step is not None:
            self._step[part_of(self._stack)] += now - self._since
        self._since = now

    def _keep(self) -> None:
        if not self._first:
            for name, value in (self._step or {}).items():
                self.seconds[name] = self.seconds.get(name, 0.0) + value
            self.steps += 1
        self._step, self._first = None, False

    def rows(self, stage: str) -> list[tuple[str, str, float, float]]:
        """Stage, part, seconds a step and share of the step, of each part in the order of a step."""
        found = {name: value / self.steps for name, value in self.seconds.items()}
        total, parts = sum(found.values()), list(dict.fromkeys(PARTS.values()))
        order = [*parts[:2], *(name for name in found if name.startswith(NETWORK)), *parts[2:], REST]
        return [(stage, name, found[name], found[name] / total) for name in order if name in found]

    def tell(self, stage: str, path: Path) -> str:
        """Writes the rows to a file, after those of other stages, and gives them as a table."""
        rows = self.rows(stage)
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        if path.is_file():
            text.write(path.read_text())
        else:
            writer.writerow(COLUMNS)
        writer.writerows([name, part, f"{seconds:.6f}", f"{share:.4f}"] for name, part, seconds, share in rows)
        write_bytes(path, text.getvalue().encode())
        lines = [f"  {part:31} {1000 * seconds:9.1f} ms {100 * share:6.1f} %" for _, part, seconds, share in rows]
        whole = sum(seconds for *_, seconds, _ in rows)
        return "\n".join([f"{stage}: {1000 * whole:.1f} ms a step, {self.steps} of them timed", *lines])


def part_of(stack: list[str]) -> str:
    """The part of a step that the innermost of the actions under way belongs to."""
    for action in reversed(stack):
        if action.startswith(NETWORK):
            return action
        name = action.rpartition(".")[2]
        if name in PARTS:
            return PARTS[name]
    return REST
