"""The tables of descriptors, from lines that were measured nowhere."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from deepret.benchmarks.published import published
from deepret.reports.tables.gains import before_and_after, view_table
from deepret.reports.tables.line import Line, Score, Size
from deepret.reports.tables.reduced import PUBLISHED, curves, reduced_rows, reduced_tables
from deepret.reports.tables.scores import SYSTEMS, notes, of_others, published_table, score_table
from deepret.reports.tables.told import as_csv, as_page

SIZE = Size(512, 34.56, "2 threads of 2 cores", 8)
OXFORD = Score("oxford5k", "mAP", 0.6, {"queries": 55, "database": 5063})
PART = replace(OXFORD, benchmark="oxford5k (partial: 1,200 of 5,063)")
UKB = Score("ukb (partial: 56 of 10,200)", "ns", 3.96, {"queries": 56, "database": 56})


def test_bytes_follow_from_dimensions_and_what_is_missing_is_none() -> None:
    lines = [Line("rmac", {"ukbench": UKB}, size=SIZE), Line("neural_codes_l6", why="no weights.")]
    header, rows = score_table(lines, ["scenes", "ukbench"])
    assert header == ["descriptor", "dims", "bytes", "in 8 bits", "ms an image", "scenes, mAP %", "ukbench, ns"]
    assert rows == [["rmac", 512, 2048, 512, 34.6, None, 3.96], ["neural_codes_l6", *[None] * 6]]
    told = notes(lines, ["scenes", "ukbench"])
    assert "ukbench: ukb (partial: 56 of 10,200), 56 queries of 56 photographs." in told
    assert "neural_codes_l6: no weights." in told
    assert any("2 threads of 2 cores" in note for note in told)


def test_published_figures_stand_beside_whole_copies_alone() -> None:
    row = Line("centred", {"oxford": replace(OXFORD, experiment="spoc_centre")}, size=SIZE)
    others = [Line(name, {"oxford": replace(OXFORD, experiment=name)}) for name in ("crow", "neural_codes_l6", "")]
    header, rows = score_table([row, *others], ["oxford"])
    assert header[-2:] == ["oxford, mAP %", "oxford, published"]
    assert [line[-1] for line in rows] == ["65.70 (SPoC sum pooling centred)", None, None, None]
    alexnet = Line("codes", {"oxford": replace(OXFORD, experiment="neural_codes_l6_alexnet")})
    assert of_others(alexnet, "oxford") == ("Neural Codes layer 6 off the shelf", 43.5)
    listed = published_table([row], ["oxford"])
    assert listed is not None
    assert ["DIR ResNet-101", "oxford5k", "mAP", 86.1, "Gordo et al. 2017, from memory"] in listed[1]
    part = replace(row, scores={"oxford": replace(PART, experiment="spoc_centre")})
    assert score_table([part], ["oxford"])[0][-1] == "oxford, mAP %"
    assert published_table([part], ["oxford"]) is None


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_systems_that_descriptors_are_compared_with_are_published_somewhere(name: str) -> None:
    known = {system for metrics in published().values() for rows in metrics.values() for system, _, _ in rows}
    assert set(SYSTEMS[name]) <= known


@pytest.mark.parametrize(
    ("benchmark", "metric", "system", "figure"),
    [
        ("paris6k", "mAP", "TL-MAC ResNet-101", 90.1),
        ("oxford5k", "mAP", "GeM VGG16 SfM-120k", 87.3),
        ("roxford5k", "mAP hard", "Token ResNet-101", 65.8),
        ("rparis6k", "mAP", "Token ResNet-101", 89.4),
    ],
)
def test_systems_of_later_tables_are_published(benchmark: str, metric: str, system: str, figure: float) -> None:
    assert (system, figure) in [row[:2] for row in published()[benchmark][metric]]


def test_the_file_of_figures_names_the_published_system() -> None:
    row = Line("mac", {"oxford": replace(OXFORD, experiment="mac")}, size=SIZE)
    (read,) = csv.DictReader(io.StringIO(as_csv([row], ["oxford"])))
    assert (read["published"], read["published system"]) == ("52.4", "max pooling")


def test_fewer_dimensions_have_a_table_and_a_panel_for_each_benchmark_and_whitening() -> None:
    reduced = {("oxford", 0.0): {16: 0.3, 32: 0.4, 1024: None}, ("oxford", 1.0): {16: 0.35, 32: 0.45, 1024: None}}
    lines = [Line("rmac", {"oxford": PART}, reduced, SIZE), Line("failed", why="no weights.")]
    dims, columns = [16, 32, 1024], ["scenes", "oxford"]
    found = reduced_tables(lines, columns, dims, [0.0, 1.0])
    assert list(found) == [
        "Fewer dimensions: mAP % on oxford, PCA",
        "Fewer dimensions: mAP % on oxford, PCA-whitening",
    ]
    assert found["Fewer dimensions: mAP % on oxford, PCA"] == (
        ["descriptor", "16", "32", "1024", "all"],
        [["rmac", 30.0, 40.0, None, 60.0]],
    )
    assert reduced_rows(lines, columns)[1:4] == [
        ["rmac", "oxford", "0", 16, "mAP", "0.30000"],
        ["rmac", "oxford", "0", 32, "mAP", "0.40000"],
        ["rmac", "oxford", "0", 1024, "mAP", ""],
    ]
    drawn = curves(lines, columns, dims, [0.0, 1.0])
    one = curves(lines, columns, dims, [0.0])
    assert drawn is not None
    assert one is not None
    assert drawn.height > one.height
    assert curves([Line("failed")], columns, dims, [0.0]) is None


def test_published_dimensions_stand_below_a_whole_copy_alone() -> None:
    reduced = {("oxford", 0.0): {16: 0.3}}
    whole = reduced_tables([Line("rmac", {"oxford": OXFORD}, reduced)], ["oxford"], [16], [0.0])
    rows = next(iter(whole.values()))[1]
    assert ["Neural Codes layer 6 (Babenko et al. 2014, published)", 32.8, None] in rows
    assert len(rows) == 1 + len(PUBLISHED["oxford5k", "mAP"])
    part = reduced_tables([Line("rmac", {"oxford": PART}, reduced)], ["oxford"], [16], [0.0])
    assert next(iter(part.values()))[1] == [["rmac", 30.0, 60.0]]


def test_gains_are_of_one_and_the_same_copy() -> None:
    before, after = Line("net, before", {"oxford": OXFORD}), Line("net", {"oxford": replace(OXFORD, value=0.65)})
    header, rows = before_and_after([(before, after)], ["oxford", "scenes"])
    assert header[:4] == ["network", "oxford, mAP % before", "oxford, after", "oxford, gain"]
    assert len(set(header)) == len(header) == 7
    assert rows[0][:4] == ["net", 60.0, 65.0, pytest.approx(5.0)]
    assert rows[0][4:] == [None, None, None]
    _, rows = before_and_after([(replace(before, scores={"oxford": PART}), after)], ["oxford"])
    assert rows[0][3] is None


def test_published_curves_are_drawn_beside_a_whole_copy_alone() -> None:
    reduced = {("oxford", 0.0): {16: 0.3, 32: 0.4}}
    whole = curves([Line("rmac", {"oxford": OXFORD}, reduced)], ["oxford"], [16, 32], [0.0])
    part = curves([Line("rmac", {"oxford": PART}, reduced)], ["oxford"], [16, 32], [0.0])
    assert whole is not None
    assert part is not None
    assert whole.width > part.width  # for the systems' names


def test_it_is_said_why_there_are_no_figures_of_so_many_dimensions() -> None:
    some, few = Line("a", reduced={("x", 0.0): {16: 0.3}}), Line("b", reduced={("x", 0.0): {16: None}})
    assert not any("components" in note for note in notes([some], ["x"]))
    assert any("a PCA of n codes has n − 1" in note.lower().replace("pca", "PCA") for note in notes([some, few], ["x"]))


def test_the_best_figure_of_each_column_is_bold_in_markdown() -> None:
    header = ["descriptor", "dims", "ms an image", "a, mAP %", "a, gain", "b, mAP %"]
    page = as_page({"T": (header, [["x", 8, 3.0, 9.5, 1.0, None], ["y", 16, 2.0, 10.0, 2.0, 7.0]])}, [], "")
    assert "| x | 8 | 3.00 | 9.50 | 1.00 | - |" in page
    assert "| y | 16 | 2.00 | **10.00** | 2.00 | 7.00 |" in page


def test_views_stand_below_the_one_view() -> None:
    plain = Line("mac", {"oxford": OXFORD}, size=SIZE)
    header, rows = view_table([(plain, [("mirrored", Line("mac input.flip=true", {"oxford": OXFORD}))])], ["oxford"])
    assert header == ["descriptor", "views", "ms an image", "oxford, mAP %", "oxford, gain"]
    assert rows == [["mac", "one", 34.6, 60.0, None], ["mac", "mirrored", None, 60.0, 0.0]]


def test_csv_is_read_back_and_a_page_holds_all() -> None:
    lines = [Line("rmac, large", {"oxford": OXFORD, "ukbench": UKB}, size=SIZE), Line("failed", why='no "weights".')]
    rows = list(csv.DictReader(io.StringIO(as_csv(lines, ["oxford", "ukbench"]))))
    assert [(row["descriptor"], row["benchmark"]) for row in rows] == [
        ("rmac, large", "oxford"),
        ("rmac, large", "ukbench"),
        ("failed", ""),
    ]
    assert float(rows[0]["value"]) == 0.6
    assert (rows[1]["bytes"], rows[1]["metric"], rows[1]["copy"]) == ("2048", "ns", UKB.benchmark)
    assert rows[2]["why"] == 'no "weights".'
    page = as_page({"Title": (["a"], [[1.5]])}, ["A note."], "python -m deepret report table")
    assert page == (
        "# Descriptors\n\n`python -m deepret report table`\n\n## Title\n\n| a |\n| --- |\n| 1.50 |\n\n- A note.\n"
    )
