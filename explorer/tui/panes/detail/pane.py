"""Everything known of the token under the cursor."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from explorer.base.records.inspect import InspectToken, TokenDetail
from explorer.base.records.plain import to_plain
from explorer.base.records.record import Failure
from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import AnyRequest, Cancelled, Step
from explorer.base.text import visible
from explorer.tui.panes.base import Pane, failure_text
from explorer.tui.panes.detail.lines import detail_lines
from explorer.tui.panes.takeaway import Takeaway
from explorer.tui.shell.messages import Selection
from explorer.tui.shell.replayed import hint_at, is_replayed

_EMPTY = "No token yet. The one under the cursor of the table is shown here; press i to record all of it."
_NOT_RECORDED = "not recorded"


class DetailPane(Pane):
    """The selected token: at once what the table knows, and the rest when the engine has answered.

    A step from a session file is shown as it is, whatever is selected.
    """

    DEFAULT_CSS = """
    DetailPane { height: 1fr; }
    DetailPane > VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    DetailPane > VerticalScroll > Static { height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._row: TokenRow | None = None
        self._detail: TokenDetail | None = None
        self._problem = ""
        """Why the rest is not known; empty: it is awaited, or in a replay not recorded."""
        self._asked: list[InspectToken] = []

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(hint_at(self, _EMPTY), markup=False)

    def on_resize(self) -> None:
        """The lines depend on the room there is."""
        self._draw()

    def run_default(self) -> None:
        """Inspect the selected token and have it recorded."""
        model, token = self.selection.model, self.selection.token
        if model is not None and token is not None:
            self.ask(InspectToken(model=model.name, token_id=token.token_id))

    def watch_selection(self, old: Selection, new: Selection) -> None:
        """Show at once what the table knows of the token; the App asks the engine for the rest."""
        if new.token != old.token or _name(new) != _name(old):
            self._row, self._detail, self._problem = new.token, None, ""
            self.query_one(VerticalScroll).scroll_home(animate=False)
        self._draw()

    def clear(self) -> None:
        self._row, self._detail, self._problem = self.selection.token, None, ""
        self._asked.clear()
        self._draw()

    def takeaway(self) -> Takeaway | None:
        if self._row is None:
            return None
        row: dict[str, object] = to_plain(self._row)
        return Takeaway(f"token {self._row.token_id}", lambda _: [row], row=lambda _: row)

    def show_asked(self, request: AnyRequest) -> None:
        """Remember what was asked live: its answer may come when the user is elsewhere."""
        if isinstance(request, InspectToken):
            self._asked.append(request)

    def show(self, step: Step) -> None:
        """The rest about the token; a late answer about one that was left is dropped, a replayed one is shown."""
        request, outcome = step.request, step.outcome
        if not isinstance(request, InspectToken) or self._is_late(request):
            return
        match outcome:
            case TokenDetail():
                self._row, self._detail = outcome.row, outcome
            case Failure() as failure:
                self._problem = visible(failure_text(failure), spaces=False)
            case Cancelled() if request not in self._asked:  # else it was asked again
                self._problem = "cancelled" if is_replayed(self) else "cancelled: press i to ask again"
        self._draw()

    def _is_late(self, request: InspectToken) -> bool:
        if request not in self._asked:
            return False
        self._asked.remove(request)
        token = self.selection.token
        return token is None or (request.model, request.token_id) != (_name(self.selection), token.token_id)

    def _draw(self) -> None:
        static = self.query_one(Static)
        if self._row is None:
            static.update(Content(self._problem or hint_at(self, _EMPTY)))
            return
        lines = detail_lines(
            self._row,
            self._detail,
            marked=self._row.token_id in self.selection.marked,
            width=self.size.width - 3,
            height=self.size.height,
            awaited=_NOT_RECORDED if is_replayed(self) else "…",
            problem=self._problem,
        )
        static.update(Content("\n").join(lines))


def _name(selection: Selection) -> str | None:
    return selection.model.name if selection.model is not None else None
