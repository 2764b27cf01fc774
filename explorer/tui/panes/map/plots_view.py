"""Plots of a map's colour that share one line: both sides are counted, and what was measured of them, as it moves."""

from __future__ import annotations

from dataclasses import replace
from textwrap import wrap
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from explorer.tui.panes.map.plots_sheet import Plotted, column_area, draw_plots
from explorer.tui.panes.map.sheet import Ink
from explorer.tui.panes.map.threshold import Parted
from explorer.tui.shell.guarded import Guarded

_ABOVE = 1
"""Rows for the names of the plots."""
_WIDE = 76
"""Columns from which each line of words has one row; the first has one always, the others two in less room."""
_FAST = 8
_COLOURS: dict[Ink, str] = {
    "plain": "$foreground",
    "muted": "$foreground-muted",
    "strong": "bold $foreground",
    "line": "bold $accent",
    "called": "bold $error",
    "weak": "bold $warning",
}


class PlotsView(Guarded, Widget, can_focus=True):
    """Draws a `Plotted`: one plot, or four where there is room."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "line", tooltip="Move the line"),
        Binding("right", "move(1)", "line", tooltip="Move the line"),
        Binding("shift+left", f"move(-{_FAST})", "far", show=False, tooltip="Move the line by 8 cells"),
        Binding("shift+right", f"move({_FAST})", "far", show=False, tooltip="Move the line by 8 cells"),
        Binding("down", "plot(1)", "plot", tooltip="Show the next plot, or the one before"),
        Binding("up", "plot(-1)", "plot", tooltip="Show the next plot, or the one before"),
        Binding("h", "tell('back')", "map", tooltip="Back to the map"),
        Binding("enter", "tell('part')", "filter", tooltip="Show the suspected tokens in the token table"),
        Binding("x", "valley", "valley", tooltip="Put the line into the next valley between two hills"),
        Binding("X", "tell('mark')", "mark", tooltip="Mark the suspected tokens"),
        Binding("plus,equals_sign", "zoom(0.5)", "zoom", tooltip="Plot fewer numbers around the line"),
        Binding("minus", "zoom(2)", "zoom", tooltip="Plot more numbers around the line"),
        Binding("w", "definition", "definition", tooltip="Take the verdicts of the next definition"),
        Binding(
            "b", "tell('column')", "column", show=False, tooltip="Plot the next column: indicator, axes of the map"
        ),
        Binding("o", "side", "other side", show=False, tooltip="Suspect the tokens on the other side of the line"),
    ]
    DEFAULT_CSS = """
    PlotsView { height: 1fr; width: 1fr; background: $background; }
    """

    class Wanted(Message):
        """What a key wants: the suspected tokens in the table (`part`) or marked (`mark`), another `column`, the map
        (`back`)."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.plotted = Plotted()
        self._strips: list[Strip] | None = None
        self._drawn_in = (0, 0)

    @property
    def parted(self) -> Parted | None:
        """The column with its line, where there is one."""
        return self.plotted.parted

    @property
    def room(self) -> tuple[int, int]:
        """Columns and rows for plots."""
        return max(0, self.size.width), max(0, self.size.height - _ABOVE - len(self._places_of_words))

    @property
    def _places_of_words(self) -> tuple[tuple[int, int], ...]:
        """For each row below the plots the line of words that stands there, and which of its rows."""
        tall = 1 if self.size.width >= _WIDE else 2
        return ((0, 0), *((line, row) for line in (1, 2, 3) for row in range(tall)))

    def show(self, plotted: Plotted) -> None:
        """Draw something else; the chosen plot stays."""
        self._take(replace(plotted, chosen=self.plotted.chosen))

    def _take(self, plotted: Plotted) -> None:
        before, self.plotted, self._strips = self._has_keys_for, plotted, None
        self.refresh()
        if self._has_keys_for != before:  # the key line is made anew, which takes as long as the plots
            self.refresh_bindings()

    @property
    def _has_keys_for(self) -> tuple[bool, bool]:
        """A line, and other definitions."""
        return self.parted is not None, self.plotted.has_definitions

    def _part(self, parted: Parted) -> None:
        self._take(replace(self.plotted, parted=parted))

    def action_move(self, cells: int) -> None:
        """Move the line."""
        if self.parted is not None:
            area = column_area(self.plotted, *self.room)
            self._part(self.parted.moved(cells, self.size.width if area is None else area[1]))

    def action_plot(self, by: int) -> None:
        """Another plot."""
        self._take(self.plotted.choose(by, *self.room))

    def action_valley(self) -> None:
        """Go to the next valley, or the first again."""
        if self.parted is not None:
            self._part(self.parted.in_next_valley(max(1, self.size.width)))

    def action_zoom(self, factor: float) -> None:
        """Closer to the line, or farther."""
        if self.parted is not None:
            self._part(self.parted.zoomed(factor))

    def action_definition(self) -> None:
        """Another definition."""
        self._take(self.plotted.next_definition())

    def action_side(self) -> None:
        """The other side."""
        if self.parted is not None:
            self._part(self.parted.on_other_side())

    def action_tell(self, what: str) -> None:
        """Let the pane act."""
        self.post_message(self.Wanted(what))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs a line, or another definition, is a key only where there is one: see `_has_keys_for`."""
        if action == "definition":
            return self.plotted.has_definitions
        needs_line = action in ("move", "zoom", "valley", "side") or parameters in (("part",), ("mark",), ("column",))
        return self.parted is not None if needs_line else super().check_action(action, parameters)

    def on_click(self, event: events.Click) -> None:
        """The line goes to the mouse; a plot is chosen by its name."""
        if event.y < _ABOVE:
            self._choose_at(event.x)
            return
        area = column_area(self.plotted, *self.room)
        if self.parted is not None and area is not None and 0 <= event.x - area[0] < area[1]:
            self._part(self.parted.at_column(event.x - area[0], area[1]))

    def _choose_at(self, x: int) -> None:
        first = 0
        for name in self.plotted.plots(*self.room):
            if first <= x < first + len(name) + 2:
                self._take(replace(self.plotted, chosen=name))
            first += len(name) + 2

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._take(self.plotted))

    def on_resize(self) -> None:
        self._take(self.plotted)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The plots are made before the first of their lines."""
        self._drawn()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.visual_style
        drawn = self._drawn() if self._strips is None else self._strips
        rows = len(drawn)
        if y < _ABOVE:
            line = Strip(self._names().render_segments(base))
        elif y < _ABOVE + rows:
            line = drawn[y - _ABOVE]
        else:
            line = Strip(self._words(y - _ABOVE - rows).render_segments(base))
        return line.apply_style(base.rich_style).crop_extend(0, width, base.rich_style)

    def _words(self, row: int) -> Content:
        places, width = self._places_of_words, max(1, self.size.width)
        line, part = places[min(row, len(places) - 1)]
        text = self.plotted.lines()[line]
        parts = wrap(text, width) if (line, 1) in places else [text]
        rest = " ".join(parts[part:]) if (line, part + 1) not in places else "".join(parts[part : part + 1])
        return Content(rest).truncate(width, ellipsis=True)

    def _drawn(self) -> list[Strip]:
        """The plots, made when something changed: a line may be wanted before the news of another size comes."""
        room = self.room
        if self._strips is None or self._drawn_in != room:
            styles = {ink: self._style(colour) for ink, colour in _COLOURS.items()}
            sheet = draw_plots(self.plotted, *room)
            self._drawn_in, self._strips = room, [sheet.strip(row, styles) for row in range(room[1])]
        return self._strips

    def _style(self, colour: str) -> Style:
        (segment,) = Content.styled("x", colour).render_segments(self.visual_style)
        return segment.style or Style.null()

    def _names(self) -> Content:
        """The plots; the chosen one stands out without colours too."""
        shown = self.plotted.shown(*self.room)
        names = (
            (f"▸{name} ", "bold $accent") if name == shown else (f" {name} ", "$foreground-muted")
            for name in self.plotted.plots(*self.room)
        )
        return Content.assemble(*names)
