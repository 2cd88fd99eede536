"""What a program looks for leaks in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data.pictures import picture

from deepret.benchmarks import protocol
from deepret.benchmarks.gldv2_recognition import GLDv2Recognition
from deepret.benchmarks.protocol import Benchmark
from deepret.benchmarks.truth import Truth
from deepret.config import compose, conf_dir, resolve
from deepret.parts import locate
from deepret.programs import leaks

BENCHMARKS = sorted(path.stem for path in (conf_dir() / "benchmark").glob("*.yaml"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_is_fetched_and_then_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    composed = compose("data", [f"benchmark={name}", f"data.root={tmp_path}"])
    target, done = locate(composed.benchmark._target_), list[str]()
    words: dict[str, Any] = {"root": str(tmp_path), "download": True, "distractors": str(tmp_path / "none")}
    composed.benchmark.update({key: value for key, value in words.items() if key in list(composed.benchmark)})

    def does(what: str, gives: Any) -> Callable[..., Any]:
        return lambda *_, **__: (done.append(what), gives)[1]

    if issubclass(target, Benchmark):
        monkeypatch.setattr(protocol, "fetch_set", does("fetched", None))
        monkeypatch.setattr(target, "truth", does("read", Truth((), [])))
        monkeypatch.setattr(Benchmark, "files", does("listed", {}))
        monkeypatch.setattr(target, "files", does("listed", {}))
    found = leaks.benchmark_prints(resolve(composed))
    assert (found is not None) == issubclass(target, Benchmark)
    assert done == (["fetched", "read", "listed"] if found else [])


def test_of_gldv2_recognition_the_queries_alone_are_held_out(tmp_path: Path) -> None:
    for number, path in enumerate(("train/0/1/2/0123456789abcdef.jpg", "test/1/2/3/123456789abcdef0.jpg")):
        (tmp_path / path).parent.mkdir(parents=True)
        picture(number).save(tmp_path / path)
    (tmp_path / "train_clean.csv").write_text("landmark_id,images\n7,0123456789abcdef\n")
    (tmp_path / "recognition_solution_v2.1.csv").write_text("id,landmarks,Usage\n123456789abcdef0,7,Private\n")
    words = ["benchmark=gldv2_recognition", f"benchmark.root={tmp_path}", f"data.root={tmp_path}", "cache=null"]
    found = leaks.benchmark_prints(resolve(compose("data", words)))
    assert found is not None
    assert found.name == GLDv2Recognition.name
    assert [Path(name).name for name in found.prints.names] == ["123456789abcdef0.jpg"]
