"""Work in threads: results in order, few ahead, mistakes and an early end leave nothing behind."""

from __future__ import annotations

import threading
import time

import cv2
import pytest
import torch

from deepret.cleaning.parallel import cores, each


def test_results_are_in_the_order_of_the_jobs() -> None:
    def work(job: int) -> int:
        time.sleep(0.002 * (job % 3))
        return job * job

    for threads in (1, 3, None):
        assert list(each(work, range(40), threads)) == [job * job for job in range(40)]
    assert list(each(work, [], 2)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_so_many_at_once(threads: int) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def work(job: int) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.005)
        with lock:
            now[0] -= 1

    list(each(work, range(12), threads))
    assert most[0] == threads


def test_jobs_do_not_run_far_ahead_of_what_is_taken() -> None:
    done: list[int] = []
    results = each(done.append, range(1000), 2)
    next(results)
    time.sleep(0.05)
    assert len(done) <= 8
    results.close()
    assert len(done) <= 9


def test_each_job_has_one_core_and_others_have_theirs_back() -> None:
    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(2)
    try:
        seen = list(each(lambda _: (cv2.getNumThreads(), torch.get_num_threads()), range(5), 2))
        assert set(seen) == {(1, 1)}
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before[0])
    assert torch.get_num_threads() == before[1]


def test_a_mistake_ends_it_soon() -> None:
    done: list[int] = []

    def work(job: int) -> None:
        if job == 3:
            raise ValueError("three")
        done.append(job)

    with pytest.raises(ValueError, match="three"):
        list(each(work, range(1000), 2))
    assert len(done) < 20


def test_cores() -> None:
    assert cores() >= 1
