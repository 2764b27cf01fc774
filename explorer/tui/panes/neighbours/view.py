"""What the Neighbours pane draws, as pure functions of a `Neighbourhood`: rows, legend and scatter plot."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from explorer.base.numbers import even_decimals
from explorer.base.records.neighbours import Neighbourhood
from explorer.base.records.tokens import LABELS
from explorer.base.text import visible
from explorer.specs import neighbours
from explorer.specs.blocks import Plot, ramp_step, token_text
from explorer.specs.neighbours_there import kept_words
from explorer.tui.shell.themes import RAMP
from explorer.tui.widgets.cutting import cut, padded
from explorer.tui.widgets.labels import place_labels
from explorer.tui.widgets.plot import Draw, Drawing, Label, Palette, Point

GLYPHS = ("○", "○", "◔", "◑", "◕", "●", "●")
"""One for each step of the ramp, so that high and low differ without colour too."""
NO_VALUE_GLYPH = "·"
SUBJECT_GLYPH = "◆"
HIGHLIGHT_GLYPH = "◉"

LEGEND_WORDS = ("5 % – median – 95 % of the vocabulary", "5 % – median – 95 %", "5 % to 95 %")
"""What the numbers of the legend are; the first that fits."""
DISTANCE_TITLES = {"euclidean": "distance", "cosine": "1 − cos", "dot": "− dot"}
_LONGEST_LABEL = 12
_CATEGORY_FROM = 58
"""Cells of width from which the category has a column."""


def list_rows(record: Neighbourhood, colour: str, width: int) -> tuple[Content, list[Content]]:
    """Header and one row a neighbour, at most `width` cells: rank, id, token, category, distance, value, meaning."""
    found = record.neighbours
    distances = even_decimals([neighbour.distance for neighbour in found])
    values = even_decimals([neighbour.indicators.get(colour) for neighbour in found])
    with_meaning = any(neighbour.meaning is not None for neighbour in found)
    meanings = even_decimals([neighbour.meaning for neighbour in found]) if with_meaning else [""] * len(found)
    distance_room = max(8, *map(len, distances)) if distances else 8
    colour_label = cut(visible(LABELS.get(colour, colour)), _LONGEST_LABEL)
    value_room = max([6, cell_len(colour_label), *map(len, values)])
    category_room = 12 if width >= _CATEGORY_FROM else 0
    numbers = 4 + 8 + category_room + distance_room + 3 + value_room + (9 if with_meaning else 0)
    token_room = max(6, min(32, width - numbers - 1))
    header = Content(
        f"{'#':>3} {'id':>7} {'token':<{token_room}} "
        + (f"{'category':<{category_room}}" if category_room else "")
        + f"{DISTANCE_TITLES[record.metric]:>{distance_room}}   {colour_label:>{value_room}}"
        + (f"{'meaning':>9}" if with_meaning else "")
    )
    rows = [
        Content.assemble(
            (f"{rank:>3} ", "$foreground-muted"),
            f"{neighbour.token.token_id:>7} ",
            (padded(token_text(neighbour.token), token_room) + " ", "bold"),
            (neighbour.category.ljust(category_room) if category_room else "", "$foreground-muted"),
            distance.rjust(distance_room) + " ",
            _mark(ramp_step(neighbour.indicators.get(colour), record.indicator_ranges.get(colour))),
            " " + value.rjust(value_room),
            (meaning.rjust(9) if with_meaning else ""),
        )
        for rank, (neighbour, distance, value, meaning) in enumerate(
            zip(found, distances, values, meanings, strict=True), 1
        )
    ]
    return header, rows


def _mark(step: int | None) -> tuple[str, str]:
    return (NO_VALUE_GLYPH, "$foreground-muted") if step is None else (GLYPHS[step], f"${RAMP[step]}")


def legend(record: Neighbourhood, colour: str, width: int) -> Content:
    """What colours and glyphs of the plot mean, one line, the most needed first; each glyph once."""
    parts: list[tuple[str, str] | str] = [(SUBJECT_GLYPH, "bold $accent"), " subject"]
    ends = record.indicator_ranges.get(colour)
    if ends is None:
        return Content.assemble(*parts)
    low, median, high = even_decimals(ends)
    meant: dict[tuple[str, str], list[str]] = {}
    for text, value in ((f"≤{low.strip()}", ends[0]), (median.strip(), ends[1]), (f"≥{high.strip()}", ends[2])):
        meant.setdefault(_mark(ramp_step(value, ends)), []).append(text)
    glyphs: dict[str, None] = {}
    for (glyph, style), texts in meant.items():
        parts += ["  ", (glyph, style), " " + ", ".join(texts)] if glyph not in glyphs else [", " + ", ".join(texts)]
        glyphs[glyph] = None
    said = Content.assemble(*parts)
    for words in LEGEND_WORDS:
        if said.cell_length + 2 + cell_len(words) <= width:
            return Content.assemble(said, "  ", (words, "$foreground-muted"))
    return said


def heading(record: Neighbourhood) -> Content:
    """The subject and what was asked of it, one line."""
    return Content.assemble(
        (f"{SUBJECT_GLYPH} ", "bold $accent"),
        (token_text(record.subject.token), "bold"),
        (f"  {record.subject.token.token_id}", ""),
        (f" · {record.metric} · {record.space} · {visible(record.model)}", "$foreground-muted"),
        (f" · {kept_words(record)}" if record.there is not None else "", "$foreground-muted"),
    )


def scatter(plot: Plot, record: Neighbourhood, highlighted: int | None = None) -> Draw:
    """`plot` is that of the neighbourhood; `highlighted` is the index of the neighbour under the cursor.

    Each axis is scaled to fill the canvas: the shares of variance in the titles say how far to trust them.
    """
    chosen = None if highlighted is None else record.neighbours[highlighted]
    shown = [(point, member is chosen) for point, member in zip(plot.points, neighbours.placed(record), strict=True)]
    # The order of the labels' claims: the one under the cursor, the subject, then nearest first.
    shown.sort(key=lambda entry: (not entry[1], not entry[0].is_subject))

    def draw(columns: int, rows: int, palette: Palette) -> Drawing:
        across = _cells([point.x for point, _ in shown], columns)
        up = _cells([point.y for point, _ in shown], rows)
        points: list[Point] = []
        for (point, is_chosen), column, row in zip(shown, across, up, strict=True):
            step = ramp_step(point.value, plot.colour_range)
            glyph, ink = (NO_VALUE_GLYPH, palette.foreground) if step is None else (GLYPHS[step], palette.ramp[step])
            if point.is_subject:
                glyph, ink = SUBJECT_GLYPH, palette.accent
            elif is_chosen:
                glyph, ink = HIGHLIGHT_GLYPH, palette.accent
            points.append(Point(column, row, glyph, ink))
        cells = [(column, rows - 1 - row) for column, row in zip(across, up, strict=True)]
        labels = []
        for place in place_labels(cells, [point.label for point, _ in shown], columns, rows):
            point, is_chosen = shown[place.index]
            marked = point.is_subject or is_chosen
            ink = palette.accent if marked else palette.foreground
            labels.append(Label(place.column, place.row, place.text, ink, bold=marked))
        # Drawn last to first: where points share a cell, the nearer one is seen.
        return Drawing(points[::-1], labels, plot.x_axis, plot.y_axis)

    return draw


def _cells(values: Sequence[float], count: int) -> list[int]:
    """Cells 0 to `count` − 1 for `values`, spread over all of them; the middle where all are equal."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    if not high > low:
        return [(count - 1) // 2 for _ in values]
    return [round((value - low) / (high - low) * (count - 1)) for value in values]
