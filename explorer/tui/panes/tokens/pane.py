"""The token table with its keys, filter box and jump prompt: what the user walks through."""

from __future__ import annotations

import asyncio
from functools import partial

from textual import on
from textual.app import ComposeResult

from explorer.base.records.notes import MarkToken
from explorer.base.records.record import Failure, Progress
from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import AnyPart, AnyRequest, Cancelled, Step
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.base.text import visible
from explorer.tui.panes.base import Pane
from explorer.tui.panes.tokens.commands import ViewCommands
from explorer.tui.panes.tokens.table import TokenTable
from explorer.tui.shell.messages import Selection, TokenSelected

REST_PAUSE = 0.06
"""Seconds the cursor stays on a token before the other panes follow it."""
_EMPTY = "No vocabulary yet. Press m to load a model, ] for the next one."


class TokenPane(Pane):
    """The vocabulary of one model, sorted and filtered; posts `TokenSelected` and `ViewSettled`."""

    DEFAULT_CSS = """
    TokenPane {
        layout: vertical; height: 1fr;
        & > .title { text-style: bold; }
        & > .rule { height: auto; max-height: 3; min-height: 1; color: $text-muted; }
        & > .problem { height: auto; color: $error; display: none; }
        & > .message { height: 1fr; color: $text-muted; padding: 1 2; }
        & > .problem.-open { display: block; }
    }
    """

    empty_hint: str = _EMPTY
    """What an empty table says."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.commands = ViewCommands(self)
        self.views = self.commands.views
        self.takeaway = self.views.takeaway

    def compose(self) -> ComposeResult:
        yield from self.views.face.widgets(self.selection.loading or self.empty_hint)

    @property
    def table(self) -> TokenTable:
        """The table."""
        return self.views.face.table

    # ── what the App calls ────────────────────────────────────────────────────────────────────────────────

    def focus_content(self) -> None:
        self.views.face.focus_table()

    def seek(self, token: TokenRow) -> None:
        """Put the cursor on a token, now where it is in the view, else when it comes into it; till then it is named."""
        if not self.table.go_to(token.token_id):
            self.table.wait_for(token.token_id)
            self.views.face.say_absent(token)

    def toggle_mark(self) -> None:
        """Ask for the token under the cursor to be marked, or unmarked."""
        row, view = self.row_under_cursor(), self.views.view
        if row is not None and view is not None:
            marked = row.token_id not in self.selection.marked
            told = row.token_bytes if "\ufffd" in row.text else ""
            model = view.request.model
            self.ask(MarkToken(model=model, token_id=row.token_id, text=row.text, token_bytes=told, marked=marked))

    def row_under_cursor(self) -> TokenRow | None:
        """The token under the cursor this moment, whether or not it has come to rest; None where no row is shown."""
        token_id, view = self.table.token_id, self.views.view
        return None if view is None or token_id is None else view.rows.row(token_id)

    @property
    def has_row(self) -> bool:
        """Whether there is a token under the cursor."""
        return self.views.view is not None and self.table.token_id is not None

    def run_default(self) -> None:
        """Read the vocabulary of the selected model."""
        if self.selection.model is not None:
            self.ask(ReadVocabulary(model=self.selection.model.name), record=False)

    # ── what comes ────────────────────────────────────────────────────────────────────────────────────────

    def watch_selection(self, old: Selection, new: Selection) -> None:
        """Ticks follow the marks, and a filter that speaks of them; without a model there is nothing to show."""
        hint = new.loading or self.empty_hint
        if new.model is None and old.model is not None:
            self.views.show_hint(hint)
        self.views.face.change_hint(hint)
        if old.marked != new.marked:
            self.table.set_marked(new.marked)
            if "marked" in self.views.wanted.filter:
                self.views.want(self.views.wanted)

    def show_asked(self, request: AnyRequest) -> None:
        """A vocabulary is being read."""
        if isinstance(request, ReadVocabulary):
            self.views.face.say_reading(request.model, "")

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        """How far the reading is."""
        if isinstance(request, ReadVocabulary) and isinstance(part, Progress):
            done = f" {part.done:,}/{part.total or '?'} {visible(part.what, spaces=False)}"
            self.views.face.say_reading(request.model, done)

    def show(self, step: Step) -> None:
        """A vocabulary fills the table; a recorded view is applied to it, or shown alone."""
        match step.request, step.outcome:
            case ReadVocabulary() as request, VocabularyColumns() as outcome:
                if self.selection.model is not None and self.selection.model.name != request.model:
                    return  # the user went on to another model meanwhile
                self.views.run_latest("open", partial(self.views.open, request, outcome))
            case RankTokens() as request, RankedTokens() as outcome:
                self.views.show_recorded(request, outcome)
            case _, Failure(message=message, hint=hint):
                self.views.show_nothing(f"✗ {visible(message, spaces=False)}\n\n{visible(hint, spaces=False)}")
            case _, Cancelled():
                self.views.show_nothing("Cancelled before the vocabulary was read. Press ] or m to try again.")

    def clear(self) -> None:
        self.views.cancel("rest")
        self.views.clear(self.selection.loading or self.empty_hint)

    def forget_model(self, name: str) -> None:
        self.views.added.pop(name, None)

    # ── what the table says ───────────────────────────────────────────────────────────────────────────────

    @on(TokenTable.HeaderClicked)
    def sort_by_heading(self, event: TokenTable.HeaderClicked) -> None:
        """A heading sorts by its column, a second click turns the order round."""
        event.stop()
        self.commands.sort_by_heading(event.name)

    @on(TokenTable.RowHighlighted)
    def follow_cursor(self, event: TokenTable.RowHighlighted) -> None:
        """Others are told once the cursor rests."""
        event.stop()
        if event.token_id == self.table.token_id:  # else the cursor has left it since
            self.views.face.say_absent(None)
            self.views.run_latest("rest", partial(self._tell, event.token_id, pause=REST_PAUSE))

    @on(TokenTable.RowOpened)
    def open_token(self, event: TokenTable.RowOpened) -> None:
        """Enter: tell at once."""
        event.stop()
        self.views.run_latest("rest", partial(self._tell, event.token_id, opened=True))

    async def _tell(self, token_id: int, *, pause: float = 0.0, opened: bool = False) -> None:
        await asyncio.sleep(pause)
        if self.views.view is not None:
            row = await asyncio.to_thread(self.views.view.rows.row, token_id)
            self.post_message(TokenSelected(row, opened=opened))
