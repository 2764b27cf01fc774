"""The keys of the map, and which of them act on what is shown."""

from __future__ import annotations

from textual.binding import Binding, BindingType
from textual.widget import Widget

from explorer.base.records.maps import Window
from explorer.tui.panes.map.aim import Aim
from explorer.tui.panes.map.scene import Scene, fit_window

_OF_SELECTION = (("tell", ("part",)), ("tell", ("mark",)), ("select", ("next",)), ("drop", ()))
_WITHOUT_SELECTION = (("tell", ("open",)), ("select", ("first",)))


def _moves() -> list[BindingType]:
    """Arrow keys move the cross by a cell, with shift by 8 across and 4 down."""
    ways = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
    near: list[BindingType] = [
        Binding(key, f"move{way}", "cross", tooltip="Move the cross, or the window") for key, way in ways.items()
    ]
    return near + [
        Binding(f"shift+{key}", f"move({8 * x}, {4 * y})", "far", show=False, tooltip="Move the cross further")
        for key, (x, y) in ways.items()
    ]


KEYS: list[BindingType] = [
    Binding("enter", "tell('part')", "filter", tooltip="With a selection: filter the token table by it"),
    Binding("X", "tell('mark')", "mark", tooltip="Mark the tokens of the selection"),
    Binding("x", "select('next')", "shape", tooltip="With a selection: what lies beyond a line, or the box again"),
    Binding("escape", "drop", "drop", tooltip="Give the selection up"),
    Binding("enter", "tell('open')", "open", tooltip="Go to the token at the cross"),
    Binding("x", "select('first')", "select", tooltip="Select a box from here on"),
    Binding("full_stop", "tell('walk')", "walk", tooltip="Go to the nearest token that was not walked to yet"),
    Binding("h", "tell('plots')", "plots", tooltip="Plots of the colour: histogram, P(token), ROC, with a line"),
    *_moves(),
    Binding("plus,equals_sign", "zoom(1)", "zoom", tooltip="Zoom in where the cross is"),
    Binding("minus", "zoom(-1)", "zoom", tooltip="Zoom out"),
    Binding("C", "tell('colour')", "colour", tooltip="Colour by the next kind of class: category, script, verdict…"),
    Binding("home", "fit", "whole", tooltip="The first window; again: every token, however far from the others"),
    Binding("o", "tell('twin')", "other", show=False, tooltip="Show the token of the next other model on this map"),
]
"""Those of a selection first; on the last line the last ones give way."""
OF_A_MAP = {key for binding in KEYS if isinstance(binding, Binding) for key in binding.key.split(",")}
"""Every key that acts on a map."""


class ActingKeys:
    """Which keys of a map's `widget` act on what it shows."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._scene: Scene | None = None
        self._has_scene = self._has_tokens = self._can_fit = self._has_selection = False

    def note(self, scene: Scene | None, first: Window, aim: Aim) -> None:
        """This is shown by now, and `first` is the map's first window: the last line names the keys that act."""
        before = self._has_scene, self._has_tokens, self._can_fit, self._has_selection
        self._has_selection = aim.shape is not None
        if scene is not self._scene:  # to look for the farthest token takes a while, and the cross moves often
            self._scene, self._has_scene = scene, scene is not None
            self._has_tokens = scene is not None and not scene.is_recorded
            self._can_fit = scene is not None and fit_window(scene, first) != scene.window
        if before != (self._has_scene, self._has_tokens, self._can_fit, self._has_selection):
            self._widget.refresh_bindings()

    def acts(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Whether an action does something now."""
        if action in ("move", "zoom") or parameters == ("plots",):
            return self._has_scene
        if action == "fit":
            return self._can_fit
        if (action, parameters) in _OF_SELECTION:
            return self._has_tokens and self._has_selection
        if (action, parameters) in _WITHOUT_SELECTION:
            return self._has_tokens and not self._has_selection
        return self._has_tokens or action != "tell"
