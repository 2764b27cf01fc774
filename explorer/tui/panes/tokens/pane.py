"""The token table with its keys, filter box and jump prompt: what the user walks through."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import msgspec
from textual import on
from textual.widgets import Input

from explorer.base.records.notes import MarkToken
from explorer.base.records.tokens import TokenRow
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary
from explorer.base.text import visible
from explorer.tables.table import FilterError, parse_filter
from explorer.tui.panes.tokens.table import TokenTable
from explorer.tui.panes.tokens.views import View, ViewMaker
from explorer.tui.panes.tokens.vocabulary_pane import VocabularyPane
from explorer.tui.shell.messages import Remark, TokenSelected
from explorer.tui.widgets.line_input import LineInput

FILTER_PAUSE = 0.08
"""Seconds without a keystroke before the filter is applied."""
REST_PAUSE = 0.06
"""Seconds the cursor stays on a token before the other panes follow it."""


class TokenPane(VocabularyPane):
    """The vocabulary of one model, sorted and filtered; posts `TokenSelected` and `ViewSettled`."""

    # ── what the App calls ────────────────────────────────────────────────────────────────────────────────

    def open_filter(self) -> None:
        """Type into the filter box."""
        if self._is_loaded():
            self.query_one("#filter", LineInput).open()

    def open_jump(self) -> None:
        """Type the id to go to."""
        if self._view is not None:
            self.query_one("#jump", LineInput).open()

    def sort_next(self, step: int = 1) -> None:
        """Sort by the next column, or with −1 by the one before."""
        if self._is_loaded() and self._maker is not None:
            sorts = self._maker.sorts
            self._sort_by(sorts[(sorts.index(self._maker.sort_of(self._wanted)) + step) % len(sorts)])

    def reverse(self) -> None:
        """Turn the order round."""
        if self._is_loaded():
            self._want(msgspec.structs.replace(self._wanted, descending=not self._wanted.descending), settle=True)

    def jump_to(self, token_id: int) -> None:
        """Put the cursor on a token; a problem is remarked where that cannot be."""
        if self._view is None or self.table.go_to(token_id):
            return
        model, last = visible(self._view.request.model, spaces=False), self._view.total - 1
        if not 0 <= token_id <= last:
            self._remark(f"There is no token {token_id}: ids of {model} go from 0 to {last:,}.")
        elif self._maker is None:
            self._remark(f"Token {token_id} is not among the rows this session holds.")
        else:
            self._remark(f"Token {token_id} does not pass the filter: press / and then Escape to clear it.")

    def record_view(self) -> None:
        """Have the view told as settled, unless the session has it with the row under the cursor."""
        if self._maker is not None and self._view is not None and self._is_news(self._maker, self._view):
            self.run_latest("settle", partial(self._settle, self._maker, self._view, pause=0.0))

    def take_view(self) -> tuple[RankTokens, RankedTokens] | None:
        """What `record_view` would tell, at once: some 10 ms, for what must stand after it in the session."""
        if self._maker is None or self._view is None or not self._is_news(self._maker, self._view):
            return None
        self.workers.cancel_group(self, "settle")
        request, outcome = self._maker.record(self._view, self.table.cursor, self.table.scroll_offset.y)
        self._remember(request, outcome)
        return request, outcome

    def _is_news(self, maker: ViewMaker, view: View) -> bool:
        """Whether the session lacks this view with the row under the cursor."""
        if not maker.is_recordable(view.request):
            return False
        known = self._recorded is not None and maker.is_same_view(view.request, self._recorded)
        return not known or self.table.token_id not in self._recorded_ids

    def toggle_mark(self) -> None:
        """Ask for the token under the cursor to be marked, or unmarked."""
        token_id = self.table.token_id
        if token_id is not None and self._view is not None:
            text, marked = self._view.rows.text(token_id), token_id not in self.selection.marked
            self.ask(MarkToken(model=self._view.request.model, token_id=token_id, text=text, marked=marked))

    def run_default(self) -> None:
        """Read the vocabulary of the selected model."""
        if self.selection.model is not None:
            self.ask(ReadVocabulary(model=self.selection.model.name), record=False)

    def _is_loaded(self) -> bool:
        if self._view is not None and self._maker is None:
            self._remark("These rows are replayed: load the model (m) to sort and filter it.")
        return self._maker is not None

    def _remark(self, problem: str) -> None:
        self.post_message(Remark(problem, problem=True))

    def _sort_by(self, name: str) -> None:
        self._want(msgspec.structs.replace(self._wanted, sort=name), settle=True)

    def row_under_cursor(self) -> TokenRow | None:
        """The token under the cursor this moment, whether or not it has come to rest; None where no row is shown."""
        token_id = self.table.token_id
        return None if self._view is None or token_id is None else self._view.rows.row(token_id)

    # ── what the table and the boxes say ──────────────────────────────────────────────────────────────────

    @on(TokenTable.HeaderClicked)
    def sort_by_heading(self, event: TokenTable.HeaderClicked) -> None:
        """A heading sorts by its column, a second click turns the order round."""
        event.stop()
        if not self._is_loaded() or self._maker is None:
            return
        if event.name == self._maker.sort_of(self._wanted):
            self.reverse()
        elif event.name in self._maker.sorts:
            self._sort_by(event.name)

    @on(TokenTable.RowHighlighted)
    def follow_cursor(self, event: TokenTable.RowHighlighted) -> None:
        """Others are told once the cursor rests."""
        event.stop()
        self.run_latest("rest", partial(self._tell, event.token_id, pause=REST_PAUSE))

    @on(TokenTable.RowOpened)
    def open_token(self, event: TokenTable.RowOpened) -> None:
        """Enter: tell at once."""
        event.stop()
        self.run_latest("rest", partial(self._tell, event.token_id, opened=True))

    async def _tell(self, token_id: int, *, pause: float = 0.0, opened: bool = False) -> None:
        await asyncio.sleep(pause)
        if self._view is not None:
            row = await asyncio.to_thread(self._view.rows.row, token_id)
            self.post_message(TokenSelected(row, opened=opened))

    @on(Input.Changed, "#filter")
    def filter_while_typing(self, event: Input.Changed) -> None:
        """Each pause in the typing filters."""
        event.stop()
        if event.value != self._wanted.filter:
            self._want(msgspec.structs.replace(self._wanted, filter=event.value), pause=FILTER_PAUSE)

    @on(Input.Submitted, "#filter")
    def keep_filter(self, event: Input.Submitted) -> None:
        """The filter stays and keys go back to the table; one that cannot be read keeps the box."""
        event.stop()
        if not event.value.strip():
            self.query_one("#filter", LineInput).close()
        with suppress(FilterError):  # what is wrong with it is shown when it is applied
            parse_filter(event.value, self._maker.columns.indicators if self._maker is not None else ())
            self.focus_table()
        self._want(msgspec.structs.replace(self._wanted, filter=event.value), settle=True)

    @on(LineInput.Left, "#filter")
    def clear_filter(self, event: LineInput.Left) -> None:
        """Escape: every token again."""
        event.stop()
        event.box.close()
        self.focus_table()
        self._want(msgspec.structs.replace(self._wanted, filter="", category=None), settle=True)

    @on(Input.Submitted, "#jump")
    def jump(self, event: Input.Submitted) -> None:
        """Enter in the jump prompt."""
        event.stop()
        self.query_one("#jump", LineInput).close()
        self.focus_table()
        if event.value.strip("+-").isdigit():
            self.jump_to(int(event.value))

    @on(LineInput.Left, "#jump")
    def leave_jump(self, event: LineInput.Left) -> None:
        """Escape in the jump prompt."""
        event.stop()
        event.box.close()
        self.focus_table()
