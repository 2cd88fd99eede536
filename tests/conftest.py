from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
import torch
from hypothesis import settings

settings.register_profile("steady", deadline=None)  # a busy machine is no mistake
settings.load_profile("steady")

SHARED = Path(os.environ.get("DEEPRET_SHARED", Path(__file__).resolve().parents[2] / "shared"))
"""Photographs and official ground truths, which are not part of the repository: tests that need them skip without."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proof", action="store_true", help="also run the long kill and soak tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--proof"):
        skip = pytest.mark.skip(reason="a long run: make proof")
        for item in items:
            if "proof" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of photographs and ground truths: beside the checkout, or where DEEPRET_SHARED says."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: photographs and ground truths are not part of the repository")
    return SHARED


@pytest.fixture(scope="session")
def ground_truth(shared: Path) -> Path:
    """The folder of official ground truths."""
    folder = shared / "data/ground_truth"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: official ground truths are not part of the repository")
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that all tests of one process share, so that scenes are rendered once."""
    return tmp_path_factory.mktemp("cache")
