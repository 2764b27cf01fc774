"""Plots by plotext, built off the event loop and kept as strips.

plotext has one global figure and takes 5 to 20 ms to build; rendering its coloured text inside the event loop
would cost 100 ms and more on every refresh (measured in `shared/notes/libraries.md`, section 3). So a worker
thread builds the figure under a lock and decodes it, and the widget only hands out lines.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color, ColorParseError
from textual.content import Content
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from explorer.base.text import visible
from explorer.tui.shell.guarded import Guarded, run_guarded
from explorer.tui.shell.themes import CLASSES, RAMP

Rgb = tuple[int, int, int]

_log = logging.getLogger(__name__)
_COLOUR_CODE = re.compile("\x1b\\[([0-9;]*)m")
_FIGURE_LOCK = threading.Lock()
_FRAME_COLUMNS = 2
_FRAME_ROWS = 3
"""A frame line above and below, and a line for the titles of the axes."""


@dataclass(frozen=True)
class Palette:
    """The theme's colours as a figure needs them."""

    foreground: Rgb
    frame: Rgb
    accent: Rgb
    ramp: tuple[Rgb, ...]
    """Low to high."""
    classes: tuple[Rgb, ...] = ()
    muted: Rgb = (128, 128, 128)

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Palette:
        """From an App's theme variables; a ramp step that a theme does not define is the foreground."""
        foreground = _rgb(variables, "foreground", (255, 255, 255))
        return cls(
            foreground=foreground,
            frame=_rgb(variables, "border-blurred", foreground),
            accent=_rgb(variables, "accent", foreground),
            ramp=tuple(_rgb(variables, key, foreground) for key in RAMP),
            classes=tuple(_rgb(variables, key, foreground) for key in CLASSES),
            muted=_rgb(variables, "foreground-muted", foreground),
        )


def _rgb(variables: Mapping[str, str], key: str, otherwise: Rgb) -> Rgb:
    try:
        return Color.parse(variables[key]).rgb
    except (KeyError, ColorParseError):  # not in this theme, or 'auto 60%', which is no colour by itself
        return otherwise


@dataclass(frozen=True)
class Point:
    """One cell of the canvas; (0, 0) is its lower left cell."""

    column: int
    row: int
    glyph: str
    """One character of width 1."""
    colour: Rgb


@dataclass(frozen=True)
class Label:
    """Text over the canvas; (0, 0) is its upper left cell. Has been through `visible()`; may hold wide characters."""

    column: int
    row: int
    text: str
    colour: Rgb
    bold: bool = False


@dataclass(frozen=True)
class Drawing:
    """What stands on the canvas, in cells; of points in one cell the last is seen."""

    points: Sequence[Point] = ()
    labels: Sequence[Label] = ()
    x_title: str = ""
    y_title: str = ""


Draw = Callable[[int, int, Palette], Drawing]
"""From the canvas's width and height in cells and the colours to a drawing; pure, runs in a thread."""


def build_strips(width: int, height: int, draw: Draw, palette: Palette) -> list[Strip]:
    """The figure as `height` strips `width` cells wide; empty where there is no room for a frame and a cell."""
    columns, rows = width - _FRAME_COLUMNS, height - _FRAME_ROWS
    if columns < 1 or rows < 1:
        return []
    drawing = draw(columns, rows, palette)
    with _FIGURE_LOCK:
        text = _figure_text(width, height, drawing, palette)
    strips = [Strip(_segments(line)).simplify().adjust_cell_length(width) for line in text.split("\n")[:height]]
    for label in drawing.labels:
        strips[label.row + 1] = _with_label(strips[label.row + 1], label, width)
    return strips


def _figure_text(width: int, height: int, drawing: Drawing, palette: Palette) -> str:
    """plotext's text with its ANSI colours. The axes are the canvas's cells, so a point's cell is exact."""
    import plotext as plt  # when the first plot is drawn: start-up pays nothing for it

    plt.terminal.limit(False, False)
    figure = plt.figure
    figure.clear()
    figure.plot_size(width, height)
    figure.canvas("default")
    figure.axes(True, "rounded", plt.pixel(palette.frame, "default"))
    for axis, cells in (("x", width - _FRAME_COLUMNS), ("y", height - _FRAME_ROWS)):
        figure.ruler(axis, "both").frequency(0)
        figure.ruler(axis).lim(-0.5, cells - 0.5)
    title_pixel = plt.pixel(palette.foreground, "default")
    figure.label(plt.colorize(drawing.x_title or " ", title_pixel), "x")
    figure.label(plt.colorize(drawing.y_title or " ", title_pixel), "y")
    for (glyph, colour), cells_of in _by_look(drawing.points).items():
        columns, rows = zip(*cells_of, strict=True)
        marker = plt.marker(glyph, plt.pixel(colour, "default"))
        figure.draw(figure.signal(list(columns), list(rows), marker=marker))
    return str(figure.build().string())


