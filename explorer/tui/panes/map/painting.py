"""The lines of a map on the screen: numbers at the left, density with the selection and the cross over it, numbers
below."""

from __future__ import annotations

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.widget import Widget

from explorer.tui.panes.map.aim import Aim
from explorer.tui.panes.map.scene import Drawn, Scene
from explorer.tui.panes.map.windows import Cell, x_ticks, y_ticks
from explorer.tui.widgets.plot import Rgb

GUTTER = 8
"""Cells at the left for the numbers of y."""
BELOW = 1
"""Rows below for the numbers of x."""
CROSS = "┼"


def rim_count(arrow: str, tokens: int) -> str:
    """How many tokens are beyond an edge, in fewer cells than the gutter has; empty for none."""
    if not tokens:
        return ""
    text = f"{arrow}{tokens:,}"
    return text if len(text) < GUTTER else f"{arrow}{tokens // 1000}k"


def frame(scene: Scene, drawn: Drawn, size: Cell, look: VisualStyle) -> list[Strip]:
    """The lines of a widget with so many cells for the map (across, down), all but what is selected; in the widget's
    own `look`. For the thread that draws."""
    columns, rows = size
    base, muted = look.rich_style, _muted_style(look)
    left, right, below, above = drawn.beyond
    numbers = y_ticks(scene.window, rows)
    numbers |= {row: text for row, text in {0: rim_count("▴", above), rows - 1: rim_count("▾", below)}.items() if text}
    gutters = [Segment(f"{numbers.get(row, ''):>{GUTTER - 1}} "[:GUTTER], muted) for row in range(rows)]
    maps = [Segment.apply_style(strip, base) for strip in drawn.strips]
    lines = [Strip([gutter, *line], GUTTER + columns) for gutter, line in zip(gutters, maps, strict=True)]
    foot = f"{rim_count('◂', left):>{GUTTER - 1}} {x_ticks(scene.window, columns, rim_count('▸', right))}"
    return [*lines, Strip([Segment(foot, muted)], GUTTER + columns)]


def _muted_style(look: VisualStyle) -> Style:
    (segment,) = Content.styled("x", "$foreground-muted").render_segments(look)
    return segment.style or look.rich_style


def filtered(lines: list[Strip], widget: Widget) -> list[Strip]:
    """Lines as they may leave for the terminal: without control characters, and in the colours that it has."""
    background = widget.background_colors[1]
    for each in widget.get_line_filters():
        lines = [line.apply_filter(each, background) for line in lines]
    return lines


def cross_style(base: Style, accent: Rgb, *, is_strong: bool) -> Style:
    """Of the cross; `is_strong`: arrow keys move it."""
    return base + Style(color=Color.from_rgb(*accent), bold=True, reverse=is_strong)


def with_aim(lines: list[Strip], first: int, aim: Aim, size: Cell, cross: Style) -> list[Strip]:
    """Lines of a frame, from the line `first` on, with the selection and the cross over them."""
    columns, rows = size
    return [_aimed(line, y, aim, columns, cross) if y < rows else line for y, line in enumerate(lines, start=first)]


def _aimed(line: Strip, y: int, aim: Aim, columns: int, cross: Style) -> Strip:
    if (span := aim.cells_of_row(y, columns)) is not None:
        start, end = GUTTER + span[0], GUTTER + span[1] + 1
        shaded = line.crop(start, end).apply_style(Style(reverse=True))
        line = Strip.join([line.crop(0, start), shaded, line.crop(end, None)])
    column, row = GUTTER + aim.cross[0], aim.cross[1]
    if y != row:
        return line
    return Strip.join([line.crop(0, column), Strip([Segment(CROSS, cross)]), line.crop(column + 1, None)])
