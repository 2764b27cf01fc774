"""What the live explorer and the replay have in common: an App that owns its workspace, its looks and its ending."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.actions import SkipAction
from textual.app import App, ComposeResult, SystemCommand
from textual.containers import Horizontal
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from explorer.base.text import show_native
from explorer.settings import Settings
from explorer.tui.shell.anchoring import anchoring
from explorer.tui.shell.clipboard import SystemClipboard
from explorer.tui.shell.commands import COMMANDS, TABS, Command
from explorer.tui.shell.copying import Copying
from explorer.tui.shell.dispatcher import Act, Dispatcher
from explorer.tui.shell.ending import Ending
from explorer.tui.shell.exporting import Exports
from explorer.tui.shell.guarded import Guarded, is_look_up, prevents_drawing
from explorer.tui.shell.looks import Looks, ramp_defaults
from explorer.tui.shell.messages import ColumnsFound, Remark, Selection
from explorer.tui.shell.notices import Notices
from explorer.tui.shell.palette import offer_columns, offer_looks, offer_plot, show_palette
from explorer.tui.shell.room import NARROW
from explorer.tui.shell.workspace import Workspace
from explorer.tui.widgets.guard import ControlGuard
from explorer.tui.widgets.model_bar import ModelBar

if TYPE_CHECKING:
    from textual.widgets import Tabs


class GuardedScreen(Guarded, Screen[None]):
    """The screen with the panes: an error while it is handled does not end it."""

    AUTO_FOCUS = ""  # the first widget that takes keys is a hidden box

    def action_copy_text(self) -> None:
        """Copy what is selected with the mouse (ctrl+c)."""
        if not cast("Stage", self.app).copying.copy_selected():
            raise SkipAction

    def key_escape(self, event: events.Key) -> None:
        """Have nothing selected any more; where nothing is, the key is the command that it stands for."""
        if cast("Stage", self.app).copying.deselect():
            event.stop()


class Stage(Guarded, App[None]):
    """Composes the screen, tells the panes what is selected, and hands keys on; knows no engine."""

    TITLE = "glitch-explore"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-wide"), (160, "-huge")]  # noqa: RUF012 (Textual declares it so)
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012
    CSS_PATH = Path(__file__).with_name("explorer.tcss")
    commands: ClassVar[tuple[Command, ...]] = COMMANDS
    action_command_palette = show_palette
    ask_of_token: Callable[[str], None] | None = None
    """Asks what a tab's command asks; None: nothing can be asked."""

    def __init__(self, settings: Settings, settings_path: Path | None = None) -> None:
        super().__init__()
        self.driver_class = anchoring(self.driver_class)
        self.settings = settings
        show_native(settings.native_text)
        self.selection = Selection()
        self.marks: defaultdict[str, set[int]] = defaultdict(set)
        """Marked ids, by model."""
        self.is_open = False
        """Whether every command can be carried out: the panes are there, with what they show at first."""
        self.is_painted = False
        """Whether there is a screen that can show a notice."""
        self.notices = Notices(self)
        self.clipboard_here = SystemClipboard(self)
        self.copying = Copying(self)
        self.exports = Exports(self)
        self.workspace = Workspace(self, TABS)
        self.ending = Ending(self, self.finish)
        self.looks = Looks(self, settings, settings_path, self.notices.remark)
        self.looks.use_chosen()
        self.dispatcher = Dispatcher(self, settings.keys, super().on_event)
        self.dispatcher.offers += [partial(offer, self) for offer in (offer_columns, offer_looks, offer_plot)]
        acts: dict[str, Act] = {
            "theme": self.looks.show_next,
            "defect": self.notices.show_last_defect,
            "quit": self.ending.quit,
        }
        acts |= self.copying.acts | {"export": self.exports.open_shown}
        self.dispatcher.add(self.commands, acts | self.workspace.acts)
        self._control_guard = ControlGuard()  # one and the same: every line keeps what it made of the line

    def get_default_screen(self) -> Screen[None]:
        return GuardedScreen(id="_default")

    def compose(self) -> ComposeResult:
        yield ModelBar(id="bar")
        yield Static(
            "".join(f" {label} " for label in self.workspace.labels().values()), id="tabs-to-come", markup=False
        )
        yield Horizontal(Static("opening …", id="opening", markup=False), id="body")
        yield from self.compose_foot()

    def compose_foot(self) -> Iterable[Widget]:
        """What stands between the panes and the footer."""
        return ()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """No control character reaches the terminal, whichever widget drew it."""
        return [*super().get_line_filters(), self._control_guard]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return ramp_defaults()

    async def finish(self) -> None:
        """What must be done before the program ends."""

    async def action_quit(self) -> None:
        await self.ending.quit()

    async def action_command(self, name: str) -> None:
        """Carry out a command."""
        await self.dispatcher.carry_out(name)

    async def on_event(self, event: events.Event) -> None:
        if not self.dispatcher.keeps(event, is_open=self.is_open):
            await super().on_event(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.dispatcher.is_ready(action, parameters, is_open=self.is_open)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        return self.dispatcher.palette()

    def copy_to_clipboard(self, text: str) -> None:
        """Through the terminal, and into the clipboard of this machine's desktop where there is one."""
        super().copy_to_clipboard(text)
        self.clipboard_here.put(text)

    def select(self, **changes: object) -> None:
        """Change what is selected; every pane is told."""
        self.selection = replace(self.selection, **changes)  # type: ignore[arg-type]
        self.workspace.tell(self.selection)

    @on(ColumnsFound)
    def show_columns(self, message: ColumnsFound) -> None:
        """A pane knows something of every token: the table has columns for it."""
        self.workspace.token_pane.views.set_columns(message.model, message.columns)

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        """A tab was clicked."""
        if self.is_open:
            self.workspace.show_tab(event.tab.id or "tokens")

    def on_resize(self, event: events.Resize) -> None:
        self.call_later(self.workspace.fit_window)  # Textual keeps the new size after this

    def _handle_exception(self, error: Exception) -> None:
        """An unexpected error is told and the program continues; where no notice could be seen, it ends."""
        if self.is_painted and self._running and not prevents_drawing(error):
            self.notices.report(error)
        elif not (self._exit and is_look_up(error)):  # at its end the program takes the widgets away
            super()._handle_exception(error)

    @on(Remark)
    def show_remark(self, message: Remark) -> None:
        self.remark(message.text, problem=message.problem)

    def remark(self, text: str, *, problem: bool = False) -> None:
        """One line for the user."""
        self.notices.remark(text, problem=problem)
