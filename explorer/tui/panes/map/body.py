"""The map with the words around it: axes above, what is at the cross and what the glyphs mean below."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher, Static

from explorer.tui.panes.map import telling
from explorer.tui.panes.map.canvas import ActWanted, MapCanvas
from explorer.tui.panes.map.canvas_keys import OF_A_MAP
from explorer.tui.panes.map.classes import ClassLegend
from explorer.tui.panes.map.making import Made
from explorer.tui.panes.map.plots_sheet import Plotted
from explorer.tui.panes.map.plots_view import PlotsView
from explorer.tui.panes.map.scene import heading, legend
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.messages import Remark
from explorer.tui.shell.replayed import hint_at
from explorer.tui.widgets.fitted_line import FittedLine
from explorer.tui.widgets.heading import Heading

HINT = "Press M to map the whole vocabulary on a plane."
NO_MAP = "No map is drawn yet: press this key again when one is. M maps the vocabulary."


class MapBody(Guarded, Vertical):
    """The canvas draws the scene that it is given; the words are brought up to date by `tell`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "regions", "regions", show=False, tooltip="Show or hide what regions of the map hold"),
    ]
    DEFAULT_CSS = """
    MapBody {
        height: 1fr;
        & Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & #map-heading { height: 1; }
        & ContentSwitcher { height: 1fr; }
        & #map-classes { display: none; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.when_shown: Callable[[], None] = lambda: None
        self.when_twin_wanted: Callable[[], None] = lambda: None
        self._heading = Heading(id="map-heading")
        self.canvas = MapCanvas(id="map-canvas")
        self.plots = PlotsView(id="map-plots")
        self._status = FittedLine(style="$foreground-muted", id="map-status")
        self._legend = Static(Content(""), id="map-legend")
        self._class_legend = ClassLegend(id="map-classes")

    def compose(self) -> ComposeResult:
        yield self._heading
        with ContentSwitcher(initial="map-canvas"):
            yield self.canvas
            yield self.plots
        yield self._status
        yield self._class_legend
        yield self._legend

    def on_mount(self) -> None:
        self._say_how()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where the plots are shown, no key changes the map behind them."""
        return self.canvas.display if action == "regions" else super().check_action(action, parameters)

    def action_regions(self) -> None:
        """Show or hide the regions' names."""
        self.canvas.shows_regions = not self.canvas.shows_regions
        self.canvas.redraw()

    def on_show(self) -> None:
        self.when_shown()

    @on(ActWanted)
    def hear(self, event: ActWanted) -> None:
        """The key for another model's token; the pane hears the others."""
        if event.what == "twin":
            event.stop()
            self.when_twin_wanted()

    def on_key(self, event: events.Key) -> None:
        """A key of the map before there is one: it may be on its way."""
        if self.canvas.scene is None and self.canvas.has_focus and event.key in OF_A_MAP:
            event.stop()
            self.post_message(Remark(hint_at(self, NO_MAP)))

    def _say_how(self) -> None:
        self._status.say(hint_at(self, HINT), style="$foreground-muted")

    def say(self, text: str, *, problem: bool = False) -> None:
        """In place of the axes: what is under way, or what went wrong; a hint must be read to its end."""
        self._heading.say(text, problem=problem, layout=False)
        if problem and cell_len(text) > self._heading.size.width:
            self.post_message(Remark(text, problem=True))
        if self.canvas.scene is None:
            self._status.say("")

    def show_plots(self, *, shown: bool) -> None:
        """In place of the map the plots of its colour, or the map again; the keys go along."""
        self._switch(plots=shown)
        (self.plots if shown else self.canvas).focus()

    def leave_plots(self) -> None:
        """The map's place in their place; the keys stay where they are."""
        self._switch(plots=False)

    def _switch(self, *, plots: bool) -> None:
        self.query_one(ContentSwitcher).current = (self.plots if plots else self.canvas).id
        self._status.display = self._legend.display = not plots
        self._class_legend.want(not plots)

    def clear(self) -> None:
        """Show nothing."""
        self.canvas.show(None)
        self.plots.show(Plotted())
        self._heading.say("")
        self._say_how()
        self._legend.update(Content(""))
        self._class_legend.show("", None)

    def tell(self, made: Made | None, subject: int | None) -> None:
        """Bring the words up to date; `made` is the whole map, where that is here, `subject` the selected token."""
        scene = self.canvas.scene
        if scene is not None:
            _bring_up_to_date(self._heading, heading(scene, self.canvas.drawn))
            _bring_up_to_date(self._legend, legend(scene, self.canvas.drawn, self._legend.size.width))
            self._status.say(*telling.status(self.canvas, made, subject), style="$foreground-muted")
            self._class_legend.show(scene.colour, self.canvas.drawn.classes)


def _bring_up_to_date(line: Static, words: Content) -> None:
    """Of one row: to lay out the screen anew takes 10 ms, to paint a line that says the same 1."""
    if not (isinstance(line.content, Content) and line.content.is_same(words)):
        line.update(words, layout=False)
