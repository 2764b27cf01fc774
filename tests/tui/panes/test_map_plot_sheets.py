"""The plots of a map's colour: what they draw, what is said of them, and what of them goes into files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from explorer.base.records.maps import MapPoint
from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.verification import VERDICTS, ReadVerdicts, Verify
from explorer.base.shares import wilson_interval
from explorer.specs.chart_svg import chart_picture
from explorer.tables.filters import parse_filter
from explorer.tables.row_exports import write_rows
from explorer.tables.tested import TokenVerdicts
from explorer.tui.panes.map.heard_verdicts import HeardVerdicts
from explorer.tui.panes.map.making import Made
from explorer.tui.panes.map.plot_files import chart, rows, takeaway_of_plots
from explorer.tui.panes.map.plots_sheet import ALL, HISTOGRAM, MEASURED, PLOTS, PRECISION, ROC, Plotted, draw_plots
from explorer.tui.panes.map.plots_sheet import CATEGORIES as BY_CATEGORY
from explorer.tui.panes.map.recorded_curves import RecordedCurves
from explorer.tui.panes.map.sheet import Box, Sheet
from explorer.tui.panes.map.threshold import Numbers, Parted, begin
from tests.tui import map_samples as samples
from tests.tui.map_samples import COLUMNS, NAME

VALUES = COLUMNS.values(NAME)


def known_verdicts() -> dict[str, TokenVerdicts]:
    found = HeardVerdicts()
    assert found.hear(samples.TESTED)
    return found.of("mynah", COLUMNS.vocab_size)[0]


def points() -> tuple[MapPoint, ...]:
    made = Made(samples.REQUEST, samples.FOUND, COLUMNS)
    return tuple(made.named_points(made.view_request(samples.SELECTED, made.whole)))


@pytest.fixture(name="parted")
def whole() -> Parted:
    return replace(begin(Numbers(NAME, "unused-cos", VALUES, COLUMNS), 110).knowing(known_verdicts()), points=points())


def texts(parted: Parted | None, plot: str, size: tuple[int, int], recorded: RecordedCurves | None = None) -> list[str]:
    return draw_plots(Plotted(parted, recorded, plot), *size).text()


def test_what_was_measured_is_found_and_the_definition_with_probabilities_comes_first(parted: Parted) -> None:
    assert list(parted.definitions) == ["geometric:input_norm", "magikarp"]
    assert parted.measured is not None
    assert parted.measured.definition == "magikarp"
    assert len(parted.measured.scores.token_ids) == samples.MEASURED - 3, "three are inconclusive"
    assert len(parted.measured.token_ids) == samples.MEASURED, "they have a probability"
    rest = np.setdiff1d(np.flatnonzero(np.isfinite(VALUES)), parted.measured.token_ids)
    edges = np.linspace(0.2, 0.9, 31).astype(np.float32)
    assert parted.measured.without_probability(0.2, 0.9, 30).tolist() == np.histogram(VALUES[rest], edges)[0].tolist()
    assert parted.next_definition().measured is not None
    assert parted.next_definition().next_definition().measured.definition == "magikarp"  # type: ignore[union-attr]


@pytest.mark.parametrize("low", [True, False])
def test_the_line_is_a_filter_and_parts_every_category(parted: Parted, low: bool) -> None:
    parted = replace(parted if low else parted.on_other_side(), line=0.62)
    passing = parse_filter(parted.filter, COLUMNS.comparable).mask(COLUMNS)
    assert parted.sides.suspected == int(passing.sum())
    assert np.array_equal(parted.token_ids, np.flatnonzero(passing))
    text = "\n".join(texts(parted, BY_CATEGORY, (100, 40)))
    for name, column in parted.numbers.categories:
        here = COLUMNS.categories == CATEGORIES.index(name)
        suspected = int((passing & here).sum())
        assert len(column.values) == int((np.isfinite(VALUES) & here).sum())
        sign, beyond = ("≤", "above") if low else ("≥", "below")
        assert f"{name}  {sign} line {suspected:,} · {beyond} {len(column.values) - suspected:,}" in text
    assert text.count("◆ selected") == 1


def test_a_line_moves_by_cells_of_what_is_plotted_and_stays_in_sight(parted: Parted) -> None:
    low, high = parted.ends
    assert (low, high) == (parted.numbers.low, parted.numbers.high)
    step = (high - low) / 100
    assert parted.moved(3, 100).line == pytest.approx(parted.line + 3 * step, rel=1e-5)
    closer = parted.zoomed(0.5).zoomed(0.5)
    assert closer.ends[1] - closer.ends[0] == pytest.approx((high - low) / 4)
    edge = replace(parted, line=low).zoomed(0.5)
    assert edge.ends[0] == low, "the least numbers stay in sight"
    middle = replace(parted, line=(low + high) / 2).zoomed(0.5)
    assert sum(middle.ends) / 2 == pytest.approx(middle.line)
    assert closer.ends[0] <= closer.line <= closer.ends[1]
    far = closer.moved(1_000, 100)
    assert far.ends[0] <= far.line <= far.ends[1]
    assert far.line <= high
    assert far.zoomed(64).ends == (low, high)
    tight = parted
    for _ in range(60):
        tight = tight.zoomed(0.5)
    assert tight.ends[0] < tight.ends[1]
    assert parted.at_column(0, 100).line == pytest.approx(low + step / 2, rel=1e-5)


def test_reference_tokens_and_the_subject_are_marked_at_their_numbers(parted: Parted) -> None:
    columns = 100
    (marks,) = [line for line in texts(parted, HISTOGRAM, (columns, 20)) if "◆" in line]
    low, high = parted.ends
    at = [8 + min(columns - 9, int((float(VALUES[place]) - low) / (high - low) * (columns - 8))) for place in range(9)]
    assert marks[at[8]] == "◆"
    assert all(marks[column] in "△◆" for column in at[:5])
    assert "▲" in marks


def test_probabilities_stand_where_they_are_and_the_rest_in_a_rug(parted: Parted) -> None:
    measured = parted.measured
    assert measured is not None
    columns, rows_shown = 108, 23
    lines = texts(parted, MEASURED, (columns, rows_shown))
    area = [line[8:] for line in lines[1:-2]]
    low, high = parted.ends
    bottom = min(-1.0, np.floor(np.log10(measured.probabilities).min()))
    for x, p, code in zip(measured.x, measured.probabilities, measured.verdicts, strict=True):
        column = min(99, int((float(x) - low) / (high - low) * 100))
        row = min(len(area) - 1, int(np.log10(float(p)) / bottom * len(area)))
        letter = {"verified": "V", "weak": "w", "inconclusive": "?"}.get(VERDICTS[code])
        seen = area[row][column]
        assert seen in "Vw?◆" if letter else seen in "Vw?◆" or 0x2800 < ord(seen) < 0x2900
    assert lines[-2].startswith("   no P ")
    assert "no P" not in "".join(lines[:-2]), "never at 0"


@pytest.mark.parametrize("plot", [ROC, PRECISION])
def test_the_point_of_the_line_is_on_its_curve(parted: Parted, plot: str) -> None:
    cut = parted.cut
    assert cut is not None
    x, y = (cut.false_positives, cut.recall) if plot == ROC else (cut.recall, cut.precision)
    assert x.value is not None
    assert y.value is not None
    lines = texts(parted, plot, (108, 22))
    area = [line[8:] for line in lines[1:-1]]
    (row,) = [row for row, line in enumerate(area) if "▲" in line]
    assert row == min(19, int((1 - y.value) * 20))
    assert area[row].index("▲") == min(99, int(x.value * 100))


def test_the_words_say_how_sure_and_of_whom(parted: Parted) -> None:
    parted = replace(parted, line=0.2)
    lines = Plotted(parted).lines()
    scores = parted.measured.scores if parted.measured is not None else None
    assert scores is not None
    suspected = np.isin(scores.token_ids, parted.token_ids)
    hits, calls = int((scores.labels & suspected).sum()), int(scores.labels.sum())
    low, high = wilson_interval(hits, int(suspected.sum()))
    assert f"precision {hits}/{suspected.sum()} [{low:.2f}, {high:.2f}] · recall {hits}/{calls} [" in lines[1]
    untested = int((COLUMNS.is_candidate & np.isfinite(VALUES)).sum()) - int(
        COLUMNS.is_candidate[scores.token_ids].sum()
    )
    assert f"Among the 297 measured. {untested:,} ordinary tokens are not: recall there is unknown." == lines[2]
    assert all(len(line) <= 80 for line in lines)


def test_a_random_sample_tells_of_the_vocabulary_what_the_lowest_tokens_cannot(parted: Parted) -> None:
    assert parted.measured is not None
    sample = frozenset(parted.measured.scores.token_ids[::3].tolist())
    parted = replace(parted.knowing(parted.definitions, sample), line=0.2)
    assert parted.measured is not None
    assert len(parted.measured.scores.token_ids) == samples.MEASURED - 3, "the others are measured too"
    ids = np.array(sorted(sample))
    called = parted.definitions["magikarp"].is_called
    suspected = ids[VALUES[ids] <= 0.2]
    hits, calls = int(called[suspected].sum()), int(called[ids].sum())
    low, high = wilson_interval(hits, calls)
    said = f"Estimated for all: precision {hits}/{len(suspected)} ["
    assert Plotted(parted).lines()[2].startswith(said)
    assert Plotted(parted).lines()[2].endswith(f"recall {hits}/{calls} [{low:.2f}, {high:.2f}]")


def test_only_a_verification_of_the_whole_vocabulary_is_a_sample_of_it() -> None:
    for request, expected in ((Verify(model="mynah", random=9), samples.MEASURED), (samples.VERIFY, 0)):
        found = HeardVerdicts()
        found.hear(samples.step(ReadVerdicts(of=request), samples.verdicts()))
        assert len(found.of("mynah", 3_000)[1]) == expected


def test_a_whole_vocabulary_is_said_to_be_one() -> None:
    verdicts = np.where(VALUES < 0.3, 0, 2).astype(np.uint8)
    known = {"magikarp": TokenVerdicts("r", "greatest P(token)", verdicts, np.full(len(VALUES), 0.5, np.float32))}
    parted = begin(Numbers(NAME, "unused-cos", VALUES, COLUMNS), 100).knowing(known)
    assert Plotted(parted).lines()[2].startswith("In the vocabulary: every ordinary token is measured")


@pytest.mark.parametrize("plot", PLOTS)
def test_without_a_verification_what_to_do_is_said(plot: str) -> None:
    parted = begin(Numbers(NAME, "unused-cos", VALUES, COLUMNS), 100).knowing({})
    text = " ".join(" ".join(texts(parted, plot, (120, 30))).split())
    assert ("press v" in text) == (plot not in (HISTOGRAM, BY_CATEGORY))
    assert "press v" in Plotted(parted).lines()[1]


def test_a_definition_without_probabilities_or_with_one_verdict_says_so(parted: Parted) -> None:
    other = parted.next_definition()
    assert "gives no probabilities" in " ".join(" ".join(texts(other, MEASURED, (90, 20))).split())
    all_called = {"x": replace(parted.definitions["magikarp"], verdicts=np.zeros(len(VALUES), np.uint8))}
    assert "or all" in " ".join(texts(parted.knowing(all_called), ROC, (110, 20)))


def test_a_session_shows_its_curves_and_says_why_there_is_no_more() -> None:
    recorded = RecordedCurves.of(samples.RESULT, NAME)
    for plot in (ROC, PRECISION):
        lines = texts(None, plot, (80, 20), recorded)
        assert any("⠉" in line or "⡇" in line or "⢀" in line for line in lines)
        assert "▲" not in "".join(lines)
    for plot in (HISTOGRAM, BY_CATEGORY, MEASURED):
        assert "the map of a loaded model does" in " ".join(" ".join(texts(None, plot, (80, 20), recorded)).split())
    assert "AUC 0.9000" in Plotted(recorded=recorded).lines()[2]
    assert "No verification" in " ".join(texts(None, ROC, (80, 20)))
    assert "default indicator alone" in " ".join(
        texts(None, ROC, (110, 20), RecordedCurves.of(samples.RESULT, "input_norm"))
    )


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (8, 3), (9, 4), (20, 6), (80, 17), (300, 90)])
@pytest.mark.parametrize("plot", PLOTS)
def test_every_size_can_be_drawn(parted: Parted, plot: str, size: tuple[int, int]) -> None:
    lines = texts(parted, plot, size)
    assert len(lines) == size[1]
    assert all(len(line) == size[0] for line in lines)
    assert len(Plotted(chosen=plot).choose(1, *size).chosen) > 0


def test_a_sheet_keeps_to_its_boxes() -> None:
    sheet = Sheet(6, 2)
    box = Box(2, 0, 2, 2)
    sheet.write(box, "abcdef", column=-1, row=1)
    sheet.write(box, "zz", row=2)
    sheet.put(box, 2, 0, "x")
    sheet.put(box, 0, 0, "y", over="q")
    assert sheet.text() == ["      ", "  bc  "]


# ── files ──


def test_the_rows_of_tokens_give_the_shares_that_are_on_the_screen(parted: Parted, tmp_path: Path) -> None:
    parted = replace(parted, line=0.2)
    path = tmp_path / "plot.csv"
    write_rows(rows(parted, MEASURED), path)
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    decided = [row for row in found if row["verdict"] in ("verified", "weak", "rejected")]
    suspected = [row for row in decided if float(row[NAME]) <= 0.2]
    hits = sum(row["verdict"] != "rejected" for row in suspected)
    cut = parted.cut
    assert cut is not None
    assert (cut.precision.part, cut.precision.whole) == (hits, len(suspected))
    assert cut.recall.whole == sum(row["verdict"] != "rejected" for row in decided)
    assert all((row["is_suspected"] == "True") == (float(row[NAME]) <= 0.2) for row in found)


def test_every_line_is_a_row_with_its_intervals(parted: Parted) -> None:
    found = list(rows(parted, ROC))
    assert found == list(rows(parted, PRECISION))
    assert len(found) == len({float(value) for value in VALUES[parted.measured.scores.token_ids]})  # type: ignore[union-attr]
    for row in found[:: len(found) // 7]:
        assert row["precision"] == row["precision_part"] / row["precision_of"]
        assert (row["recall_low"], row["recall_high"]) == wilson_interval(row["recall_part"], row["recall_of"])
    assert found[-1]["recall"] == 1


def test_bins_count_every_token(parted: Parted) -> None:
    assert sum(row["tokens"] for row in rows(parted, HISTOGRAM)) == len(parted.numbers.sorted.values)
    by_category = list(rows(parted, BY_CATEGORY))
    assert sum(row["tokens"] for row in by_category) == len(parted.numbers.sorted.values)
    assert {row["category"] for row in by_category} == {name for name, _ in parted.numbers.categories}


@pytest.mark.parametrize("plot", PLOTS)
def test_every_plot_is_a_picture(parted: Parted, plot: str) -> None:
    found = takeaway_of_plots(Plotted(parted), "<mynah>&", plot)
    assert found is not None
    assert found.plot is not None
    drawn = chart(parted, "<mynah>&", plot)
    assert found.plot() == drawn
    assert len(drawn.panels) == {ALL: 4, BY_CATEGORY: len(parted.numbers.categories)}.get(plot, 1)
    picture = chart_picture(drawn)
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert "<mynah>" not in picture
    assert "precision" in picture
    assert takeaway_of_plots(Plotted(), "mynah", plot) is None
