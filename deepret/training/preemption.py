"""Making room when a scheduler asks for it: the run ends after the step under way, and goes on later."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

from deepret.errors import ASKING, HANG_UP, Preempted
from deepret.quiet import hung_up


class Preemption:
    """Hears the signals that ask a run to end.

    While a stage trains they are kept for a moment at which its state can be saved; at any other time the run ends at
    once, as at Ctrl-C. A context: signals go where they went before once it is left.

    Attributes:
        asked: the signal that has come, if any.
        patient: whether a stage trains.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self.patient = False
        self._before: dict[int, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> Preemption:
        self._before = self.listen()
        return self

    def listen(self) -> dict[int, Any]:
        """Hears the signals, whoever heard them before, which is given: Lightning puts itself before others.

        What is not to be heard, as SIGHUP under nohup, is not.
        """
        if threading.current_thread() is not threading.main_thread():
            return {}
        heard = [number for number in ASKING if signal.getsignal(number) != signal.SIG_IGN]
        return {number: signal.signal(number, self._hear) for number in heard}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _: FrameType | None) -> None:
        if os.getpid() != self._process:  # a loader's worker, which ends when the loader does
            return
        if number == HANG_UP:
            hung_up()
        first, self.asked = self.asked is None, number
        if first and not self.patient:
            self.end()

    def end(self) -> None:
        """Ends the run if it was asked to.

        Raises:
            Preempted: it was.
        """
        if self.asked is not None:
            raise Preempted(signal.Signals(self.asked).name)
