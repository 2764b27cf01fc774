"""The line above what a pane shows: what is under way, or what is wrong."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from explorer.base.text import visible


class Heading(Static):
    """Says one thing at a time, safe to show whatever it holds."""

    def say(self, text: str, *, problem: bool = False) -> None:
        """Show `text`."""
        self.update(Content.styled(visible(text, spaces=False), "$error" if problem else "$foreground-muted"))
