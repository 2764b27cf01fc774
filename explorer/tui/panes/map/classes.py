"""The colours of a map that are classes, in words: a legend with every count, and what is in a cell."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from textual import events
from textual.content import Content
from textual.widgets import Static

from explorer.base.records.map_colours import REST, MapClasses
from explorer.base.text import visible
from explorer.specs.map_words import class_words, rule_words
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.themes import CLASSES

_SWATCH = "⣿"
_BETWEEN = "  "


class ClassLegend(Guarded, Static):
    """Below a map whose colours are classes: as many lines as the legend needs."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(Content(""), id=id)
        self._shown: tuple[str, MapClasses | None] = "", None
        self._is_wanted = True

    def show(self, colour: str, classes: MapClasses | None) -> None:
        """Tell the classes; None: there are none, and no lines."""
        if self._shown == (colour, classes):
            return
        self._shown = colour, classes
        self._lay_out()

    def want(self, wanted: bool) -> None:
        """Whether there is a map above to explain."""
        self._is_wanted = wanted
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        colour, classes = self._shown
        self.display = self._is_wanted and classes is not None
        if classes is not None and self.size.width:
            lines = class_legend(colour, classes, self.size.width)
            self.styles.height = len(lines)
            self.update(Content("\n").join(lines))


def class_legend(colour: str, classes: MapClasses, width: int) -> list[Content]:
    """Lines of at most `width` cells: every class with its colour and its tokens in view, then how a cell of several
    classes is drawn, and notes. Nothing is left out; a class that is wider than a line by itself is cut."""
    entries = [_entry(place, class_words(found)) for place, found in classes.present]
    rule = Content.styled(rule_words(classes.rule), "$foreground-muted")
    lines = _lines([Content.styled(f"{visible(colour, spaces=False)}:", "bold"), *entries, rule], width)
    told = (line for note in classes.notes for line in wrap(visible(note, spaces=False), max(1, width)))
    return lines + [Content.styled(line, "$foreground-muted") for line in told]


def _entry(place: int, words: str) -> Content:
    return Content.assemble((_SWATCH, "$foreground-muted" if place == REST else f"${CLASSES[place]}"), f" {words}")


def _lines(parts: Sequence[Content], width: int) -> list[Content]:
    lines: list[Content] = []
    for part in parts:
        joined = Content.assemble(lines[-1], _BETWEEN, part) if lines else part
        if lines and joined.cell_length <= width:
            lines[-1] = joined
        else:
            lines.append(part.truncate(width, ellipsis=True))
    return lines
