"""One line that says as much as fits, and gives up what matters least first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from explorer.tui.shell.guarded import Guarded


def fitting(variants: Sequence[str], cells: int) -> str:
    """The first of `variants` that fits in `cells` cells, the last where none does."""
    return next((text for text in variants if cell_len(text) <= cells), variants[-1] if variants else "")


class FittedLine(Guarded, Widget):
    """Shows the first of several texts, the fullest first, that fits its width; safe texts only."""

    DEFAULT_CSS = """
    FittedLine { height: 1; width: 1fr; }
    """

    def __init__(self, *variants: str, style: str = "", id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._variants, self._style = variants, style

    def say(self, *variants: str, style: str = "") -> None:
        """Show the first of these that fits, in a style."""
        self._variants, self._style = variants, style
        self.refresh()

    def render(self) -> Content:
        width = self.size.width
        return Content.styled(fitting(self._variants, width), self._style).truncate(width, ellipsis=True)