def _by_look(points: Sequence[Point]) -> dict[tuple[str, Rgb], list[tuple[int, int]]]:
    """Cells by glyph and colour, a signal each; of points in one cell the last is seen."""
    seen = {(point.column, point.row): (point.glyph, point.colour) for point in points}
    looks: dict[tuple[str, Rgb], list[tuple[int, int]]] = {}
    for cell, look in seen.items():
        looks.setdefault(look, []).append(cell)
    return looks


def _segments(line: str) -> Iterator[Segment]:
    """A line of plotext's text with its foreground colours; the ground is the widget's.

    Rich's own decoder takes four times as long, and this thread's time is the event loop's too: they share a lock.
    """
    style = Style.null()
    for index, part in enumerate(_COLOUR_CODE.split(line)):
        if index % 2 == 0:
            if part:
                yield Segment(part, style)
        elif part.startswith("38;"):
            style = _foreground(part)
        elif part in ("", "0"):
            style = Style.null()


@lru_cache(maxsize=256)
def _foreground(code: str) -> Style:
    """The style of '38;2;R;G;B' or '38;5;N'."""
    numbers = [int(number) for number in code.split(";")[2:]]
    if len(numbers) == 3:
        return Style(color=RichColor.from_rgb(*numbers))
    return Style(color=RichColor.from_ansi(numbers[0]))


def _with_label(strip: Strip, label: Label, width: int) -> Strip:
    """`strip` with a label over it. plotext gives a wide character one cell, so it never sees the labels."""
    start = label.column + 1
    text = Strip([Segment(label.text, Style(color=Color(*label.colour).rich_color, bold=label.bold))])
    return Strip.join([strip.crop(0, start), text, strip.crop(start + text.cell_length, width)])


class PlotView(Guarded, Widget):
    """A figure that follows its size and the theme; lines are drawn from strips, never computed here."""

    DEFAULT_CSS: ClassVar[str] = """
    PlotView { width: 1fr; height: 1fr; background: $background; }
    """

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._empty = Content.styled(empty, "$foreground-muted")
        self._draw: Draw | None = None
        self._strips: list[Strip] = []
        self._wanted = 0
        self._drawing = False

    def show(self, draw: Draw | None) -> None:
        """Draw another figure, or none; what is on the screen stays until the new one is ready."""
        self._draw = draw
        if draw is None:
            self._strips = []
            self.refresh()
        self._redraw()

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._redraw())

    def on_resize(self, event: events.Resize) -> None:
        self._redraw()

    def _redraw(self) -> None:
        """Have the figure built again; calls while one is being built are answered by one more build."""
        self._wanted += 1
        if self.is_mounted and self._draw is not None and not self._drawing:
            self._drawing = True
            run_guarded(self, self._build_until_current)

    async def _build_until_current(self) -> None:
        try:
            built = -1
            while built != self._wanted and self._draw is not None:
                built = self._wanted
                palette = Palette.of(self.app.theme_variables)
                size = self.size
                strips = await asyncio.to_thread(build_strips, size.width, size.height, self._draw, palette)
                # Of the wrong size it is of no use. An older figure of the right one is shown until the next is
                # built, so that a key held down moves the picture too; the loop ends with the newest.
                if size == self.size and self._draw is not None:
                    self._strips = strips
                    self.refresh()
        except Exception as error:
            _log.exception("a figure could not be built")
            self._say_failed(error)
        finally:
            self._drawing = False

    def _say_failed(self, error: Exception) -> None:
        """A figure that cannot be built says so in its place; the rest of the screen works on."""
        said = visible(f"{type(error).__name__}: {error}", spaces=False)
        self._empty = Content.styled(f"✗ the plot failed: {said}", "$error")
        self.show(None)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.visual_style.rich_style
        if self._draw is None and y == self.size.height // 2:
            line = Visual.to_strips(self, self._empty.truncate(width, ellipsis=True), width, 1, self.visual_style)
            return line[0].extend_cell_length(width, base).crop(0, width) if line else Strip.blank(width, base)
        if y >= len(self._strips):
            return Strip.blank(width, base)
        return self._strips[y].apply_style(base).crop_extend(0, width, base)
