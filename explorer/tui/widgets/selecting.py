"""Text selected with the mouse in lines that a widget draws itself. Which characters, and what they say.

Textual finds the place under the mouse by the offsets that `Strip.apply_offsets` puts into what was drawn: x counts
characters of a line and y lines from the first one on, scrolled or not.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.selection import Selection
from textual.style import Style
from textual.widget import Widget

BAR = "│ "
"""Before each line of a prompt; it is not part of what is copied."""


def span_in(selection: Selection | None, y: int) -> tuple[int, int | None] | None:
    """The characters of line `y` that are selected, from and to (None: to its end); None: no part of the line is."""
    span = None if selection is None else selection.get_span(y)
    if span is None:
        return None
    return span[0], (None if span[1] == -1 else span[1])


def lines_in(selection: Selection, count: int) -> range:
    """Of `count` lines those with something selected."""
    first = 0 if selection.start is None else selection.start.y
    last = count - 1 if selection.end is None else min(selection.end.y, count - 1)
    return range(first, last + 1)


def selected_text(lines: Sequence[Content], selection: Selection) -> str:
    """What is selected, line by line, without the bars of prompts and without the blanks that pad lines."""
    return "\n".join(_piece(lines[y].plain, selection, y) for y in lines_in(selection, len(lines)))


def has_changed(old: Sequence[Content], new: Sequence[Content], selection: Selection) -> bool:
    """Whether other text stands now where something is selected."""
    places = lines_in(selection, max(len(old), len(new)))
    if len(old) != len(new) and places.stop > min(len(old), len(new)):
        return True
    return any(old[y].plain != new[y].plain for y in places)


def mark_selected(line: Content, selection: Selection | None, y: int, view: Widget) -> Content:
    """Line `y` as it is drawn in `view`: with the screen's colours for what is selected."""
    span = _copied_span(line.plain, selection, y)
    if span is None:
        return line
    return line.stylize(Style.from_styles(view.screen.get_component_styles("screen--selection")), *span)


def _copied_span(line: str, selection: Selection | None, y: int) -> tuple[int, int | None] | None:
    """As `span_in`, without the bar."""
    span = span_in(selection, y)
    return span if span is None or not line.startswith(BAR) else (max(span[0], len(BAR)), span[1])


def _piece(line: str, selection: Selection, y: int) -> str:
    start, end = _copied_span(line, selection, y) or (0, 0)
    return line[start:end].rstrip(" ")
