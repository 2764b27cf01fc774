"""The view of a vocabulary that is on display, and the one that is wanted.

Sorting, filtering and everything else that takes milliseconds runs in a thread; a view that was overtaken
by a newer wish is never shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

import msgspec

from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.base.text import visible
from explorer.tables.filter_terms import TableError
from explorer.tables.table import AddedColumn
from explorer.tui.panes.base import Pane
from explorer.tui.panes.takeaway import Takeaway
from explorer.tui.panes.tokens.exporting import takeaway_of
from explorer.tui.panes.tokens.face import TokenFace
from explorer.tui.panes.tokens.history import Place
from explorer.tui.panes.tokens.recorded import RecordedView
from explorer.tui.panes.tokens.views import View, ViewMaker, replayed
from explorer.tui.shell.guarded import Work, run_guarded
from explorer.tui.shell.messages import ViewSettled, VocabularyOpened

SETTLE_PAUSE = 0.6
"""Seconds without a change before a view counts as settled and goes into the session."""


class ViewKeeper:
    """Makes the views that a `pane` shows in its `face`, and tells those that settle."""

    def __init__(self, pane: Pane, face: TokenFace) -> None:
        self._pane = pane
        self.face = face
        self.maker: ViewMaker | None = None
        """None where no vocabulary is read: before the first, and while a recorded view stands alone."""
        self.view: View | None = None
        self.wanted = RankTokens(model="")
        self.added: dict[str, dict[str, AddedColumn]] = {}
        """Columns that runs over a vocabulary gave, by model."""
        self.sought: Place | None = None
        """The token that the cursor goes to in the next vocabulary, where it is that model's."""
        self._recorded = RecordedView()
        self._opened_again: RankTokens | None = None
        """A recorded view that the user opens again, though it may be the one recorded last."""

    def run_latest(self, group: str, work: Work) -> None:
        """Begin `work`; earlier work of the same group that has not ended is cancelled."""
        run_guarded(self._pane, work, group=group, exclusive=True)

    def cancel(self, group: str) -> None:
        """End the work of a group that is under way."""
        self._pane.workers.cancel_group(self._pane, group)

    def show_nothing(self, text: str) -> None:
        """There is no view; `text` says why."""
        self.view = self.maker = None
        self.face.show_message(text)

    def show_hint(self, text: str) -> None:
        """There is no view yet, or none any more."""
        self.view = self.maker = None
        self.face.show_hint(text)

    def clear(self, text: str) -> None:
        """Forget what was wanted, and all that runs gave."""
        self.wanted, self.added = RankTokens(model=""), {}
        self.face.boxes.show_filter("")
        self.show_hint(text)

    def takeaway(self) -> Takeaway | None:
        """The rows of the view, to be exported."""
        table = self.face.table
        return None if self.view is None else takeaway_of(self.view, table.drawing.added, table.token_id)

    # ── what is wanted ──

    def want(
        self,
        request: RankTokens,
        *,
        pause: float = 0.0,
        settle: bool = False,
        go_to: int | None = None,
        show_from: int | None = None,
    ) -> None:
        """Make a view after `pause`, unless another is wanted before; a late one is never shown. `go_to`: the token
        that the cursor goes to; `show_from`: the place of the first row on the screen."""
        self.wanted = request
        if self.maker is not None:
            self.run_latest("view", partial(self._arrange, self.maker, request, pause, settle, go_to, show_from))

    def set_columns(self, model: str, columns: Mapping[str, AddedColumn]) -> None:
        """Add columns for `model`, or bring those of the same names up to date; they come back with their model."""
        known = self.added.setdefault(model, {})
        known.update(columns)
        if self.maker is not None and self.maker.columns.model == model:
            self.maker.columns.added = known
            self.face.table.set_added(known)
            if self.maker.sort_of(self.wanted) in columns:
                self.want(self.wanted)
        elif self.maker is None and self.view is not None and self.view.request.model == model:
            self.face.table.set_added(known)

    # ── views that come ──

    def open_again(self, request: RankTokens) -> None:
        """The step of this view comes next: it is to be shown, even if it is the one recorded last."""
        self._opened_again = request

    def want_next(self, request: RankTokens) -> None:
        """Sort and filter as in `request` the vocabulary that is opened next."""
        self.cancel("view")
        self.wanted = request
        self.face.boxes.show_filter(request.filter)

    def show_recorded(self, request: RankTokens, outcome: RankedTokens) -> None:
        """Apply a recorded view to the vocabulary, or show it alone."""
        opened_again, self._opened_again = request == self._opened_again, None
        if request == self._recorded.request and not opened_again:
            return  # this pane's own view, on its way into the session
        place = (request.cursor or request.first) - request.first
        cursor = outcome.rows[place].token_id if 0 <= place < len(outcome.rows) else None
        table = self.face.table
        if self.maker is not None and self.maker.columns.model == request.model:
            self.face.boxes.show_filter(request.filter)
            self.want(request, go_to=cursor, show_from=request.first)
            return
        for group in ("view", "rest"):
            self.cancel(group)
        self.maker, self.wanted = None, request
        self.face.boxes.show_filter(request.filter)
        table.forget_cursor()
        table.set_added(self.added.get(request.model, {}))
        self._show(replayed(request, outcome))
        if cursor is not None:
            table.go_to(cursor)
        self._pane.call_after_refresh(table.show_from, request.first)  # it may only just have come into sight

    async def open(self, request: ReadVocabulary, source: VocabularyColumns) -> None:
        """Show a vocabulary, as the last one was sorted and filtered where that can be."""
        try:
            maker = await asyncio.to_thread(ViewMaker, source)
        except TableError as error:
            self.show_nothing(f"✗ {visible(str(error), spaces=False)}")
            return
        maker.columns.added = self.added.get(source.model, {})
        wanted = msgspec.structs.replace(self.wanted, model=source.model, unused_ids=request.unused_ids)
        if wanted.sort not in maker.sorts:
            wanted = msgspec.structs.replace(wanted, sort="")
        problem, marked = "", self._pane.selection.marked
        try:
            view = await asyncio.to_thread(maker.make, wanted, marked)
        except TableError as error:  # a filter on what this model lacks
            problem = str(error)
            view = await asyncio.to_thread(maker.make, RankTokens(model=source.model, unused_ids=request.unused_ids))
        self.cancel("view")
        table = self.face.table
        resumed = self.maker is None and self.view is not None and self.view.request.model == source.model
        if not resumed and (self.maker is None or not self.maker.has_same_token(maker, table.token_id)):
            table.forget_cursor()
        table.set_added(maker.columns.added)
        self.maker, self.wanted = maker, wanted
        self._recorded.begin(view.request)
        self._show(view)
        self._pane.post_message(VocabularyOpened(maker.columns))
        if self.sought is not None and self.sought.model == source.model:
            table.go_to(self.sought.token_id)
        self.sought = None
        self.face.show_problem(problem)
        self.face.boxes.jump_if_sent()
        self.run_latest("warm", partial(_warm, maker))

    async def _arrange(
        self,
        maker: ViewMaker,
        request: RankTokens,
        pause: float,
        settle: bool,
        go_to: int | None,
        show_from: int | None,
    ) -> None:
        await asyncio.sleep(pause)
        try:
            view = await asyncio.to_thread(maker.make, request, self._pane.selection.marked)
        except TableError as error:
            self.face.show_problem(str(error))
            return
        self._show(view)
        if go_to is not None:
            self.face.table.go_to(go_to)
        if show_from is not None:
            self.face.table.show_from(show_from)
        if settle and maker.is_recordable(request):
            self.run_latest("settle", partial(self._settle, maker, view))

    def _show(self, view: View) -> None:
        self.view = view
        self.face.show_view(view)

    # ── views that go into the session ──

    async def _settle(self, maker: ViewMaker, view: View, pause: float = SETTLE_PAUSE) -> None:
        await asyncio.sleep(pause)
        table = self.face.table
        request, outcome = await asyncio.to_thread(maker.record, view, table.cursor, table.scroll_offset.y)
        if not pause or not self._recorded.is_same(maker, request):
            self._recorded.remember(request, outcome)
            self._pane.post_message(ViewSettled(request, outcome))

    def record(self) -> None:
        """Have the view told as settled, unless the session has it with the row under the cursor."""
        if self.maker is not None and self.view is not None and self._is_news(self.maker, self.view):
            self.run_latest("settle", partial(self._settle, self.maker, self.view, pause=0.0))

    def take(self) -> tuple[RankTokens, RankedTokens] | None:
        """What `record` would tell, at once: some 10 ms, for what must stand after it in the session."""
        if self.maker is None or self.view is None or not self._is_news(self.maker, self.view):
            return None
        self.cancel("settle")
        table = self.face.table
        request, outcome = self.maker.record(self.view, table.cursor, table.scroll_offset.y)
        self._recorded.remember(request, outcome)
        return request, outcome

    def _is_news(self, maker: ViewMaker, view: View) -> bool:
        return self._recorded.lacks(maker, view, self.face.table.token_id)


async def _warm(maker: ViewMaker) -> None:
    """Make what the first text filter and the first selected row would wait for. The loop begins each portion: while it
    draws, one at most takes the interpreter from it."""
    portions, is_done = maker.columns.warm(), object()
    while await asyncio.to_thread(next, portions, is_done) is not is_done:
        pass
