"""One-line fields for the options of a request: a choice, a number, and models to tick.

In a text field `enter` posts `Submitted`, which the pane takes for "run"; in any other it does what the field is for
(open the list, tick), as `space` does. `tab` goes to the next field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, OptionList, Select
from textual.widgets._select import SelectCurrent, SelectOverlay

from explorer.base.text import visible
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.replayed import is_replayed
from explorer.tui.widgets.prompt_lines import MUTED
from explorer.tui.widgets.shown_characters import ShowHidden

NO_NAMES = "none can run: press m"
NONE_LOADED = "none was loaded"
"""What is said in the place of models to tick, and that in a replay."""


LEAVE = Binding("escape", "app.command('cancel')", "leave", tooltip="Leave the field; cancel what is running")
"""In a field whose letters are text the last line has to name the key that leads out."""
_CYCLE = "Choose the previous or the next name"
_OPEN = "Open the list of names; in the open list, choose one with enter"
"""What the help says of the keys of a choice."""


class FormError(ValueError):
    """A field holds what cannot be asked; the message says which and what is possible."""


class Submitted(Message):
    """`enter` was pressed in a text field."""


class ChoiceList(SelectOverlay):
    """The open list of a choice. It hears no key while it has no room: Textual would page through lines that it has not
    laid out (KeyError)."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action == "dismiss" or bool(self.scrollable_content_region)


class Choice(Select[str], inherit_bindings=False):
    """One of several names, each shown by its `label`: left and right go through them; enter, space, up or down opens
    the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cycle(-1)", "change", tooltip=_CYCLE),
        Binding("right", "cycle(1)", "change", tooltip=_CYCLE),
        Binding("enter,space,up,down", "open_list", "list", tooltip=_OPEN),
    ]
    DEFAULT_CSS = """
    Choice {
        height: 1;
        & > SelectCurrent Static#label { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        &:focus > SelectCurrent { background: $accent 30%; background-tint: initial; }
        & > SelectOverlay { border: round $accent; min-width: 24; }
    }
    """

    def __init__(
        self, names: Sequence[str], *, value: str, label: Callable[[str], str] = str, id: str | None = None
    ) -> None:
        options = _options(names, label)
        super().__init__(options, value=value, allow_blank=False, compact=True, type_to_search=False, id=id)
        self.names = tuple(names)
        self._label = label

    def compose(self) -> ComposeResult:
        yield SelectCurrent(self.prompt)
        yield ChoiceList(type_to_search=False).data_bind(compact=Select.compact)

    @property
    def chosen(self) -> str:
        """The name chosen."""
        return str(self.value)

    def set_names(self, names: Sequence[str]) -> None:
        """Offer other `names`; what was chosen stays chosen where it is among them."""
        if tuple(names) == self.names:
            return
        kept = self.chosen if self.chosen in names else names[0]
        self.names = tuple(names)
        self.refresh_bindings()
        with self.prevent(Select.Changed):
            self.set_options(_options(names, self._label))
            self.value = kept

    def choose(self, name: str) -> None:
        """Show `name` as chosen, without a message."""
        with self.prevent(Select.Changed):
            self.value = name

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One name alone cannot be changed."""
        return len(self.names) > 1 if action == "cycle" else super().check_action(action, parameters)

    def action_cycle(self, step: int) -> None:
        """Choose the name `step` places on, going round at the ends."""
        self.value = self.names[(self.names.index(self.chosen) + step) % len(self.names)]

    def action_open_list(self) -> None:
        """Open the list; in the open list, choose what is under its cursor."""
        if self.expanded:
            self.query_one(OptionList).action_select()
        else:
            self.action_show_overlay()


def _options(names: Sequence[str], label: Callable[[str], str]) -> list[tuple[Content, str]]:
    return [(Content(visible(label(name), spaces=False)), name) for name in names]


