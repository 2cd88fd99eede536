from __future__ import annotations

import os
import signal

import pytest

from deepret.errors import Preempted
from deepret.training.preemption import Preemption


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP])
def test_ends_at_once_where_nothing_trains(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Preemption() as preemption:
        with pytest.raises(Preempted, match=number.name):
            os.kill(os.getpid(), number)
        assert preemption.asked == number
        os.kill(os.getpid(), number)  # once is enough: what ends is left to end
    assert signal.getsignal(number) is before


def test_waits_where_a_stage_trains() -> None:
    with Preemption() as preemption:
        preemption.end()
        preemption.patient = True
        os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(Preempted, match="SIGUSR1"):
            preemption.end()


def test_nohup_is_left_alone() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Preemption() as preemption:
            os.kill(os.getpid(), signal.SIGHUP)
            assert preemption.asked is None
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_nothing_takes_it_for_a_fault() -> None:
    assert not issubclass(Preempted, Exception)
