from __future__ import annotations

from pathlib import Path

import pytest

from deepret.reports.loop.jobs import Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A training that there is no need to run."""
    return Job("0.4/0", "noisy", ("data=scenes", "seed=0"), (f"output={tmp_path}",))
