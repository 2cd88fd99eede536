"""``deepret train``: composes a network, trains it stage by stage, scores it before and after."""

from __future__ import annotations

import json
import time
from typing import Any

from omegaconf import DictConfig

from deepret.benchmarks.result import Result
from deepret.data.catalogue import Catalogue
from deepret.distributed.launch import KEPT
from deepret.distributed.processes import first, lost, lost_by, told
from deepret.distributed.ranks import rank
from deepret.errors import Preempted, UserError
from deepret.models.network import Network
from deepret.parts import build
from deepret.programs.leaks import refuse_leaks
from deepret.programs.opening import open_run
from deepret.programs.shared import (
    agree_on,
    check_benchmark,
    device_of,
    evaluate_network,
    first_network,
    last_line,
    threads,
    within_memory,
)
from deepret.quiet import quiet
from deepret.reports.gallery import before_after, gallery, save_png
from deepret.reports.looked_at import looked_at
from deepret.reports.table import results_columns, results_report, results_table
from deepret.reports.weighed import weighed, weighs
from deepret.runs.checkpoint import write_bytes
from deepret.runs.run import Run
from deepret.training.announce import Forecast, announcement
from deepret.training.plan import learns_regions, plan
from deepret.training.preemption import Preemption
from deepret.training.stages import Training


def train(cfg: DictConfig, overrides: list[str]) -> dict[str, Any]:
    """Trains as configured and gives the figures that the last line prints.

    Raises:
        UserError: any mistake in configuration or data, before work starts where it can be known by then.
        KeyboardInterrupt: the user stopped it; it says how to go on.
        Preempted: a scheduler did; likewise.
    """
    start = time.perf_counter()
    quiet()
    agree_on(cfg)
    run = first(lambda: open_run(cfg, overrides))
    if run.done:
        print(f"run: {run.folder} is finished already", flush=True)
        values: dict[str, Any] = json.loads((run.folder / "result.json").read_text())
        last_line(values)
        return values
    try:
        with Preemption() as preemption, within_memory("batch.microbatch=1, or a smaller batch.images, extract_batch"):
            return trained(run, start, preemption)
    except (KeyboardInterrupt, Preempted) as stop:
        run.state["status"] = "interrupted"
        run.save()
        asked = f"{stop} asked for it. " if isinstance(stop, Preempted) else ""
        raise type(stop)(f"{asked}{KEPT} resume={run.folder}") from None
    except UserError:
        run.discard()
        raise
    except RuntimeError as error:
        if told():
            run.discard()
            raise
        if not lost(error):
            raise
        raise UserError(f"{lost_by(error)} {KEPT} resume={run.folder}") from None
    finally:
        run.let_go()


def trained(run: Run, start: float, preemption: Preemption) -> dict[str, Any]:
    """Trains what is not finished of a run, and scores it.

    Args:
        run: new, or to go on with.
        start: when the program began, by ``time.perf_counter``.
        preemption: hears whether the run is to end.
    """
    config = run.config
    threads(config)
    run.made()
    device = device_of(config)
    catalogue: Catalogue = first(lambda: data_of(run))
    training = Training(run, catalogue, device, preemption)
    training.check()
    if not run.state["stages"] and "leaks" not in run.state:  # no stage has begun
        first(lambda: check_benchmark(config))
        run.state["leaks"] = first(lambda: refuse_leaks(config, catalogue))
        run.save()
    try:
        values = learn_and_score(training, catalogue)
    except BaseException:
        training.logs.close(hurried=True)
        raise
    training.logs.close()
    values["seconds"] = round(time.perf_counter() - start, 1)
    if rank() == 0:
        write_bytes(run.folder / "result.json", json.dumps(values, indent=2).encode())
    run.state.update(status="finished")
    run.save()
    last_line(values)
    return values


