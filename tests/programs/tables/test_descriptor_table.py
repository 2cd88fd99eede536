"""The table of descriptors from its command to its files, on rendered scenes of 64 px."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from wandb_file import history

from deepret.benchmarks.ukb import UKB
from deepret.config import compose, resolve
from deepret.parts import build
from deepret.programs.evaluate import evaluate
from deepret.programs.tables import composed, work
from deepret.programs.tables.cells import Cell
from deepret.reports.command import called
from deepret.reports.lines import styles

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
MAC, RMAC = "regions=whole projection=none", "regions=grid projection=pca dim=8"
ROWS = json.dumps([MAC, RMAC])


def test_every_descriptor_is_scored_and_the_files_say_what_the_last_line_says(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = table("whitening=[0,1]")
    assert list(found["figures"]) == [MAC, RMAC]
    assert found["failed"] == {}
    with (table.output / "table.csv").open() as file:
        rows = {row["descriptor"]: row for row in csv.DictReader(file)}
    for name, dims in ((MAC, 1280), (RMAC, 8)):
        assert float(rows[name]["value"]) == found["figures"][name]["scenes"]
        assert (rows[name]["dims"], rows[name]["bytes"]) == (str(dims), str(4 * dims))
        assert float(rows[name]["ms an image"]) > 0
    with (table.output / "dims.csv").open() as file:
        fewer = {(row["descriptor"], row["whitening"], row["dims"]): row["value"] for row in csv.DictReader(file)}
    assert len(fewer) == 2 * 2 * 2
    assert fewer[MAC, "0", "8"] != fewer[MAC, "1", "8"]
    page = (table.output / "table.md").read_text()
    for title in ("Descriptors and benchmarks", "mAP % on scenes, PCA", "mAP % on scenes, PCA-whitening"):
        assert title in page
    with Image.open(table.output / "dims.png") as picture:
        drawn = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in picture.getcolors(1 << 24) or []}  # type: ignore[misc]
    assert {style.colour for style in styles(2)} <= drawn
    assert "scenes: split, 12 queries of 16 photographs." in capsys.readouterr().out


def test_eval_gives_the_same_figures_and_neither_fits_nor_describes_again(table: Any) -> None:
    found = table()
    table.seen()
    entries = table.entries()
    for name in (MAC, RMAC):
        words = [*name.split(), "data=miniature", "input.size=64", "workers=0", f"cache={table.cache}"]
        assert evaluate(None, words)["mAP"] == found["figures"][name]["scenes"]
        reduced = entries[f"{name} on scenes, PCA 0"]["figures"]["dims"]["4"]
        assert evaluate(None, [*words, "dims=4"])["mAP"] == pytest.approx(reduced, abs=1e-5)
    assert table.seen() == 0


def test_a_head_that_is_a_pca_is_cut_and_not_projected_again(table: Any) -> None:
    row = "regions=whole projection=none head=pca head.dim=8 head.whitening=1"
    table("whitening=[0,1]", "dims=[4,16]", rows=json.dumps([row]))
    entries = table.entries()
    reduced, whitened = (entries[f"{row} on scenes, PCA {w}"]["figures"]["dims"] for w in (0, 1))
    words = ["data=miniature", "input.size=64", "workers=0", f"cache={table.cache}"]
    fewer = evaluate(None, [*row.replace("dim=8", "dim=4").split(), *words])["mAP"]
    assert reduced == {"4": pytest.approx(fewer, abs=1e-5), "16": None}
    assert whitened == {"4": None, "16": None}


def test_what_is_measured_is_not_measured_again_and_what_is_not_comes_from_the_caches(table: Any) -> None:
    first = table()
    assert table.seen() > 0
    again = table()
    assert table.seen() == 0
    (table.output / "results.json").unlink()
    afresh = table()
    assert table.seen() == 2 * 3  # one before, and one that is timed twice, of two descriptors
    assert first["figures"] == again["figures"] == afresh["figures"]


def test_one_extraction_serves_all_descriptors(table: Any) -> None:
    table("timed=1", rows=json.dumps([MAC]))
    alone = table.seen()
    table(rows=json.dumps([MAC, RMAC, "regions=grid projection=none"]))
    assert 0 < table.seen() <= 2 * 3 < alone  # what is timed alone


def test_only_what_depends_on_a_change_is_measured_again(table: Any) -> None:
    table()
    before = table.entries()
    table("dims=[4]")
    table("dims=[4]", rows=json.dumps([MAC, RMAC, f"{RMAC} seed=1"]))
    after = table.entries()
    for name in (MAC, RMAC):
        assert after[f"{name} on scenes"]["attempts"] == before[f"{name} on scenes"]["attempts"] == 1
    assert list(after[f"{MAC} on scenes, PCA 0"]["figures"]["dims"]) == ["4"]


def test_one_that_is_stopped_goes_on_to_the_same_end(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, figures_of = [], work.figures_of

    def stopped(cell: Any, *more: Any) -> dict[str, Any]:
        measured.append(cell.name)
        if len(measured) == 4:
            raise KeyboardInterrupt
        return figures_of(cell, *more)

    monkeypatch.setattr(work, "figures_of", stopped)
    with pytest.raises(KeyboardInterrupt):
        table()
    assert (table.output / "table.md").exists()  # of the first row
    found = table()
    assert len(measured) == 4 + 3  # three of six were finished, times come last
    assert len(set(measured)) == 6
    monkeypatch.undo()
    (table.output / "results.json").unlink()
    assert table()["figures"] == found["figures"]


def test_a_row_that_cannot_be_made_is_a_line_and_the_others_go_on(table: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.pth").write_text("no weights")
    broken = f"backbone.weights={tmp_path / 'broken.pth'} projection=none"
    found = table(rows=json.dumps([broken, MAC]))
    assert found["figures"][broken] == {}
    assert found["figures"][MAC]["scenes"] > 0
    assert "cannot be read as weights" in found["failed"][broken]
    page = (table.output / "table.md").read_text()
    assert f"| {broken} | - | - | - | - | - |" in page
    assert f"{broken}: backbone.weights=" in page
    with (table.output / "table.csv").open() as file:
        rows = {row["descriptor"]: row for row in csv.DictReader(file)}
    assert "cannot be read as weights" in rows[broken]["why"]
    table(rows=json.dumps([broken, MAC]))  # it is tried again


def test_photographs_are_scored_and_landmarks_are_what_is_fitted_on(
    table: Any, pictures: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landmarks = pictures("landmarks", {"train": 4, "test": 3, "distractor": 1})
    covers = pictures("covers", {"query": 3, "gallery": 3}, per_class=2, shared=True)
    monkeypatch.setattr(UKB, "count", 8)
    objects = pictures("ukb", {"gallery": 2}, per_class=4)
    for i, path in enumerate(sorted(objects.glob("*.png"))):
        path.rename(objects / f"ukbench{i:05d}.png")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*.*") if "cache" not in path.parts}
    words = [f"landmarks={landmarks}", f"covers={covers}", f"ukbench={objects}"]
    found = table(*words, rows=json.dumps([RMAC]))
    assert list(found["figures"][RMAC]) == ["scenes", "landmarks", "covers", "ukbench"]
    assert found["figures"][RMAC]["ukbench"] == pytest.approx(4, abs=1)
    page = (table.output / "table.md").read_text()
    assert f"Parts and PCAs are fitted on data=catalogue data.root={landmarks}." in page
    assert "covers: split, 6 queries of 6 photographs." in page
    assert "ukbench: ukb, 8 queries of 8 photographs." in page
    assert "SPoC sum pooling centred" in page  # a whole copy, if of a small benchmark
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_published_figures_stand_beside_the_row_of_the_same_system(
    table: Any, pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = pictures("ukb", {"gallery": 2}, per_class=4)
    for i, path in enumerate(sorted(objects.glob("*.png"))):
        path.rename(objects / f"ukbench{i:05d}.png")
    words = [f"ukbench={objects}", "dims=[]"]
    monkeypatch.setattr(UKB, "count", 8)
    table(*words, rows="[mac, mac input.size=48, mac pooling=mean]")
    whole = (table.output / "table.md").read_text()
    assert "ukbench, ns | ukbench, published |" in whole
    assert whole.count("| 3.57 (max pooling) |") == 2
    assert whole.count("| 3.57 |") == 1  # the list
    monkeypatch.setattr(UKB, "count", 12)
    table(*words, rows="[mac]")
    part = (table.output / "table.md").read_text()
    assert "ukb (partial: 8 of 12" in part
    assert "published" not in part.partition("## ")[2].lower()


def test_words_of_a_benchmark_that_are_about_descriptors_are_of_that_alone(table: Any) -> None:
    larger = "{large: [data=miniature, input.size=96], same: [data=miniature]}"
    found = table(f"benchmarks={larger}", "dims=[]", rows=json.dumps([MAC]))
    scores = found["figures"][MAC]
    assert scores["same"] == scores["scenes"] != scores["large"]
    words = [*MAC.split(), "data=miniature", "input.size=96", "workers=0", f"cache={table.cache}"]
    assert evaluate(None, words)["mAP"] == scores["large"]


def test_words_of_all_are_replaced_by_a_rows_own_and_those_by_a_columns(table: Any) -> None:
    rows = [f"{MAC} input.size=32", f"{MAC} input.size=96", MAC]
    found = table("benchmarks={large: [data=miniature, input.size=96]}", "dims=[]", rows=json.dumps(rows))["figures"]
    small, large, usual = (found[row]["scenes"] for row in rows)
    assert len({small, large, usual}) > 1
    for row, size in zip(rows, (32, 96, 64), strict=True):
        words = [*MAC.split(), "data=miniature", f"input.size={size}", "workers=0", f"cache={table.cache}"]
        assert evaluate(None, words)["mAP"] == found[row]["scenes"]
        assert found[row]["large"] == large
        assert f"input.size={size}" in table.entries()[f"{row} on scenes"]["words"]


def test_a_part_from_outside_is_measured_again_when_its_source_changes(
    table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "pooling").mkdir(parents=True)
    (tmp_path / "conf" / "pooling" / "own.yaml").write_text("_target_: own_pooling.OwnPooling\n")
    source = "from deepret.models.pooling.max import Max\n\n\nclass OwnPooling(Max):\n    pass\n"
    (tmp_path / "own_pooling.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = [f"configs=[{tmp_path / 'conf'}]", "dims=[]"]
    rows = json.dumps([f"{MAC} pooling=own"])
    table(*words, rows=rows)
    count = len(json.loads((table.output / "results.json").read_text()))
    table(*words, rows=rows)
    assert len(json.loads((table.output / "results.json").read_text())) == count
    (tmp_path / "own_pooling.py").write_text(source + "\n# another one\n")
    table(*words, rows=rows)
    assert len(json.loads((table.output / "results.json").read_text())) == 2 * count


def test_times_depend_on_threads_and_libraries_and_are_measured_again_where_asked(
    table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempts() -> dict[str, int]:
        return {
            name: entry["attempts"] for name, entry in json.loads((table.output / "results.json").read_text()).items()
        }

    rows = json.dumps([MAC])
    table("dims=[]", rows=rows)
    first = attempts()
    assert list(first.values()) == [1, 1]  # scores, and then the size
    table("dims=[]", "retime=true", rows=rows)
    assert list(attempts().values()) == [1, 2]
    table("dims=[]", "words=[input.size=64,workers=0,threads=1]", rows=rows)
    assert list(attempts().values()) == [1, 2, 1]  # the size alone
    table("dims=[]", "timed=2", rows=rows)
    assert list(attempts().values()) == [1, 2, 1, 1]
    monkeypatch.setattr(composed, "software", lambda _: "other libraries")
    table("dims=[]", rows=rows)
    assert len(attempts()) == 6


def test_an_entry_that_lacks_something_is_measured_again(table: Any) -> None:
    rows = json.dumps([MAC])
    found = table(rows=rows)
    path = table.output / "results.json"
    entries = json.loads(path.read_text())
    for entry in entries.values():
        entry["figures"].popitem()
    path.write_text(json.dumps(entries))
    again = table(rows=rows)
    assert again["figures"] == found["figures"]
    assert {entry["attempts"] for entry in table.entries().values()} == {2}


def test_a_picture_of_dimensions_goes_when_none_are_asked_for_and_each_is_taken_once(table: Any) -> None:
    rows = json.dumps([MAC])
    table("dims=[8,8]", rows=rows)
    assert (table.output / "dims.png").exists()
    assert list(table.entries()[f"{MAC} on scenes, PCA 0"]["figures"]["dims"]) == ["8"]
    table("dims=[]", rows=rows)
    assert not (table.output / "dims.png").exists()


def test_the_command_of_an_entry_gives_its_figure(table: Any) -> None:
    rows = json.dumps([f"{MAC} seed=1"])
    found = table("fit=[data=miniature]", rows=rows)
    (command,) = {entry["command"] for entry in table.entries().values()}
    words = shlex.split(command)
    assert words[:5] == ["python", "-m", "deepret", "report", "table"]
    assert f"`{command}`" in (table.output / "table.md").read_text()
    (table.output / "results.json").unlink()
    again: Any = called("deepret.programs.tables.report.descriptor_table", words[5:], "output=DIR")
    assert again["figures"] == found["figures"]


def test_a_row_is_announced_and_the_time_left_goes_by_what_is_looked_at(
    table: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[tuple[dict[Cell, float], int]] = []
    weights = work.weights_of

    def kept(cells: Any, composer: Any, train: int, timed: int) -> dict[Cell, float]:
        weighed.append((weights(cells, composer, train, timed), train))
        return weighed[-1][0]

    monkeypatch.setattr(work, "weights_of", kept)
    table(rows=json.dumps([MAC, f"{MAC} input.flip=true"]))
    said = capsys.readouterr().out.splitlines()
    assert (
        said.index(f"{MAC}: scenes …") < said.index(f"{MAC} input.flip=true: scenes …") < said.index(f"{MAC}: time …")
    )
    ((found, train),) = weighed
    scores, reduced = ([w for cell, w in found.items() if cell.kind == kind] for kind in ("scores", "reduced"))
    assert scores[1] == 2 * scores[0] >= 16
    assert train >= 8
    assert [pytest.approx(weight) for weight in reduced] == [train + 0.01 * scores[0], 2 * train + 0.01 * scores[1]]


def test_trained_networks_are_scored_before_and_after(table: Any, trained: Path) -> None:
    found = table(f"checkpoints={{net: {trained}}}", rows="[]")
    assert list(found["figures"]) == ["net, before", "net"]
    words = [f"checkpoint={trained}", "input.size=64", f"cache={table.cache}", "accelerator=cpu"]
    assert evaluate(None, [*words, "data=miniature"])["mAP"] == found["figures"]["net"]["scenes"]
    network = ["projection=pca", "dim=8", "input.size=64", "workers=0", f"cache={table.cache}"]
    assert evaluate(None, [*network, "data=miniature"])["mAP"] == found["figures"]["net, before"]["scenes"]
    page = (table.output / "table.md").read_text()
    assert "## Before and after training" in page
    assert "were trained on" not in page
    before, after = (100 * found["figures"][name]["scenes"] for name in ("net, before", "net"))
    assert f"| net | {before:.2f} | {after:.2f} | {after - before:.2f} |" in page
    moved = trained.read_bytes()
    assert table(f"checkpoints={{net: {trained}}}", rows="[]")["figures"] == found["figures"]
    other = trained.with_name("other.ckpt")
    other.write_bytes(moved)
    table.seen()
    table(f"checkpoints={{net: {other}}}", rows="[]")
    assert table.seen() == 0  # the same content elsewhere


def test_classes_that_a_network_was_trained_on_are_told(table: Any, trained: Path) -> None:
    listed = trained.parent.parent / "images.csv"
    catalogue = build(resolve(compose("eval", ["data=miniature", f"cache={table.cache}"]))["data"], seed=0).load()
    label = next(label for label, split in zip(catalogue.labels, catalogue.splits, strict=True) if split == "test")
    listed.write_text(f"path,label,split\na.jpg,{label},train\n")
    with pytest.warns(UserWarning, match="net on scenes: 1 of the classes that are scored were trained on"):
        table(f"checkpoints={{net: {trained}}}", "dims=[]", rows="[]")
    assert "- net on scenes: 1 of the classes that are scored were" in (table.output / "table.md").read_text()


def test_several_views_are_tried_of_the_rows_that_are_named(table: Any) -> None:
    found = table("views=true", "dims=[]", rows=json.dumps([MAC]))
    names = list(found["figures"])
    assert names[0] == MAC
    assert [name.removeprefix(MAC).strip() for name in names[1:]] == [
        "input.scales=[0.7071,1.0,1.4142]",
        "input.scales=[0.7071,1.0,1.4142] input.merge=max",
        "input.flip=true",
        "input.scales=[0.7071,1.0,1.4142] input.flip=true",
    ]
    words = [*names[4].split(), "data=miniature", "input.size=64", "workers=0", f"cache={table.cache}"]
    assert evaluate(None, words)["mAP"] == found["figures"][names[4]]["scenes"]
    page = (table.output / "table.md").read_text()
    assert "## Several views of each photograph" in page
    assert page.count(f"| {MAC} |") == 1 + 5
    assert compose("eval", names[2].split()).input.merge == "max"
    table(f"views={json.dumps([MAC])}", "dims=[]", rows="[]")
    alone = (table.output / "table.md").read_text()
    assert alone.count(f"| {MAC} |") == 5
    assert "## Descriptors and benchmarks" not in alone


def test_one_that_is_killed_goes_on_and_measures_nothing_twice(table: Any, tmp_path: Path) -> None:
    words = [f"rows={ROWS}", "scenes=[data=miniature]", "words=[input.size=64,workers=0]", "dims=[4]", "timed=1"]
    words += [f"output={table.output}", f"cache={table.cache}"]
    command = [sys.executable, "-m", "deepret", "report", "table", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    results = table.output / "results.json"
    first = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    while not (results.exists() and "figures" in results.read_text()) and first.poll() is None:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    begun = {name: entry for name, entry in table.entries().items() if "figures" in entry}
    assert begun
    second = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    ended = table.entries()
    assert {name: ended[name] for name in begun} == begun
    assert len(ended) == 6
    assert all("figures" in entry for entry in ended.values())
    found = json.loads(second.stdout.splitlines()[-1])
    assert found["figures"][MAC]["scenes"] == pytest.approx(ended[f"{MAC} on scenes"]["figures"]["value"], abs=1e-5)
    page = (table.output / "table.md").read_text()
    assert page.splitlines()[2].startswith("`python -m deepret report table")


def test_a_run_of_wandb_has_all_tables_and_the_picture(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    found = table("wandb=offline", "views=true", rows=json.dumps([MAC]))
    (folder,) = table.output.glob("wandb/offline-run-*")
    (file,) = folder.glob("run-*.wandb")
    logged = {key.partition("/")[0] for call in history(file) for key in call}
    assert {"Descriptors and benchmarks", "Several views of each photograph", "dims"} <= logged
    assert any(name.startswith("Fewer dimensions") for name in logged)
    assert list(folder.rglob("*.png"))
    tables = [json.loads(path.read_text()) for path in folder.rglob("*.table.json")]
    first = next(one for one in tables if one["columns"][1] == "dims")
    assert first["data"][0][0] == MAC
    assert first["data"][0][5] == pytest.approx(100 * found["figures"][MAC]["scenes"], abs=1e-3)
