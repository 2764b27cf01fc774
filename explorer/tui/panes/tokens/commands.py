"""What the user wishes of the token table, by keys, boxes and headings, and why a wish cannot be met."""

from __future__ import annotations

import asyncio
import re
from functools import partial

import msgspec

from explorer.base.text import visible
from explorer.tables.filter_terms import FilterError
from explorer.tables.filters import parse_filter
from explorer.tables.find_tokens import find_tokens, say_which
from explorer.tui.panes.base import Pane
from explorer.tui.panes.tokens.boxes import ViewBoxes
from explorer.tui.panes.tokens.face import TokenFace
from explorer.tui.panes.tokens.history import Place, TokenHistory
from explorer.tui.panes.tokens.keeper import ViewKeeper
from explorer.tui.panes.tokens.views import ViewMaker
from explorer.tui.shell.messages import Remark

NO_MATCH = "No token passes the filter: esc in the table clears it."
_ID = re.compile(r"\s*[0-9]{1,18}\s*")


class ViewCommands:
    """Turns each wish into the view that the `views` of a `pane` are asked for."""

    def __init__(self, pane: Pane) -> None:
        self._pane = pane
        self.views = ViewKeeper(pane, TokenFace(ViewBoxes(self)))
        self.history = TokenHistory()

    # ── keys and headings ──

    def open_filter(self) -> None:
        """Type into the filter box; without a vocabulary the filter is for the one that comes."""
        self.views.face.boxes.open_filter()
        if self.views.maker is None:
            self._remark(f"{self._why_empty} The filter is for the next one.")

    def open_jump(self) -> None:
        """Type the id or text of the token to go to."""
        self.views.face.boxes.open_jump()
        if not self.has_rows:
            self._remark(self._why_empty)

    def sort_next(self, step: int = 1) -> None:
        """Sort by the next column, or with −1 by the one before."""
        maker = self.views.maker
        if self._is_loaded() and maker is not None:
            self.sort_by(maker.sorts[(maker.sorts.index(self._sort) + step) % len(maker.sorts)])

    def sort_by(self, name: str) -> None:
        """Sort by a column."""
        self.views.want(msgspec.structs.replace(self.views.wanted, sort=name), settle=True)

    def sort_by_heading(self, name: str) -> None:
        """Sort by the column of a heading; by the one that it is sorted by already, turn the order round."""
        maker = self.views.maker
        if not self._is_loaded() or maker is None:
            return
        if name == self._sort:
            self.reverse()
        elif name in maker.sorts:
            self.sort_by(name)

    def reverse(self) -> None:
        """Turn the order round."""
        if self._is_loaded():
            wanted = self.views.wanted
            self.views.want(msgspec.structs.replace(wanted, descending=not wanted.descending), settle=True)

    def jump_to(self, token_id: int) -> None:
        """Put the cursor on a token; a problem is remarked where that cannot be."""
        if problem := self._try_jump(token_id):
            self._remark(problem)

    def _try_jump(self, token_id: int) -> str:
        """Put the cursor on a token, for the history too; why that cannot be, else nothing."""
        before = self.here
        problem = self.go_to(token_id)
        if not problem and before is not None:
            self.history.note(before, Place(before.model, token_id))
        return problem

    @property
    def here(self) -> Place | None:
        """The token under the cursor."""
        view, token_id = self.views.view, self.views.face.table.token_id
        return None if view is None or token_id is None else Place(view.request.model, token_id)

    def go_to(self, token_id: int) -> str:
        """Put the cursor on a token; why that cannot be, else nothing."""
        view = self.views.view
        if view is None or self.views.face.table.go_to(token_id):
            return ""
        model, last = visible(view.request.model, spaces=False), view.total - 1
        if not 0 <= token_id <= last:
            return f"There is no token {token_id}: ids of {model} go from 0 to {last:,}."
        if self.views.maker is None:
            return f"Token {token_id} is not among the rows this session holds."
        return f"Token {token_id} does not pass the filter: esc in the table clears it."

    def jump_as_written(self, written: str) -> None:
        """Put the cursor on the token with this id or text; the box stays, with the reason, where that cannot be."""
        maker = self.views.maker
        if _ID.fullmatch(written):
            self._end_jump(self._try_jump(int(written)))
        elif maker is None:
            self.say_problem("These rows are replayed, so only ids are known: load the model (m) to go to a text.")
        else:
            self.views.run_latest("jump", partial(self._jump_to_text, maker, written))

    async def _jump_to_text(self, maker: ViewMaker, written: str) -> None:
        quoted = len(written) > 2 and written[0] == written[-1] == '"'
        text = written[1:-1] if quoted else written
        found = await asyncio.to_thread(find_tokens, maker.columns, text)
        self._end_jump(self._try_jump(found[0]) if len(found) == 1 else say_which(maker.columns, text, found))

    def _end_jump(self, problem: str) -> None:
        self.say_problem(problem)
        if not problem:
            self.views.face.boxes.close_jump()
            self.focus_table()

    @property
    def sorts(self) -> tuple[str, ...]:
        """The columns that the table can be sorted by now."""
        return self.views.maker.sorts if self.views.maker is not None else ()

    @property
    def _sort(self) -> str:
        """The column that the view wanted is sorted by."""
        maker = self.views.maker
        return "" if maker is None else maker.sort_of(self.views.wanted)

    def _is_loaded(self) -> bool:
        if self.views.maker is None:
            self._remark(self._why_empty)
        return self.views.maker is not None

    @property
    def _why_empty(self) -> str:
        """Why there is no vocabulary to sort and filter."""
        loading, model = self._pane.selection.loading, self._pane.selection.model
        if not loading and self.has_rows:
            return "These rows are recorded: load the model (m) to sort and filter it."
        if not loading and model is not None:
            return f"The vocabulary of {visible(model.name, spaces=False)} is not read yet."
        return f"No vocabulary is read yet: {loading}" if loading else "No vocabulary is read: m loads a model."

    @property
    def why_no_token(self) -> str:
        """Why there is no token under the cursor."""
        view = self.views.view
        if view is None:
            return self._why_empty
        return "Select a token first: press 1 for the table." if len(view.rows) else NO_MATCH

    def _remark(self, problem: str) -> None:
        self._pane.post_message(Remark(problem, problem=True))

    # ── boxes ──

    @property
    def filter(self) -> str:
        """The filter in force, or on its way."""
        return self.views.wanted.filter

    @property
    def has_rows(self) -> bool:
        """Whether there are rows to go to."""
        return self.views.view is not None

    def can_read(self, text: str) -> bool:
        """Whether `text` is a filter; without a vocabulary nobody knows what it may compare."""
        if self.views.maker is None:
            return True
        try:
            parse_filter(text, tuple(self.views.maker.columns.comparable))
        except FilterError:
            return False
        return True

    def show_part(self, text: str) -> None:
        """Show the tokens that pass `text`, with the filter in its box."""
        self.views.face.boxes.take_filter(text)
        self.want_filter(text, settle=True)

    def want_filter(self, text: str, *, pause: float = 0.0, settle: bool = False) -> None:
        """Show the tokens that pass `text`."""
        self.views.want(msgspec.structs.replace(self.views.wanted, filter=text), pause=pause, settle=settle)

    def want_all(self) -> None:
        """Show every token."""
        self.views.want(msgspec.structs.replace(self.views.wanted, filter="", category=None), settle=True)

    def clear_filter(self) -> bool:
        """Show every token again; False where all are shown."""
        wanted = self.views.wanted
        if self.views.maker is None or not (wanted.filter.strip() or wanted.category):
            return False
        self.views.face.boxes.show_filter("")
        self.want_all()
        return True

    def say_problem(self, text: str) -> None:
        """Say above the table what is wrong; empty: nothing is."""
        self.views.face.show_problem(text)

    def focus_table(self) -> None:
        """Keys go to the table."""
        self.views.face.focus_table()
