"""What the user copies: text selected with the mouse, what is under the cursor of the pane with the keys, or a form of
it chosen from a list.

It goes through the terminal (OSC 52), which reaches the user's own machine over ssh too, and into the clipboard of this
machine's desktop, where there is one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from explorer.base.errors import ExplorerError
from explorer.tui.shell.guarded import run_guarded

if TYPE_CHECKING:
    from explorer.tui.panes.takeaway import Clip
    from explorer.tui.shell.dispatcher import Act
    from explorer.tui.shell.stage import Stage

MOST_BYTES = 56_000
"""Of a copied text: base64 makes 74,667 of them, and several terminals take no OSC 52 beyond 74,994."""


class Copying:
    """Copies by keys, and says what was copied."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @property
    def acts(self) -> dict[str, Act]:
        """What the commands do that copy."""
        return {"copy": self.copy_line, "copy_as": self.copy_as}

    def copy_line(self) -> None:
        """Copy what is selected with the mouse, else what is under the cursor, of a pane without a cursor all that it
        shows."""
        if not self.copy_selected():
            run_guarded(self._stage, self._copy_line, group="copy", exclusive=True)

    def copy_as(self) -> None:
        """Let the user choose among all that the pane with the keys can give."""
        run_guarded(self._stage, self._copy_as, group="copy", exclusive=True)

    def copy_selected(self) -> bool:
        """Copy the text that is selected with the mouse; whether there is one."""
        selected = self._selected
        if selected:
            lines = selected.count("\n") + 1
            self.copy_text(selected, "the selected text" if lines == 1 else f"the {lines:,} selected lines")
        return bool(selected)

    def deselect(self) -> bool:
        """Have nothing selected with the mouse any more; whether something was."""
        was_selected = bool(self._selected)
        self._stage.screen_stack[0].clear_selection()
        return was_selected

    @property
    def _selected(self) -> str:
        """The text that is seen to be selected: not what is in a pane that another tab hides."""
        screen = self._stage.screen_stack[0]
        is_seen = any(widget.is_on_screen for widget in screen.selections)
        return (screen.get_selected_text() or "") if is_seen else ""

    async def _copy_line(self) -> None:
        from explorer.tui.panes.clips import first_clip
        from explorer.tui.panes.takeaway import takeaway_of

        found = takeaway_of(self._stage.workspace.focus.pane)
        await self._copy(first_clip(found, self._stage.screen_stack[0].focused))

    async def _copy_as(self) -> None:
        from explorer.tui.panes.clips import all_clips
        from explorer.tui.panes.takeaway import takeaway_of
        from explorer.tui.screens.copy_menu import CopyMenu

        stage = self._stage
        found = takeaway_of(stage.workspace.focus.pane)
        clips = all_clips(found, stage.screen_stack[0].focused, stage.selection.token)
        if not clips:
            await self._copy(None)
        elif (chosen := await stage.push_screen_wait(CopyMenu(clips))) is not None:
            await self._copy(chosen)

    async def _copy(self, clip: Clip | None) -> None:
        if clip is None:
            self._stage.remark("There is nothing to copy here yet.", problem=True)
            return
        try:
            text = await asyncio.to_thread(clip.make)
        except ExplorerError as error:
            self._stage.remark(error.line, problem=True)
        else:
            self.copy_text(text, clip.what)

    def copy_text(self, text: str, what: str) -> None:
        """Put `text` on the clipboard, and say that it is `what`."""
        size = len(text.encode())
        if size > MOST_BYTES:
            told = f"Too much to copy: {size:,} bytes, and terminals take {MOST_BYTES:,}. Press e to write a file."
            self._stage.remark(told, problem=True)
            return
        self._stage.copy_to_clipboard(text)
        self._stage.remark(f"Copied {what}.")
