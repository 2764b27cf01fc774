"""A scrolling view of lines that a pure function makes: compute before you draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.messages import Remark
from explorer.tui.widgets.selecting import has_changed, mark_selected, selected_text, span_in
from explorer.tui.widgets.soon import Soon

Draw = Callable[[int], Sequence[Content]]
"""From a width in cells to lines at most that wide, without newlines. Only those in sight are looked at, so that each
may be made when it is."""

REDRAW_SECONDS = 0.05
"""Parts may come 500 times a second; a screen needs 20."""


class LinesView(Guarded, ScrollView, can_focus=True):
    """Shows `draw(width)`; only lines that changed are painted again (a slow SSH link sees few bytes).

    Text in it is selected with the mouse; where other text comes to stand there, nothing is selected any more.
    """

    DEFAULT_CSS = """
    LinesView {
        height: 1fr;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        overflow-y: auto;
    }
    """

    def __init__(self, draw: Draw, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._lines: Sequence[Content] = ()
        self._strips: dict[int, tuple[Content, Strip]] = {}
        """What was painted, by line."""
        self._selected: Selection | None = None
        self._soon = Soon(self, REDRAW_SECONDS, self.redraw)

    @property
    def lines(self) -> Sequence[Content]:
        """What is on display, from the first line to the last, scrolled to or not."""
        return self._lines

    def redraw(self) -> None:
        """Compute the lines again and paint those that differ."""
        self._soon.drop()
        width = self.scrollable_content_region.width
        if width <= 0:
            return
        old, self._lines = self._lines, self._draw(width)
        if self._selected is not None and has_changed(old, self._lines, self._selected):
            self.screen.clear_selection()
        size = Size(width, len(self._lines))
        if len(old) != len(self._lines) or size != self.virtual_size:
            self._strips.clear()
            self.virtual_size = size
            self.refresh()
            return
        top = self.scroll_offset.y
        in_sight = range(top, top + self.size.height)
        self._strips = {y: painted for y, painted in self._strips.items() if y in in_sight}
        changed = [y for y, (was, _) in self._strips.items() if not was.is_same(self._lines[y])]
        for y in changed:
            del self._strips[y]
        if changed:
            self.refresh(*(Region(0, y - top, self.size.width, 1) for y in changed))

    def redraw_soon(self) -> None:
        """Redraw within `REDRAW_SECONDS`, once for however many calls until then."""
        self._soon.ask()

    def notify_style_update(self) -> None:
        """The theme changed: every line is to be painted in its new colours."""
        super().notify_style_update()
        self._strips.clear()

    def on_resize(self, event: events.Resize) -> None:
        self.redraw()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selected_text(self._lines, selection), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Paint those lines again of which more or less is selected now."""
        old, self._selected = self._selected, selection
        for line in [line for line in self._strips if span_in(old, line) != span_in(selection, line)]:
            del self._strips[line]
            self.refresh(Region(0, line - self.scroll_offset.y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        base = self.visual_style
        line = y + self.scroll_offset.y
        if line >= len(self._lines):
            return Strip.blank(width, base.rich_style).apply_offsets(0, line)
        if (painted := self._strips.get(line)) is not None:
            return painted[1]
        content = self._lines[line]
        shown = mark_selected(content.truncate(width, ellipsis=True), self._selected, line, self)
        strip = Strip(shown.render_segments(base)).adjust_cell_length(width, base.rich_style)
        strip = strip.simplify().apply_offsets(0, line)
        self._strips[line] = (content, strip)
        return strip


def redraw_changed(view: LinesView, unless: str) -> None:
    """Redraw `view` after a key that changes how things are shown; where no line differs, remark `unless`."""
    before = [*view.lines]
    view.redraw()
    if len(before) == len(view.lines) and all(map(Content.is_same, before, view.lines)):
        view.post_message(Remark(unless))