def learn_and_score(training: Training, catalogue: Catalogue) -> dict[str, Any]:
    """All stages of a training that are not finished, with the scores before and after."""
    run, config, device = training.run, training.config, training.device
    scored = is_scored(catalogue, config)
    print(announcement(run.folder, catalogue, config, device), flush=True)
    if rank() == 0:
        left = [stage for stage in plan(config) if not run.finished(stage.name)]
        print(Forecast(config, catalogue, device).outline(left), flush=True)
    regions = config["first_regions"] if learns_regions(config) else config["regions"]
    network = first_network(config, catalogue, device, regions=regions)
    results: dict[str, Result] = {}
    if scored:
        results["before training"] = evaluate_network(network, config, catalogue, device)
        print(results_table(results), flush=True)
    best = training.run_all(plan(config), network)
    values: dict[str, Any] = {"run": str(run.folder), "checkpoint": str(best)}
    for stage, path in training.rankings.items():
        network = training.network_of(stage, path)
        if scored:
            results[stage] = evaluate_network(network, config, catalogue, device)
    if scored:
        last = list(results)[-1]
        print("\n" + results_report(results), flush=True)
        values = {
            **results[last].summary(),
            **values,
            "stages": {k: r.summary()["mAP"] for k, r in results.items()},
        }
        if config["gallery"] and rank() == 0:
            pictures(run, training, network, results)
    else:
        values = {"mAP": None, "benchmark": None, **values}
        print(f"benchmark=none: nothing is scored; eval.py checkpoint={best} data=… scores it on other data.")
    if rank() == 0:
        if scored:
            training.logs.results(*results_columns(results))
        training.logs.model(best, run.folder / "images.csv", {k: v for k, v in values.items() if k != "run"})
    kept = {k: v for k, v in values.items() if isinstance(v, int | float | str)}
    training.logs.summary({**kept, **(results[last].keyed() if scored else {})})
    return values


def data_of(run: Run) -> Catalogue:
    """The photographs, which the run's folder lists.

    Raises:
        UserError: they have changed since the run began.
    """
    catalogue: Catalogue = build(run.config["data"], seed=run.config["seed"]).load()
    listed, found = run.folder / "images.csv", catalogue.digest()
    if run.state.get("photographs", found) != found:
        raise UserError(
            f"resume={run.folder}: the photographs in {catalogue.root}, those of data.views, or their labels and "
            f"splits have changed since the run began: bring back what {listed} lists, or start a new run."
        )
    catalogue.write_csv(listed)
    run.state["photographs"] = found
    run.save()
    return catalogue


def is_scored(catalogue: Catalogue, config: dict[str, Any]) -> bool:
    """Whether the network is scored before and after: unless ``benchmark=none`` says that it is not.

    Raises:
        UserError: the data have nothing to score, which is better said before the training than after it.
    """
    node = config["benchmark"]
    if node["_target_"].endswith(".NoBenchmark"):
        return False
    found = set(catalogue.splits)
    split = node.get("split")
    if split is not None and not any(catalogue.labels):
        raise UserError(
            f"{catalogue.root}: no photograph has a label, so there is nothing to score: train without a score, with "
            f"benchmark=none."
        )
    if split is not None and split not in found and not {"query", "gallery"} <= found:
        mend = "give some classes that split in images.csv, or train"
        if config["data"]["_target_"].endswith(".Views"):  # nothing is held out, as asked for or of so few
            mend = (
                "unlabelled photographs have data.split=val alone, with three of them, a data.val_share above 0 and a "
            )
            mend += "data.cache at least; or train"
        raise UserError(
            f"{catalogue.root}: no class has split={split}, so there is nothing to score: {mend} without a score, "
            f"with benchmark=none."
        )
    return True


def pictures(run: Run, training: Training, network: Network, results: dict[str, Result]) -> None:
    """Draws the first results of some queries, before and after, the regions that the network looks at, and weights."""
    before, after = results["before training"], results[list(results)[-1]]
    folder = run.folder / "pictures"
    saved = {
        "before and after": save_png(before_after(before, after), folder / "before_after.png"),
        "results": save_png(gallery(after, regions=looked_at(network, training.device)), folder / "results.png"),
    }
    if weighs(network):
        saved["weights"] = save_png(gallery(after, heat=weighed(network, training.device)), folder / "weights.png")
    for name, path in saved.items():
        training.logs.picture(name, path)
    print(f"pictures: {', '.join(str(p) for p in saved.values())}", flush=True)
