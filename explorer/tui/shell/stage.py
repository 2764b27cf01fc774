"""What the live explorer and the replay have in common: the panes, the tabs, the selection, themes and help."""

from __future__ import annotations

import asyncio
import importlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult, SystemCommand
from textual.containers import Horizontal
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from explorer.base.records.unions import AnyRequest, Step
from explorer.base.templates import TEMPLATES
from explorer.base.text import visible
from explorer.settings import Settings
from explorer.tui.panes.base import Pane
from explorer.tui.shell.commands import COMMANDS, Command, bindings
from explorer.tui.shell.messages import ColumnsFound, Remark, Selection
from explorer.tui.shell.signals import end_for_sure, end_on_signals
from explorer.tui.shell.sweeper import PERIOD, begin_sweeping, sweep
from explorer.tui.shell.themed import Themed
from explorer.tui.widgets.guard import ControlGuard
from explorer.tui.widgets.model_bar import ModelBar

if TYPE_CHECKING:
    from textual.widgets import ContentSwitcher, Tabs

    from explorer.tui.panes.session.pane import SessionPane
    from explorer.tui.panes.tokens.pane import TokenPane
    from explorer.tui.shell.openings import Opening

TABS = {
    "tokens": "1 Tokens",
    "repeat": "2 Repeat",
    "logprobs": "3 Logprobs",
    "neighbours": "4 Nearest",
    "session": "5 Session",
    "verdicts": "6 Verdicts",
    "speaking": "7 Speaking",
}
RIGHT = ("repeat", "logprobs", "neighbours", "session", "verdicts", "speaking")
"""Tabs that show a pane of the right column; `tokens` is the left one."""
NARROW = 100
"""Cells of width below which the token table and the panes take turns."""
NEED_NO_PANES = {"quit", "help", "log", "theme", "cancel"}
LONGEST_END = 10.0
"""Seconds that the last steps may take to reach the disk once the terminal is closed."""
ENDED_BY = {"SIGHUP": 129, "SIGTERM": 143}
"""Exit statuses as shells have them: 128 and the signal's number."""