class Field(Guarded, Input):
    """A short text or number on one line without a border."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "submit", "run"), LEAVE]
    DEFAULT_CSS = """
    Field {
        border: none;
        height: 1;
        padding: 0;
        background: $surface;
        &:focus { border: none; background: $accent 30%; }
    }
    """

    def __init__(
        self, value: str = "", *, restrict: str | None = None, placeholder: str = "", id: str | None = None
    ) -> None:
        look = ShowHidden()
        super().__init__(value, restrict=restrict, placeholder=placeholder, highlighter=look, compact=True, id=id)
        self.cursor_blink = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a replay nothing can be run."""
        return not (action == "submit" and is_replayed(self))

    async def action_submit(self) -> None:
        """Run."""
        self.post_message(Submitted())


class Ticks(Guarded, Widget, can_focus=True):
    """Names in a row, each ticked or not: left and right go between them; x, enter, space or a click ticks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "previous", show=False),
        Binding("right", "move(1)", "next", show=False),
        Binding("x,enter,space", "tick", "tick"),
    ]
    DEFAULT_CSS = """
    Ticks { height: auto; width: 1fr; }
    """

    class Changed(Message):
        """Something was ticked or unticked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names: tuple[str, ...] = ()
        self._off: set[str] = set()
        self._empty = NO_NAMES
        self._at = 0
        self._layouts: LRUCache[int, list[list[int]]] = LRUCache(4)

    @property
    def ticked(self) -> tuple[str, ...]:
        """The names that are ticked, in order."""
        return tuple(name for name in self._names if name not in self._off)

    def set_names(self, names: Sequence[str], *, empty: str = "") -> None:
        """Offer `names`; new ones begin ticked, and one that comes back is as it was left. `empty`: what is said
        where there are none."""
        said = empty or NO_NAMES
        if (tuple(names), said) != (self._names, self._empty):
            self._names, self._empty = tuple(names), said
            self._at = min(self._at, max(0, len(names) - 1))
            self._layouts.clear()
            self.refresh(layout=True)
            self.refresh_bindings()

    def untick(self, names: Collection[str]) -> None:
        """Tick all but `names`, those that are offered later among them."""
        self._off = set(names)
        self._layouts.clear()
        self.refresh(layout=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without names nothing is ticked."""
        return bool(self._names) if action in ("move", "tick") else super().check_action(action, parameters)

    def action_move(self, step: int) -> None:
        """Go `step` names on."""
        self._at = (self._at + step) % len(self._names)
        self.refresh()

    def action_tick(self) -> None:
        """Tick or untick the name under the cursor."""
        self._off ^= {self._names[self._at]}
        self.refresh()
        self.post_message(self.Changed())

    def on_click(self, event: events.Click) -> None:
        x, y = event.get_content_offset_capture(self)
        for row, indices in enumerate(self._rows(self.content_size.width)):
            left = 0
            for index in indices:
                right = left + self._label(index).cell_length + 2
                if row == y and left <= x < right:
                    self._at = index
                    self.action_tick()
                    return
                left = right

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._rows(width)))

    def render(self) -> Content:
        if not self._names:
            return Content.styled(NONE_LOADED if is_replayed(self) else self._empty, MUTED)
        rows = [Content("  ").join(self._label(index) for index in row) for row in self._rows(self.content_size.width)]
        return Content("\n").join(rows)

    def _rows(self, width: int) -> list[list[int]]:
        """Which names stand on which line of `width` cells."""
        if (cached := self._layouts.get(width)) is not None:
            return cached
        rows: list[list[int]] = []
        left = width + 1
        for index in range(len(self._names)):
            cells = self._label(index).cell_length
            if left + cells > width:
                rows.append([])
                left = 0
            rows[-1].append(index)
            left += cells + 2
        self._layouts[width] = rows
        return rows

    def _label(self, index: int) -> Content:
        name = self._names[index]
        on = name not in self._off
        label = Content(f"[{'x' if on else ' '}] {visible(name, spaces=False)}")
        if self.has_focus and index == self._at:
            return label.stylize("reverse")
        return label if on else label.stylize(MUTED)
