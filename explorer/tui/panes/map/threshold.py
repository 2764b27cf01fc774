"""The histogram of a map's colour with a line that parts the vocabulary: both sides are counted as it moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from explorer.base.records.maps import MapPoint
from explorer.base.records.tokens import LABELS
from explorer.tables.histograms import SortedColumn, find_valleys
from explorer.tui.panes.map.histogram import bar_lines, bin_of, mark_line, sides_words
from explorer.tui.panes.map.spots import GLYPHS
from explorer.tui.panes.map.windows import x_ticks
from explorer.tui.shell.guarded import Guarded

_BELOW = 3
"""Rows below the bars: marks, numbers, words."""
_FAST = 8


@dataclass(frozen=True)
class Parted:
    """A column with a line."""

    name: str
    column: SortedColumn
    points: tuple[MapPoint, ...]
    """Named tokens, the most important first."""
    line: float

    @property
    def low(self) -> float:
        """The least number."""
        return self.column.ends()[0]

    @property
    def high(self) -> float:
        """The greatest number."""
        return self.column.ends()[1]

    @property
    def filter(self) -> str:
        """What the token table takes for the tokens up to the line."""
        return f"{self.name}<={self.line!r}"


def begin(name: str, column: SortedColumn, points: tuple[MapPoint, ...], bins: int) -> Parted:
    """With the line in the first valley between two hills, or a fiftieth up where there is none."""
    low, high = column.ends()
    valleys = find_valleys(column.counts(low, high, bins))
    share = (valleys[0] + 0.5) / bins if valleys else 0.02
    return Parted(name, column, points, _round(low + share * (high - low)))


def _round(number: float) -> float:
    return float(f"{number:.6g}")


class HistogramView(Guarded, Widget, can_focus=True):
    """Bars of log counts, the named tokens below them, and the line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "line", tooltip="Move the line"),
        Binding("right", "move(1)", "line", tooltip="Move the line"),
        Binding("shift+left", f"move(-{_FAST})", "far", show=False, tooltip="Move the line by 8 cells"),
        Binding("shift+right", f"move({_FAST})", "far", show=False, tooltip="Move the line by 8 cells"),
        Binding("x", "valley", "valley", tooltip="Put the line into the next valley between two hills"),
        Binding("enter", "part", "filter", tooltip="Show the tokens up to the line in the token table"),
        Binding("h", "back", "map", tooltip="Back to the map"),
    ]
    DEFAULT_CSS = """
    HistogramView { height: 1fr; width: 1fr; background: $background; }
    """

    class Wanted(Message):
        """The tokens up to the line are wanted (`part`), or the map again (`back`)."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.parted: Parted | None = None

    def show(self, parted: Parted | None) -> None:
        """Draw a column."""
        self.parted = parted
        self.refresh()

    def action_move(self, cells: int) -> None:
        """Move the line."""
        if self.parted is not None:
            step = (self.parted.high - self.parted.low) / max(1, self.size.width)
            line = min(self.parted.high, max(self.parted.low, self.parted.line + cells * step))
            self.show(replace(self.parted, line=_round(line)))

    def action_valley(self) -> None:
        """Go to the next valley, or the first again."""
        parted, bins = self.parted, max(1, self.size.width)
        if parted is None:
            return
        width = (parted.high - parted.low) / bins
        counts = parted.column.counts(parted.low, parted.high, bins)
        lines = [_round(parted.low + (valley + 0.5) * width) for valley in find_valleys(counts)]
        if lines:
            self.show(replace(parted, line=next((line for line in lines if line > parted.line), lines[0])))

    def action_part(self) -> None:
        self.post_message(self.Wanted("part"))

    def action_back(self) -> None:
        self.post_message(self.Wanted("back"))

    def on_click(self, event: events.Click) -> None:
        """The line goes to the mouse."""
        if self.parted is not None:
            share = (event.x + 0.5) / max(1, self.size.width)
            self.show(replace(self.parted, line=_round(self.parted.low + share * (self.parted.high - self.parted.low))))

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.visual_style
        return Strip(self._line(y, width).render_segments(base)).crop_extend(0, width, base.rich_style)

    def _line(self, y: int, width: int) -> Content:
        parted, rows = self.parted, self.size.height - _BELOW
        if parted is None or rows < 1 or width < 1:
            return Content("")
        at = bin_of(parted.line, parted.low, parted.high, width)
        if y < rows:
            counts = parted.column.counts(parted.low, parted.high, width).tolist()
            bars = bar_lines(counts, rows, line=at)[y]
            edge = 0 if at is None else at + 1
            return Content.assemble((bars[:edge], "$accent"), (bars[edge:], "$foreground"))
        if y == rows:
            marks = ((point.value, GLYPHS[point.role]) for point in reversed(parted.points) if point.value is not None)
            return Content.styled(mark_line(marks, parted.low, parted.high, width), "bold")
        if y == rows + 1:
            return Content.styled(x_ticks((parted.low, parted.high, 0.0, 1.0), width), "$foreground-muted")
        sides = parted.column.sides(parted.line)
        named = LABELS.get(parted.name, parted.name)
        return Content(sides_words(named, parted.line, sides)).truncate(width, ellipsis=True)
