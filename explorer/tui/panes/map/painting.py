"""The lines of a map on the screen: numbers at the left, density with the selection and the cross over it, numbers
below."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip
from textual.style import Style as VisualStyle

from explorer.tui.panes.map.aim import Aim
from explorer.tui.panes.map.scene import Drawn, Scene
from explorer.tui.panes.map.windows import x_ticks, y_ticks
from explorer.tui.widgets.plot import Palette, Rgb

if TYPE_CHECKING:
    from explorer.tui.panes.map.canvas import MapCanvas

GUTTER = 8
"""Cells at the left for the numbers of y."""
BELOW = 1
"""Rows below for the numbers of x."""
_CROSS = "┼"


def rim_count(arrow: str, tokens: int) -> str:
    """How many tokens are beyond an edge, in fewer cells than the gutter has; empty for none."""
    if not tokens:
        return ""
    text = f"{arrow}{tokens:,}"
    return text if len(text) < GUTTER else f"{arrow}{tokens // 1000}k"


@dataclass(frozen=True)
class Painter:
    """What a line is made of."""

    scene: Scene
    drawn: Drawn
    aim: Aim
    columns: int
    rows: int
    look: VisualStyle
    accent: Rgb
    has_focus: bool

    @classmethod
    def of(cls, canvas: MapCanvas, scene: Scene) -> Painter:
        """Of the canvas as it is now."""
        accent = Palette.of(canvas.app.theme_variables).accent
        size = canvas.columns, canvas.rows
        return cls(scene, canvas.drawn, canvas.aim, *size, canvas.visual_style, accent, canvas.has_focus)

    def line(self, y: int) -> Strip:
        """The line `y` of the widget."""
        base = self.look.rich_style
        if y >= self.rows:
            return self._muted(self._below)
        numbers = self._y_ticks.get(y, "")
        line = self.drawn.strips[y] if y < len(self.drawn.strips) else Strip.blank(self.columns, base)
        line = self._with_aim(line.apply_style(base).crop_extend(0, self.columns, base), y)
        return Strip.join([self._muted(f"{numbers:>{GUTTER - 1}} "[:GUTTER]), line])

    @cached_property
    def _y_ticks(self) -> dict[int, str]:
        _, _, below, above = self.drawn.beyond
        ticks = y_ticks(self.scene.window, self.rows)
        ends = {0: rim_count("▴", above), self.rows - 1: rim_count("▾", below)}
        return ticks | {row: text for row, text in ends.items() if text}

    @cached_property
    def _below(self) -> str:
        left, right, _, _ = self.drawn.beyond
        line = x_ticks(self.scene.window, self.columns, rim_count("▸", right))
        return f"{rim_count('◂', left):>{GUTTER - 1}} {line}"

    @cached_property
    def _muted_style(self) -> Style:
        (segment,) = Content.styled("x", "$foreground-muted").render_segments(self.look)
        return segment.style or self.look.rich_style

    def _muted(self, text: str) -> Strip:
        return Strip([Segment(text, self._muted_style)])

    def _with_aim(self, line: Strip, y: int) -> Strip:
        if (span := self.aim.cells_of_row(y, self.columns)) is not None:
            shaded = line.crop(span[0], span[1] + 1).apply_style(Style(reverse=True))
            line = Strip.join([line.crop(0, span[0]), shaded, line.crop(span[1] + 1, self.columns)])
        column, row = self.aim.cross
        if y != row:
            return line
        red, green, blue = self.accent
        style = self.look.rich_style + Style(color=f"rgb({red},{green},{blue})", bold=True, reverse=self.has_focus)
        return Strip.join([line.crop(0, column), Strip([Segment(_CROSS, style)]), line.crop(column + 1, self.columns)])
