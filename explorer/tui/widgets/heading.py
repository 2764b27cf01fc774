"""The line above what a pane shows: what is under way, or what is wrong."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from explorer.base.text import visible


class Heading(Static):
    """Says one thing at a time, safe to show whatever it holds."""

    def say(self, text: str, *, problem: bool = False, layout: bool = True) -> None:
        """Show `text`; without a `layout` of the screen, which takes 10 ms, where the line has a fixed height."""
        words = Content.styled(visible(text, spaces=False), "$error" if problem else "$foreground-muted")
        self.update(words, layout=layout)