class Stage(Themed):
    """Composes the panes, tells them what is selected, and shows steps in them; knows no engine."""

    TITLE = "glitch-explore"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-wide"), (160, "-huge")]  # noqa: RUF012 (Textual declares it so)
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012
    CSS_PATH = Path(__file__).with_name("explorer.tcss")
    commands: ClassVar[tuple[Command, ...]] = COMMANDS

    def __init__(self, settings: Settings, settings_path: Path | None = None) -> None:
        super().__init__(settings, settings_path)
        self.selection = Selection()
        self.marks: defaultdict[str, set[int]] = defaultdict(set)
        """Marked ids, by model."""
        self._guard = ControlGuard()
        """One and the same: every line keeps what a filter made of it, by that filter."""
        self.is_open = False
        self.panes: list[Pane] = []
        """Every pane, in the order composed; none until they are open."""
        self.is_at_table = True
        self.then: Opening | None = None
        """What the user wants to see next, when this screen has ended."""
        for binding in bindings(settings.keys, self.commands):
            self._bindings.bind(binding.key, binding.action, binding.description, show=binding.show)

    # ── composition ───────────────────────────────────────────────────────────────────────────────────────

    def compose(self) -> ComposeResult:
        yield ModelBar(id="bar")
        yield Static("".join(f" {label} " for label in TABS.values()), id="tabs-to-come", markup=False)
        yield Horizontal(Static("opening …", id="opening", markup=False), id="body")
        yield from self.compose_foot()

    def compose_foot(self) -> Iterable[Widget]:
        """What stands between the panes and the footer."""
        return ()

    async def open_panes(self) -> None:
        """The panes bring NumPy and much else along: imported in a thread, so that no key waits."""
        workspace = await asyncio.to_thread(importlib.import_module, "explorer.tui.shell.workspace")
        await self.query("#opening, #tabs-to-come").remove()
        await self.mount(workspace.tab_row(TABS), after="#bar")
        await self.mount(workspace.Footer())
        await workspace.open_workspace(self.query_one("#body"), (*self.settings.templates, *TEMPLATES))
        self.panes = list(self.query(Pane))
        self.use_themes()
        self.is_open = True
        begin_sweeping()
        self.set_interval(PERIOD, sweep)
        self.select()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Until the panes are open there is nothing to act on."""
        names = {command.name for command in self.commands}
        return self.is_open or action not in names or action in NEED_NO_PANES

    def end_on_signals(self) -> None:
        """A closed terminal and a request to end are taken as the user's `quit`."""

        def end(name: str) -> None:
            self.run_worker(self._end(name), exit_on_error=False)

        end_on_signals(asyncio.get_running_loop(), end)

    async def _end(self, signal_name: str) -> None:
        status = ENDED_BY.get(signal_name, 1)
        end_for_sure(status, LONGEST_END)
        with self.batch_update():  # nothing is drawn: there may be no terminal left to take it
            await self.finish()
        end_for_sure(status, 1.0)
        self.exit(return_code=status)

    async def finish(self) -> None:
        """What must be done before the program ends."""

    async def action_quit(self) -> None:
        """Everything is on disk when this returns; no model is waited for."""
        await self.finish()
        self.exit()

    async def leave_for(self, opening: Opening) -> None:
        """End this screen; `opening` is shown next."""
        self.then = opening
        await self.action_quit()

    # ── looks ─────────────────────────────────────────────────────────────────────────────────────────────

    def get_line_filters(self) -> Sequence[LineFilter]:
        """No control character reaches the terminal, whichever widget drew it."""
        return [*super().get_line_filters(), self._guard]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every command of the table."""
        for command in self.commands:
            action = f"app.{command.name}"
            yield SystemCommand(command.title.capitalize(), command.help, partial(self.run_action, action))

    def action_help(self) -> None:
        from explorer.tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.settings.keys, self.commands))

    # ── panes ─────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def token_pane(self) -> TokenPane:
        """The token table's pane, once the panes are open."""
        return cast("TokenPane", self.screen_stack[0].query_one("#tokens-pane"))

    @property
    def session_pane(self) -> SessionPane:
        """The Session pane, likewise."""
        return cast("SessionPane", self.screen_stack[0].query_one("#session-pane"))

    def select(self, **changes: object) -> None:
        """Change what is selected; every pane is told."""
        self.selection = replace(self.selection, **changes)  # type: ignore[arg-type]
        for pane in self.panes:
            pane.selection = self.selection

    def show_in_panes(self, step: Step) -> None:
        """The one road of every outcome to its panes, live or replayed."""
        for pane in self.panes:
            if isinstance(step.request, pane.handles):
                pane.show(step)

    # ── tabs ──────────────────────────────────────────────────────────────────────────────────────────────

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        """A tab was clicked."""
        if self.is_open:
            self.show_pane(event.tab.id or "tokens")

    def action_show_tokens(self) -> None:
        self.show_tab("tokens")

    def action_show_repeat(self) -> None:
        self.show_tab("repeat")

    def action_show_logprobs(self) -> None:
        self.show_tab("logprobs")

    def action_show_neighbours(self) -> None:
        self.show_tab("neighbours")

    def action_show_session(self) -> None:
        self.show_tab("session")

    def action_show_verdicts(self) -> None:
        self.show_tab("verdicts")

    def action_show_speaking(self) -> None:
        self.show_tab("speaking")

    def show_tab(self, name: str, *, focus: bool = True) -> None:
        """Make a tab the active one."""
        tabs = cast("Tabs", self.query_one("#tabs"))
        with tabs.prevent(tabs.TabActivated):
            tabs.active = name
        self.show_pane(name, focus=focus)

    def show_pane(self, name: str, *, focus: bool = True) -> None:
        """Show what belongs to a tab; on a narrow screen the token table and the panes take turns."""
        self.is_at_table = name == "tokens"
        self._share_room(self.size.width)
        if name in RIGHT:
            cast("ContentSwitcher", self.query_one("#right")).current = f"{name}-pane"
            if focus:
                self.query_one(f"#{name}-pane", Pane).focus_content()
        elif focus:
            self.token_pane.focus_table()

    def on_resize(self, event: events.Resize) -> None:
        self._share_room(event.size.width)

    def _share_room(self, width: int) -> None:
        # Not by a class: that would style all that is inside anew, which takes 40 ms.
        if self.is_open:
            is_narrow = width < NARROW
            self.query_one("#left").display = self.is_at_table or not is_narrow
            self.query_one("#right").display = not (self.is_at_table and is_narrow)

    def tab_of(self, request: AnyRequest) -> str:
        """The tab of the pane that shows such requests; the table's where none does."""
        shown = (name for name in RIGHT if isinstance(request, self.query_one(f"#{name}-pane", Pane).handles))
        return next(shown, "tokens")

    @on(ColumnsFound)
    def show_columns(self, message: ColumnsFound) -> None:
        """A pane knows something of every token: the table has columns for it."""
        self.token_pane.set_columns(message.model, message.columns)

    # ── telling ───────────────────────────────────────────────────────────────────────────────────────────

    @on(Remark)
    def show_remark(self, message: Remark) -> None:
        self.remark(message.text, problem=message.problem)

    def remark(self, text: str, *, problem: bool = False) -> None:
        """One line for the user, never markup."""
        self.notify(
            visible(text, spaces=False),
            severity="error" if problem else "information",
            timeout=10 if problem else 3,
            markup=False,
        )
