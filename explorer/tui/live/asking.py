"""What is asked of the token under the cursor, and how what runs is stopped, paused and resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from explorer.base.records.inspect import InspectToken
from explorer.pipe.client import EngineClient
from explorer.tui.live.runs import Runs
from explorer.tui.shell.messages import Selection
from explorer.tui.shell.workspace import Workspace

STOPPED = "The engine has stopped: ctrl+r starts it again."
"""Why nothing can be asked."""


class Front(Protocol):
    """What is needed of the screen."""

    @property
    def selection(self) -> Selection:
        """What the user is looking at."""

    def select(self, **changes: object) -> None:
        """Change what is selected."""

    def force(self) -> None:
        """End the engine and start it anew, with its models."""

    def remark(self, text: str, *, problem: bool = False) -> None:
        """One line for the user."""


class Asking:
    """Acts upon the token table and the panes; none computes."""

    def __init__(self, front: Front, workspace: Workspace, runs: Runs, client: EngineClient) -> None:
        self._front = front
        self._workspace = workspace
        self._runs = runs
        self._client = client

    # ── the token table ──

    def open_filter(self) -> None:
        """Type into the filter box."""
        self._workspace.show_tab("tokens")
        self._workspace.token_pane.commands.open_filter()

    def open_jump(self) -> None:
        """Type the id to go to."""
        self._workspace.show_tab("tokens")
        self._workspace.token_pane.commands.open_jump()

    def sort_next(self, step: int) -> None:
        """Sort by the column `step` places on."""
        self._workspace.token_pane.commands.sort_next(step)

    def reverse(self) -> None:
        """Turn the order round."""
        self._workspace.token_pane.commands.reverse()

    def mark(self) -> None:
        """Mark or unmark the token."""
        self.on_token(self._workspace.token_pane.toggle_mark)

    def move(self, rows: int) -> None:
        """Select the token some rows below; the keys stay where they are."""
        table = self._workspace.token_pane.table
        if table.rows:
            table.action_move(rows)
        else:
            self._refuse()

    def _refuse(self) -> None:
        """Say why nothing can be done with a token."""
        self._front.remark(self._workspace.token_pane.commands.why_no_token, problem=True)

    # ── the token under the cursor ──

    def on_token(self, act: Callable[[], None], *, or_none: bool = False) -> None:
        """Do `act` on the token under the cursor, once the table has taken every key pressed before this one. Where
        there is no token, say why; `or_none`: do it then too."""
        self._workspace.token_pane.table.call_later(self._act_on_token, act, or_none)

    async def _act_on_token(self, act: Callable[[], None], or_none: bool) -> None:
        pane = self._workspace.token_pane
        # In a thread: with the first row is worked out where all values stand, 450 ms at 262,144 tokens. Where there is
        # none, not in a thread: the table may be filled meanwhile, and what is said of it would be wrong.
        token = await asyncio.to_thread(pane.row_under_cursor) if pane.has_row else None
        self._front.select(token=token)
        if or_none or self._front.selection.token is not None:
            act()
        else:
            self._refuse()

    def inspect(self) -> None:
        """Record everything known of the token."""
        self.on_token(self._inspect)

    def _inspect(self) -> None:
        if self._client.state == "stopped":
            self._front.remark(STOPPED, problem=True)
        else:
            self.inspect_selected(record=True)

    def inspect_selected(self, *, record: bool) -> None:
        """Ask for everything known of the selected token; unrecorded, only the latest such question is kept."""
        selection = self._front.selection
        loaded = {info.name for info in selection.roster.models}
        if selection.token is None or selection.model is None or self._client.state == "stopped":
            return
        if selection.model.name in loaded:
            request = InspectToken(model=selection.model.name, token_id=selection.token.token_id)
            self._runs.ask(request, record=record, latest="" if record else "details")

    def prove_all(self) -> None:
        """Show the Prove pane and have it prove every token."""
        from explorer.tui.panes.speakability.form import SpeakForm  # there since the panes were opened

        self._workspace.pane("speakability").query_one(SpeakForm).choose_all()
        self.run_pane("speakability")

    def run_pane(self, tab: str) -> None:
        """Show a tab and have its pane ask about the token under the cursor."""
        self._workspace.show_tab(tab)
        self.on_token(partial(self._run_pane, tab))

    def _run_pane(self, tab: str) -> None:
        if self._client.state == "stopped":
            self._front.remark(STOPPED, problem=True)
        else:
            self._workspace.pane(tab).run_default()

    # ── what runs ──

    def pause(self) -> None:
        """Stop the runs over many tokens, which keep on disk what they have; or resume those that were stopped."""
        if stopped := self._runs.pause():
            self._front.remark(f"Pausing {stopped} run{'s' if stopped > 1 else ''}. Press p to resume.")
        elif not self._runs.resume():
            self._front.remark("No run over many tokens is under way: v verifies, a proves.")

    def cancel(self) -> None:
        """End the engine that does not hear; or else stop what runs; where all of it is stopping, keys go to the table,
        so that `esc` leads out of every text field whatever runs; in the table, its filter is cleared."""
        if self._runs.is_deaf:
            self._front.force()
        elif stopped := self._runs.cancel():
            self._front.remark(f"Stopping {stopped} request{'s' if stopped > 1 else ''}.")
        elif self._workspace.is_open:
            self._free_keys()

    def _free_keys(self) -> None:
        if not self._workspace.token_pane.table.has_focus:
            self._workspace.show_tab("tokens")
        else:
            self._workspace.token_pane.commands.clear_filter()
