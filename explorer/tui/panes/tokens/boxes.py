"""The boxes above the token table that a key opens: the filter, and the token to go to."""

from __future__ import annotations

from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.replayed import is_replayed
from explorer.tui.widgets.line_input import LineInput

FILTER_PAUSE = 0.08
"""Seconds without a keystroke before the filter is applied."""
MOST_KEPT = 100
"""Earlier filters."""
NO_ROWS = "There is no vocabulary yet: the cursor goes there when it is read."


class Wishes(Protocol):
    """Who does what is typed."""

    @property
    def filter(self) -> str:
        """The filter in force, or on its way."""

    @property
    def has_rows(self) -> bool:
        """Whether there are rows to go to."""

    def can_read(self, text: str) -> bool:
        """Whether `text` is a filter, as far as is known."""

    def want_filter(self, text: str, *, pause: float = 0.0, settle: bool = False) -> None:
        """Show the tokens that pass `text`."""

    def want_all(self) -> None:
        """Show every token."""

    def jump_as_written(self, written: str) -> None:
        """Put the cursor on the token with this id or text and close its box, or say what is wrong with that."""

    def say_problem(self, text: str) -> None:
        """Say what is wrong with what is written; empty: nothing is."""

    def focus_table(self) -> None:
        """Keys go to the table."""


class FilterBox(LineInput):
    """Where the filter is typed; the arrows bring the earlier ones back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "go(-1)", "earlier", tooltip="In the filter box: the filter before"),
        Binding("down", "go(1)", "later", tooltip="In the filter box: the next filter, behind the last one the table"),
    ]

    def __init__(self, *, placeholder: str, id: str) -> None:
        super().__init__(placeholder=placeholder, id=id)
        self._past: list[str] = []
        self._at = 0
        """Place among the earlier filters; behind the last one stands what is being written."""
        self._draft = ""

    def keep(self, text: str) -> None:
        """`text` was applied: it is the latest of the earlier filters."""
        if text.strip():
            self._past = [*(each for each in self._past if each != text), text][-MOST_KEPT:]

    def on_focus(self) -> None:
        """What stands in the box is being written now."""
        self._at = len(self._past)

    async def action_go(self, by: int) -> None:
        """Write the earlier (−1) or the later (1) filter into the box."""
        if by > 0 and self._at == len(self._past):
            await self.action_submit()
            return
        if self._at == len(self._past):
            self._draft = self.value
            by -= bool(self._past) and self.value == self._past[-1]  # it stands there already
        self._at = max(0, self._at + by)
        self.value = [*self._past, self._draft][self._at]
        self.cursor_position = len(self.value)


class JumpBox(LineInput):
    """Where the token to go to is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "go", tooltip="Go to the token whose id or text stands in the box that g opens"),
    ]


class ViewBoxes(Guarded, Widget):
    """Both boxes, hidden until they are opened."""

    DEFAULT_CSS = "ViewBoxes { height: auto; layout: vertical; }"

    def __init__(self, wishes: Wishes) -> None:
        super().__init__()
        self._wishes = wishes
        self._filter = FilterBox(
            id="filter", placeholder="text  /regex/  id:1-99  bytes:c2a0  cat:byte  pct:input_norm<2"
        )
        self._jump = JumpBox(id="jump", placeholder='go to an id, or a token\'s text: 907  ·program  "12"')
        self._is_sent = False
        """Whether the user wants to go to what is written there as soon as there are rows."""

    def compose(self) -> ComposeResult:
        yield self._filter
        yield self._jump

    def on_mount(self) -> None:
        """In a replay the filter in force is shown, and cannot be changed."""
        self._filter.can_focus = not is_replayed(self)

    def open_filter(self) -> None:
        """Type into the filter box."""
        self._filter.open()

    def open_jump(self) -> None:
        """Type the id or text of the token to go to."""
        self._jump.open()

    def close_jump(self) -> None:
        """Whoever typed is there."""
        self._jump.close()

    def jump_if_sent(self) -> None:
        """There are rows now: go where the user wanted to go before."""
        if self._is_sent:
            self._is_sent = False
            self._wishes.jump_as_written(self._jump.value)

    def show_filter(self, text: str) -> None:
        """The filter in force stands above the table."""
        with self._filter.prevent(Input.Changed):
            self._filter.value = text
        self._filter.set_class(bool(text), "-open")

    def take_filter(self, text: str) -> None:
        """A filter that was made elsewhere: it stands there as if it had been typed."""
        self.show_filter(text)
        self._filter.keep(text)

    @on(Input.Changed, "#filter")
    def filter_while_typing(self, event: Input.Changed) -> None:
        """Each pause in the typing filters."""
        event.stop()
        if event.value != self._wishes.filter:
            self._wishes.want_filter(event.value, pause=FILTER_PAUSE)

    @on(Input.Submitted, "#filter")
    def keep_filter(self, event: Input.Submitted) -> None:
        """The filter stays and keys go back to the table; one that cannot be read keeps the box."""
        event.stop()
        if not event.value.strip():
            self._filter.close()
        if self._wishes.can_read(event.value):  # else what is wrong with it is shown when it is applied
            self._filter.keep(event.value)
            self._wishes.focus_table()
        self._wishes.want_filter(event.value, settle=True)

    @on(LineInput.Left, "#filter")
    def clear_filter(self, event: LineInput.Left) -> None:
        """Escape: every token again."""
        event.stop()
        event.box.close()
        self._wishes.focus_table()
        self._wishes.want_all()

    @on(Input.Submitted, "#jump")
    def jump(self, event: Input.Submitted) -> None:
        """Enter in the jump prompt, which stays open until there is a token to go to; an empty one closes."""
        event.stop()
        if not event.value.strip():
            self._give_up_jump()
        elif self._wishes.has_rows:
            self._wishes.jump_as_written(event.value)
        else:
            self._is_sent = True
            self._wishes.say_problem(NO_ROWS)

    @on(Input.Changed, "#jump")
    def forget_problem(self, event: Input.Changed) -> None:
        """What was wrong is being corrected."""
        event.stop()
        self._is_sent = False
        self._wishes.say_problem("")

    @on(LineInput.Left, "#jump")
    def leave_jump(self, event: LineInput.Left) -> None:
        """Escape in the jump prompt."""
        event.stop()
        self._give_up_jump()

    def _give_up_jump(self) -> None:
        self._is_sent = False
        self._jump.close()
        self._wishes.say_problem("")
        self._wishes.focus_table()
