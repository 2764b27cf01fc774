"""The tabs and their panes: which there are, which is shown, and which pane shows a step."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.app import App
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from explorer.base.records.record import Request
from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import AnyPart, AnyRequest, Step
from explorer.settings import Settings
from explorer.specs.registry import resolve
from explorer.specs.spec import Tab
from explorer.tui.panes.base import Pane
from explorer.tui.shell.dispatcher import Act, show_acts
from explorer.tui.shell.focus import FocusShown
from explorer.tui.shell.messages import Selection
from explorer.tui.shell.room import Room
from explorer.tui.shell.tabs import pane_titles, tab_labels, tab_name_of
from explorer.tui.widgets.fitted_line import FittedLine
from explorer.tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.widgets import ContentSwitcher

    from explorer.tui.panes.session.pane import SessionPane
    from explorer.tui.panes.tokens.pane import TokenPane


class Workspace:
    """A left column (token table and details) and a right one that shows the pane of one tab at a time."""

    def __init__(self, app: App[Any], tabs: Sequence[Tab]) -> None:
        self._app = app
        self.tabs = tuple(tabs)
        self.panes: list[Pane] = []
        """Every pane, in the order composed; none until they are open."""
        self.room = Room(app)
        self.focus = FocusShown(app, self.room)
        self._selection = Selection()

    @property
    def acts(self) -> dict[str, Act]:
        """What the commands do that show a tab or divide the window."""
        room = self.room
        divide: dict[str, Act] = {"grow": partial(room.grow, 1), "shrink": partial(room.grow, -1)}
        return show_acts(self.tabs, self.show_tab) | divide | {"zoom": room.toggle_zoom}

    def labels(self) -> Mapping[str, str]:
        """What stands in the row of tabs, by name."""
        return tab_labels(self.tabs, self._app.size.width)

    # ── opening ──

    def add_tabs(self, tabs: Iterable[Tab]) -> tuple[Tab, ...]:
        """Show these tabs too, before the panes are open; those that were not known."""
        added = tuple(tab for tab in tabs if tab not in self.tabs)
        self.tabs = (*self.tabs, *added)
        return added

    async def open(self, settings: Settings, selection: Selection) -> None:
        """Mount the panes, with `selection` to begin with. They bring NumPy and much else along: imported in a thread,
        so that no key waits."""
        classes = await asyncio.to_thread(self._import_panes)
        from textual.widgets import Tab, Tabs

        row = Tabs(*(Tab(Content(label), id=name) for name, label in self.labels().items()), id="tabs")
        screen = self._app.default_screen  # not the one with the keys: that may be a box by now
        await screen.query("#opening, #tabs-to-come").remove()
        await screen.mount(row, after="#bar")
        await screen.mount(KeyLine())
        panes = [kind.made_for(settings, id=pane_id(tab.name)) for tab, kind in zip(self.tabs, classes, strict=True)]
        for pane in panes:
            pane.set_reactive(Pane.selection, selection)
        await self._mount_panes(screen.query_one("#body"), panes)
        self.panes = list(screen.query(Pane))
        self._show_right(next(tab for tab in self.tabs if tab.side == "right"))
        self.focus.begin()

    def _import_panes(self) -> list[type[Pane]]:
        import textual.widgets

        _ = textual.widgets.Tabs, textual.widgets.ContentSwitcher  # imported at first use
        return [resolve(tab.pane) for tab in self.tabs]

    async def _mount_panes(self, body: Widget, panes: Sequence[Pane]) -> None:
        """One pane at a time: keys are heard between two of them, and styling them all at once takes 60 ms."""
        from textual.widgets import ContentSwitcher

        left, right = Vertical(id="left"), ContentSwitcher(id="right")
        side = Vertical(FittedLine(id="right-title", classes="pane-title"), right, id="right-side")
        await body.mount(left, side)
        for tab, pane in zip(self.tabs, panes, strict=True):
            if tab.side == "right":
                await right.add_content(pane, set_current=right.current is None)
            elif tab.number:
                await left.mount(pane)
            else:
                await left.mount(FittedLine(tab.title, id=f"{tab.name}-title", classes="pane-title"), pane)

    @property
    def is_open(self) -> bool:
        """Whether the panes are there."""
        return bool(self.panes)

    # ── panes ──

    def pane(self, name: str) -> Pane:
        """The pane of a tab."""
        return cast("Pane", self._app.default_screen.query_one(f"#{pane_id(name)}"))

    @property
    def token_pane(self) -> TokenPane:
        """The token table's pane, once the panes are open."""
        return cast("TokenPane", self.pane("tokens"))

    @property
    def session_pane(self) -> SessionPane:
        """The Session pane, likewise."""
        return cast("SessionPane", self.pane("session"))

    def panes_for(self, request: Request) -> Iterator[Pane]:
        """The pane that shows the outcomes of such requests, if there is one."""
        name = tab_name_of(request)
        return (pane for pane in self.panes if pane.id == pane_id(name))

    def tab_of(self, request: Request) -> str:
        """The tab of the right column that shows such requests; the table's where none does."""
        name = tab_name_of(request)
        return next((tab.name for tab in self.tabs if tab.name == name and tab.side == "right"), "tokens")

    def show_step(self, step: Step) -> None:
        """The one road of every outcome to its panes, live or replayed."""
        for pane in self.panes_for(step.request):
            pane.show(step)
        self.overhear(step)

    def overhear(self, step: Step) -> None:
        """Tell every pane of a step that it may show beside something else."""
        for pane in self.panes:
            pane.overhear(step)

    def show_asked(self, request: AnyRequest) -> None:
        """A request was sent to the engine."""
        for pane in self.panes_for(request):
            pane.show_asked(request)

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        """A part of its answer came."""
        for pane in self.panes_for(request):
            pane.show_part(request, part)

    # ── what panes speak of ──

    def tell(self, selection: Selection) -> None:
        """Tell every pane what is selected."""
        for pane in self.panes:
            pane.selection = selection
        self.look_at(selection)

    def look_at(self, selection: Selection) -> None:
        """The user looks at this, and panes may speak of something else (in a replay, of their last step)."""
        self._selection = selection
        self._name_subjects()

    def give_subject(self, request: AnyRequest, model: str, token: TokenRow) -> None:
        """Have the pane of such requests speak of another token than the selected one, until one is selected."""
        for pane in self.panes_for(request):
            info = next((info for info in pane.selection.roster.models if info.name == model), pane.selection.model)
            pane.selection = replace(pane.selection, model=info, token=token)
        self._name_subjects()

    def _name_subjects(self) -> None:
        """Say in the titles where a pane speaks of another token than the one selected in the table."""
        if not self.is_open:
            return
        for name, selector in (("detail", "#detail-title"), (self.focus.right, "#right-title")):
            tab = next(tab for tab in self.tabs if tab.name == name)
            title = self._app.default_screen.query_one(selector, FittedLine)
            title.say(*pane_titles(tab, self.pane(name).selection, self._selection))

    # ── what is in sight ──

    def show_tab(self, name: str) -> None:
        """Show what belongs to a tab, and give it the keys; on a narrow screen the token table and the panes take
        turns."""
        tab = next(tab for tab in self.tabs if tab.name == name)
        if tab.side == "right":
            self._show_right(tab)
        self.room.part = "tokens" if tab.side == "left" else "right"
        self.share_room()
        self.focus.mark_tabs()
        self.pane(name).focus_content()

    def _show_right(self, tab: Tab) -> None:
        screen = self._app.default_screen
        cast("ContentSwitcher", screen.query_one("#right")).current = pane_id(tab.name)
        self.focus.right = tab.name
        self._name_subjects()

    def share_room(self) -> None:
        """Divide the window between the panes."""
        if self.is_open:
            self.room.share()

    def fit_window(self) -> None:
        """Divide the window as wide as it is now, and write the titles that fit into the row of tabs."""
        self.share_room()
        if self.is_open:
            from textual.widgets import Tab, Tabs

            tabs = self._app.default_screen.query_one("#tabs", Tabs)
            for name, label in self.labels().items():
                tab = tabs.query_one(f"#{name}", Tab)
                if tab.label_text != label:
                    tab.label = Content(label)


def pane_id(name: str) -> str:
    """The id of the pane of a tab."""
    return f"{name}-pane"
