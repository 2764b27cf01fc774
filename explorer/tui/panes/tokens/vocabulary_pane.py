"""The pane that keeps a view of a vocabulary on display; `TokenPane` adds the keys and the boxes.

Sorting, filtering and everything else that takes milliseconds runs in a thread; a view that was overtaken
by a newer wish is never shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import AnyPart, AnyRequest, Cancelled, Step
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.base.text import visible
from explorer.tables.table import AddedColumn, TableError
from explorer.tui.panes.base import Pane
from explorer.tui.panes.tokens.table import TokenTable
from explorer.tui.panes.tokens.views import View, ViewMaker, notes_of, replayed, title_of
from explorer.tui.shell.guarded import Work, run_guarded
from explorer.tui.shell.messages import Selection, ViewSettled
from explorer.tui.widgets.line_input import LineInput

SETTLE_PAUSE = 0.6
"""Seconds without a change before a view counts as settled and goes into the session."""

_EMPTY = "No vocabulary yet. Press m to load a model, ] for the next one."


class VocabularyPane(Pane):
    """A title, a table of tokens, and what is told in its place; knows what is shown and what is wanted."""

    pane_title: ClassVar[str] = "Tokens"
    DEFAULT_CSS = """
    VocabularyPane {
        layout: vertical; height: 1fr;
        & > .title { height: 1; text-style: bold; text-overflow: ellipsis; text-wrap: nowrap; }
        & > .rule { height: 1; color: $text-muted; text-overflow: ellipsis; text-wrap: nowrap; }
        & > .problem { height: auto; color: $error; display: none; }
        & > .message { height: 1fr; color: $text-muted; padding: 1 2; }
        & > .problem.-open { display: block; }
    }
    """

    empty_hint: str = _EMPTY
    """What an empty table says."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._maker: ViewMaker | None = None
        self._view: View | None = None
        self._wanted = RankTokens(model="")
        self._added: dict[str, dict[str, AddedColumn]] = {}
        """Columns that runs over a vocabulary gave, by model."""
        self._recorded: RankTokens | None = None
        self._recorded_ids: frozenset[int] = frozenset()
        """Tokens in the window of rows that the session has of this view."""

    def compose(self) -> ComposeResult:
        yield Static(self.pane_title, classes="title", markup=False)
        yield Static("", classes="rule", markup=False)
        yield LineInput(id="filter", placeholder="text  /regex/  id:1-99  bytes:c2a0  cat:byte  pct:input_norm<2")
        yield LineInput(id="jump", placeholder="go to id", type="integer")
        yield Static("", classes="problem", markup=False)
        yield Static(self.empty_hint, classes="message", markup=False)
        table = TokenTable()
        table.display = False
        yield table

    @property
    def table(self) -> TokenTable:
        """The table."""
        return self.query_one(TokenTable)

    def focus_table(self) -> None:
        """Keys go to the table."""
        self.screen.set_focus(self.table)

    def focus_content(self) -> None:
        self.focus_table()

    def set_columns(self, model: str, columns: Mapping[str, AddedColumn]) -> None:
        """Add columns for `model`, or bring those of the same names up to date; they come back with their model."""
        known = self._added.setdefault(model, {})
        known.update(columns)
        if self._maker is not None and self._maker.columns.model == model:
            self._maker.columns.added = known
            self.table.set_added(known)
            if self._maker.sort_of(self._wanted) in columns:
                self._want(self._wanted)
        elif self._maker is None and self._view is not None and self._view.request.model == model:
            self.table.set_added(known)

    def forget_model(self, name: str) -> None:
        self._added.pop(name, None)

    def watch_selection(self, old: Selection, new: Selection) -> None:
        """Ticks follow the marks, and a filter that speaks of them; without a model there is nothing to show."""
        if new.model is None and old.model is not None:
            self._show_message(self.empty_hint)
        if old.marked != new.marked:
            self.table.set_marked(new.marked)
            if "marked" in self._wanted.filter:
                self._want(self._wanted)

    def show_asked(self, request: AnyRequest) -> None:
        """A vocabulary is being read."""
        if isinstance(request, ReadVocabulary):
            self._say_reading(request, "")

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        """How far the reading is."""
        if isinstance(request, ReadVocabulary) and isinstance(part, Progress):
            self._say_reading(request, f" {part.done:,}/{part.total or '?'} {visible(part.what, spaces=False)}")

    def show(self, step: Step) -> None:
        """A vocabulary fills the table; a recorded view is applied to it, or shown alone."""
        match step.request, step.outcome:
            case ReadVocabulary() as request, VocabularyColumns() as outcome:
                if self.selection.model is not None and self.selection.model.name != request.model:
                    return  # the user went on to another model meanwhile
                self.run_latest("open", partial(self._open, request, outcome))
            case RankTokens() as request, RankedTokens() as outcome:
                if request != self._recorded:  # else it is this pane's own view, on its way into the session
                    self._show_recorded(request, outcome)
            case _, Failure(message=message, hint=hint):
                self._show_message(f"✗ {visible(message, spaces=False)}\n\n{visible(hint, spaces=False)}")
            case _, Cancelled():
                self._show_message("Cancelled before the vocabulary was read. Press ] or m to try again.")

    def clear(self) -> None:
        self.workers.cancel_group(self, "rest")
        self._wanted, self._added = RankTokens(model=""), {}
        self._show_filter("")
        self._show_message(self.empty_hint)

    def seek(self, token_id: int) -> None:
        """Put the cursor on a token, now where it is in the view, else when it comes into it."""
        self.table.seek(token_id)

    async def _open(self, request: ReadVocabulary, source: VocabularyColumns) -> None:
        try:
            maker = await asyncio.to_thread(ViewMaker, source)
        except TableError as error:
            self._show_message(f"✗ {visible(str(error), spaces=False)}")
            return
        maker.columns.added = self._added.get(source.model, {})
        wanted = msgspec.structs.replace(self._wanted, model=source.model, unused_ids=request.unused_ids)
        if wanted.sort not in maker.sorts:
            wanted = msgspec.structs.replace(wanted, sort="")
        problem = ""
        try:
            view = await asyncio.to_thread(maker.make, wanted, self.selection.marked)
        except TableError as error:  # a filter on what this model lacks
            problem = str(error)
            view = await asyncio.to_thread(maker.make, RankTokens(model=source.model, unused_ids=request.unused_ids))
        self.workers.cancel_group(self, "view")
        resumed = self._maker is None and self._view is not None and self._view.request.model == source.model
        if not resumed and (self._maker is None or not self._maker.has_same_token(maker, self.table.token_id)):
            self.table.forget_cursor()
        self.table.set_added(maker.columns.added)
        self._maker, self._wanted, self._recorded, self._recorded_ids = maker, wanted, view.request, frozenset()
        self.query_one("#filter", LineInput).can_focus = True
        self._show_view(view)
        self._show_problem(problem)
        self.run_latest("warm", partial(asyncio.to_thread, maker.warm))

    def _show_recorded(self, request: RankTokens, outcome: RankedTokens) -> None:
        place = (request.cursor or request.first) - request.first
        cursor = outcome.rows[place].token_id if 0 <= place < len(outcome.rows) else None
        if self._maker is not None and self._maker.columns.model == request.model:
            self._show_filter(request.filter)
            self._want(request, go_to=cursor)
            return
        for group in ("view", "rest"):
            self.workers.cancel_group(self, group)
        self._maker, self._wanted = None, request
        self._show_filter(request.filter)
        self.table.forget_cursor()
        self.table.set_added(self._added.get(request.model, {}))
        self._show_view(replayed(request, outcome))
        if cursor is not None:
            self.table.go_to(cursor)
        self.call_after_refresh(self.table.show_from, request.first)  # the table may only just have come into sight

    def _show_filter(self, text: str) -> None:
        """The filter in force stands above the table; without the vocabulary behind it nothing can be typed there."""
        box = self.query_one("#filter", LineInput)
        with box.prevent(Input.Changed):
            box.value = text
        box.set_class(bool(text), "-open")
        box.can_focus = self._maker is not None

    def run_latest(self, group: str, work: Work) -> None:
        """Begin `work`; earlier work of the same group that has not ended is cancelled."""
        run_guarded(self, work, group=group, exclusive=True)

    def _want(
        self,
        request: RankTokens,
        *,
        pause: float = 0.0,
        settle: bool = False,
        go_to: int | None = None,
    ) -> None:
        """Make a view after `pause`, unless another is wanted before; a late one is never shown."""
        self._wanted = request
        if self._maker is not None:
            self.run_latest("view", partial(self._arrange, self._maker, request, pause, settle, go_to))

    async def _arrange(
        self, maker: ViewMaker, request: RankTokens, pause: float, settle: bool, go_to: int | None
    ) -> None:
        await asyncio.sleep(pause)
        try:
            view = await asyncio.to_thread(maker.make, request, self.selection.marked)
        except TableError as error:
            self._show_problem(str(error))
            return
        self._show_view(view)
        if go_to is not None:
            self.table.go_to(go_to)
        if settle and maker.is_recordable(request):
            self.run_latest("settle", partial(self._settle, maker, view))

    async def _settle(self, maker: ViewMaker, view: View, pause: float = SETTLE_PAUSE) -> None:
        await asyncio.sleep(pause)
        request, outcome = await asyncio.to_thread(maker.record, view, self.table.cursor, self.table.scroll_offset.y)
        if not pause or self._recorded is None or not maker.is_same_view(request, self._recorded):
            self._remember(request, outcome)
            self.post_message(ViewSettled(request, outcome))

    def _remember(self, request: RankTokens, outcome: RankedTokens) -> None:
        """The session has this view, or is about to."""
        self._recorded, self._recorded_ids = request, frozenset(row.token_id for row in outcome.rows)

    def _show_view(self, view: View) -> None:
        self._view = view
        self.query_one(".message").display = False
        if not self.table.display:
            self.table.display = True
            if self.screen.focused is None:  # what is hidden cannot be focused, and the App asked for it early
                self.focus_table()
        self.table.show_rows(view.rows, sort=view.sort, descending=view.request.descending, lead=view.lead)
        self.query_one(".title", Static).update(Content(title_of(view)))
        notes = " · ".join(part for part in (self.table.legend, *notes_of(view)) if part)
        rule = self.query_one(".rule", Static)
        rule.update(Content(notes))
        rule.tooltip = Content(notes)
        self._show_problem("")

    def _show_problem(self, text: str) -> None:
        problem = self.query_one(".problem", Static)
        problem.update(Content(f"✗ {visible(text, spaces=False)}"))
        problem.set_class(bool(text), "-open")

    def _show_message(self, text: str) -> None:
        self._view = self._maker = None
        self.table.display = False
        self.query_one(".title", Static).update(Content(self.pane_title))
        self.query_one(".rule", Static).update(Content(""))
        message = self.query_one(".message", Static)
        message.update(Content(text))
        message.display = True

    def _say_reading(self, request: ReadVocabulary, progress: str) -> None:
        text = f"reading the vocabulary of {visible(request.model, spaces=False)}…{progress}"
        self.query_one(".title", Static).update(Content(f"Tokens · {text}"))
        self.query_one(".message", Static).update(Content(text))
