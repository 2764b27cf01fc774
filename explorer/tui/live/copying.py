"""What the user copies: the line under the cursor of the pane with the keys, or the token itself.

It goes through the terminal (OSC 52), which reaches the user's own machine over ssh too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

from explorer.base.text import visible, visible_bytes
from explorer.tui.shell.guarded import run_guarded

if TYPE_CHECKING:
    from explorer.tui.live.app import ExplorerApp
    from explorer.tui.panes.base import Pane
    from explorer.tui.panes.takeaway import Clip, Takeaway

MOST_BYTES = 56_000
"""Of a copied text: base64 makes 74,667 of them, and several terminals take no OSC 52 beyond 74,994."""


class Copying:
    """Copies by keys, and says what was copied."""

    def __init__(self, app: ExplorerApp) -> None:
        self._app = app

    def copy_line(self) -> None:
        """Copy what is under the cursor; of a pane without a cursor all that it shows."""
        run_guarded(self._app, self._copy_line, group="copy", exclusive=True)

    def copy_token(self) -> None:
        """Copy the text of the token under the cursor of the table."""
        self._app.asking.on_token(self._copy_token)

    def _copy_token(self) -> None:
        token = self._app.selection.token
        if token is None:
            self._app.remark("There is no token to copy yet.", problem=True)
            return
        shown = visible_bytes(bytes.fromhex(token.token_bytes))
        is_plain = "\ufffd" not in token.text and token.text.isprintable()
        how = "" if is_plain else ", with escapes for what cannot be seen"
        self.copy_text(token.text if is_plain else shown, f"the text of token {token.token_id}, {shown}{how}")

    async def _copy_line(self) -> None:
        pane = self._app.workspace.focus.pane
        found = clip_of(pane, self._app.screen_stack[0].focused)
        if found is None:
            self._app.remark("There is nothing to copy here yet.", problem=True)
        else:
            self.copy_text(found.text, found.what)

    def copy_text(self, text: str, what: str) -> None:
        """Put `text` on the clipboard, and say that it is `what`."""
        size = len(text.encode())
        if size > MOST_BYTES:
            told = f"Too much to copy: {size:,} bytes, and terminals take {MOST_BYTES:,}. Press e to write a file."
            self._app.remark(told, problem=True)
            return
        self._app.copy_to_clipboard(text)
        self._app.remark(f"Copied {what}.")


def clip_of(pane: Pane, focused: Widget | None) -> Clip | None:
    """What `y` copies in a pane: the row under the cursor, the line of a list, or all that the pane shows."""
    from explorer.tables.row_exports import as_tsv
    from explorer.tui.panes.takeaway import Clip, takeaway_of

    found = takeaway_of(pane)
    line = _line_of(found, focused)
    if line is not None or found is None or found.read is not None:
        return line
    if found.text is not None:
        return Clip(found.what, found.text())
    return Clip(f"{found.what}, with tabs", as_tsv(list(found.rows(None))))


def _line_of(found: Takeaway | None, focused: Widget | None) -> Clip | None:
    from explorer.tables.row_exports import as_tsv
    from explorer.tui.panes.takeaway import Clip
    from explorer.tui.widgets.row_list import RowList

    rows = focused.rows if isinstance(focused, RowList) else ()
    if found is not None and found.row is not None:
        place = focused.cursor if isinstance(focused, RowList) else 0
        row = found.row(place)
        return None if row is None else Clip(_name_of(row), as_tsv([row], heading=False))
    if isinstance(focused, RowList) and rows and (found is None or found.text is None):
        return Clip("the line", rows[focused.cursor].plain.strip())
    return None


def _name_of(row: dict[str, object]) -> str:
    named = f" of token {row['token_id']}, {visible(str(row['text']))}" if "text" in row else ""
    return f"the row{named}, with tabs"
