"""A column against the measured probability of each token, after 'Fishing for Magikarp', on a sheet."""

from __future__ import annotations

import numpy as np

from explorer.base.records.verification import Verdict
from explorer.tui.panes.map.histogram import bar_lines
from explorer.tui.panes.map.plot_histogram import GUTTER, draw_line, draw_x
from explorer.tui.panes.map.probabilities import LEAST, LETTERED, log_heights
from explorer.tui.panes.map.sheet import Box, Ink, Sheet
from explorer.tui.panes.map.spots import GLYPHS
from explorer.tui.panes.map.threshold import Measured, Parted
from explorer.tui.panes.map.windows import y_ticks
from explorer.tui.panes.verdicts.view import MARKS

_INKS: dict[Verdict, Ink] = {
    "inconclusive": "muted", "inconclusive: the controls fail too": "muted", "weak": "weak", "verified": "called"
}  # fmt: skip
"""Of the letters, which are those that the matrix of the Verify tab has."""


def draw_measured(sheet: Sheet, box: Box, parted: Parted, measured: Measured) -> None:
    """log10 of the greatest P(token) over the column; below, never at 0, how many tokens were not measured."""
    area = box.inner(left=GUTTER, bottom=2)
    if area.columns < 1 or area.rows < 1:
        return
    layer, bottom = measured.places.layer(parted.ends, area.columns, area.rows), measured.places.bottom
    sheet.braille(area, layer.lit)
    for verdict in LETTERED:
        sheet.scatter(area, layer.cells[verdict], MARKS[verdict][0], _INKS[verdict])
    _draw_subject(sheet, area, parted, measured)
    draw_line(sheet, area, parted)
    for row, text in y_ticks((0.0, 1.0, bottom, 0.0), area.rows).items():
        sheet.write(box, _power(text, bottom).rjust(GUTTER - 1), "muted", row=row)
    _rug(sheet, box, parted, measured)
    draw_x(sheet, box, parted)


def _power(text: str, bottom: float) -> str:
    """'-3' as '1e-3'; the lower edge holds smaller ones too where it is the least."""
    exponent = float(text)
    words = "1" if exponent == 0 else f"1e{text}"
    return f"≤{words}" if exponent == bottom == LEAST else words


def _draw_subject(sheet: Sheet, area: Box, parted: Parted, measured: Measured) -> None:
    """The selected token, on top."""
    subject = next((point.token.token_id for point in parted.points if point.role == "subject"), -1)
    here, (low, high) = np.flatnonzero(measured.token_ids == subject), parted.ends
    if not len(here) or not low <= (x := float(measured.x[here[0]])) <= high:
        return
    across = (x - low) / (high - low) if high > low else 0.0
    down = float(log_heights(measured.probabilities[here])[0]) / measured.places.bottom
    column, row = min(area.columns - 1, int(across * area.columns)), min(area.rows - 1, int(down * area.rows))
    sheet.put(area, column, row, GLYPHS["subject"], "line")


def _rug(sheet: Sheet, box: Box, parted: Parted, measured: Measured) -> None:
    """One row of log counts of the tokens that have no probability."""
    columns = box.columns - GUTTER
    counts = measured.without_probability(*parted.ends, columns).tolist()
    sheet.write(box, "no P".rjust(GUTTER - 1), "muted", row=box.rows - 2)
    sheet.write(box, bar_lines(counts, 1)[0], "muted", column=GUTTER, row=box.rows - 2)
