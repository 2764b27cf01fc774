"""The map on the screen: density in braille, a cross that arrow keys move, a box or a line that selects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.widget import Widget

from explorer.base.records.maps import Window
from explorer.tui.panes.map.aim import Aim
from explorer.tui.panes.map.canvas_keys import KEYS, ActingKeys
from explorer.tui.panes.map.painting import BELOW, GUTTER, cross_style, filtered, frame, with_aim
from explorer.tui.panes.map.scene import Drawn, Scene, draw, fit_window
from explorer.tui.panes.map.windows import CELL, Cell, cell_of, pan_window, place_of, zoom_window
from explorer.tui.shell.guarded import Guarded, run_guarded
from explorer.tui.widgets.plot import Palette

CLOSER = 0.5
"""Share of the window that a zoom step leaves."""


class CrossMoved(Message):
    """The cross, the selection or the window moved; `by_hand`: by a key or the mouse."""

    def __init__(self, *, by_hand: bool = False) -> None:
        super().__init__()
        self.by_hand = by_hand


class ActWanted(Message):
    """A key that means something to the pane was pressed: `open`, `walk` or `mark`."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what


class MapCanvas(Guarded, Widget, can_focus=True):
    """Draws a `Scene`; a thread makes the picture, and the newest window wins."""

    BINDINGS: ClassVar[list[BindingType]] = KEYS
    DEFAULT_CSS = """
    MapCanvas { height: 1fr; width: 1fr; background: $background; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.scene: Scene | None = None
        self.drawn = Drawn()
        self.aim, self.shows_regions = Aim(), True
        self._whole: Window = (0.0, 1.0, 0.0, 1.0)
        self._wanted, self._is_drawing, self._keys = 0, False, ActingKeys(self)
        self._lines: list[Strip] = []
        self.when_drawn: Callable[[], None] = lambda: None  # called before a picture is painted: words change with it

    # ── what the pane calls ──

    def show(self, scene: Scene | None, *, anew: bool = False) -> None:
        """Draw a scene; `anew`: it is another map, and its window the whole one."""
        self.scene = scene
        if scene is not None and anew:
            self._whole = scene.window
            self.aim = Aim.middle(self.columns, self.rows)
        self.redraw()

    @property
    def columns(self) -> int:
        """Cells across."""
        return max(1, self.size.width - GUTTER)

    @property
    def rows(self) -> int:
        """Cells down."""
        return max(1, self.size.height - BELOW)

    def nearest(self) -> int | None:
        """The token nearest to the cross on the screen; None where only cells are known."""
        if self.scene is None or self.scene.is_recorded:
            return None
        x, y = place_of(*self.aim.cross, self.scene.window, self.columns, self.rows)
        return self.scene.cloud.nearest(x, y, self.scene.window, self.columns, self.rows * CELL)

    def selected(self) -> Window | None:
        """The part of the plane that is selected."""
        return None if self.scene is None else self.aim.selected(self.scene.window, self.columns, self.rows)

    def go_to(self, x: float, y: float) -> None:
        """Put the cross on a place; for a place outside the window the window moves there."""
        if self.scene is None:
            return
        cell = cell_of(x, y, self.scene.window, self.columns, self.rows)
        if cell is None:
            left, right, bottom, top = self.scene.window
            across, up = (right - left) / 2, (top - bottom) / 2
            self.look_through((x - across, x + across, y - up, y + up))
            cell = self.columns // 2, self.rows // 2
        self._take_aim(replace(self.aim, cross=cell, place=(x, y)), by_hand=False)

    def look_through(self, window: Window) -> None:
        """Show another window of the scene."""
        if self.scene is not None:
            self.scene, self.aim = self.scene.through(window), self.aim.at(self.aim.cross)
            self.redraw()

    def redraw(self) -> None:
        """Have the picture made again; calls while one is being made are answered by one more."""
        self._wanted += 1
        self._keys.note(self.scene, self._whole, self.aim)
        if self.scene is None:
            self.drawn, self._lines = Drawn(), []
            self.refresh()
        elif self.is_mounted and not self._is_drawing:
            self._is_drawing = True
            run_guarded(self, self._draw_until_current)

    async def _draw_until_current(self) -> None:
        try:
            made = -1
            while made != self._wanted and self.scene is not None:
                made, size, palette = self._wanted, (self.columns, self.rows), Palette.of(self.app.theme_variables)
                look = self.visual_style
                drawn, lines = await asyncio.to_thread(_draw, self.scene, size, palette, look, self.shows_regions)
                if size == (self.columns, self.rows):
                    self.drawn, self._lines = drawn, lines
                    self.when_drawn()
                    self.refresh()
        finally:
            self._is_drawing = False

    # ── keys and mouse ──

    def action_move(self, across: int, down: int) -> None:
        """Move the cross; at an edge the window moves."""
        wanted = self.aim.at((self.aim.cross[0] + across, self.aim.cross[1] + down))
        inside = wanted.inside(self.columns, self.rows)
        beyond = wanted.cross[0] - inside.cross[0], inside.cross[1] - wanted.cross[1]
        if self.scene is not None and beyond != (0, 0):
            self.look_through(pan_window(self.scene.window, beyond[0] / self.columns, beyond[1] / self.rows))
        self._take_aim(inside)

    def action_zoom(self, steps: int) -> None:
        """Zoom around the cross."""
        self._zoom(CLOSER**steps, self.aim.cross)

    def _zoom(self, factor: float, around: Cell) -> None:
        if self.scene is not None:
            x, y = place_of(*around, self.scene.window, self.columns, self.rows)
            self.look_through(zoom_window(self.scene.window, factor, x, y))

    def action_fit(self) -> None:
        """Show the map's first window, or from there every token."""
        self.look_through(fit_window(self.scene, self._whole))

    def action_select(self, _which: str) -> None:
        """Begin a selection, or give it the next shape."""
        self._take_aim(self.aim.select())

    def action_drop(self, *, by_hand: bool = True) -> None:
        """Give the selection up; unless `by_hand` it was used, and the token table stays where it is."""
        self._take_aim(self.aim.dropped(), by_hand=by_hand)

    def action_tell(self, what: str) -> None:
        """Let the pane act."""
        self.post_message(ActWanted(what))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._keys.acts(action, parameters)

    def on_click(self, event: events.Click) -> None:
        """The cross is where the button went down; a double click opens the token there."""
        if event.chain == 2 and event.x >= GUTTER and event.y < self.rows:
            self.action_tell("open")

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A box may begin here."""
        if event.x >= GUTTER and event.y < self.rows:
            self._take_aim(self.aim.dropped().at((event.x - GUTTER, event.y)))
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """With the button down a box grows."""
        if self.app.mouse_captured is self:
            self._take_aim(self.aim.dragged((event.x - GUTTER, event.y)).inside(self.columns, self.rows))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._zoom_at(event, CLOSER)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._zoom_at(event, 1 / CLOSER)

    def _zoom_at(self, event: events.MouseEvent, factor: float) -> None:
        event.stop()
        self._zoom(factor, Aim((int(event.x) - GUTTER, int(event.y))).inside(self.columns, self.rows).cross)

    def _take_aim(self, aim: Aim, *, by_hand: bool = True) -> None:
        old, self.aim = self.aim, aim
        self._keys.note(self.scene, self._whole, self.aim)
        if old.shape is None and aim.shape is None:  # two rows of some 2 kB, where all of it is 30 to 150
            self.refresh(*(Region(0, row, self.size.width, 1) for row in {old.cross[1], aim.cross[1]}))
        else:
            self.refresh()
        self.post_message(CrossMoved(by_hand=by_hand))

    # ── drawing ──

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda theme: self.redraw())

    def on_resize(self, event: events.Resize) -> None:
        self.aim = self.aim.resized(self.scene.window if self.scene else self._whole, self.columns, self.rows)
        self.redraw()

    def watch_has_focus(self, _has_focus: bool) -> None:
        super().watch_has_focus(_has_focus)
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """As they were made in the thread, with what is aimed at: there is no frame, padding or tint to be added, and
        Textual's way through its own cache of styles takes twice as long."""
        lines, base = self._lines[crop.y : crop.bottom], self.visual_style.rich_style
        if lines:
            cross = cross_style(base, Palette.of(self.app.theme_variables).accent, is_strong=self.has_focus)
            lines = with_aim(lines, crop.y, self.aim, (self.columns, self.rows), cross)
        lines += [Strip.blank(self.size.width, base)] * (crop.height - len(lines))
        return [line.crop_extend(*crop.column_span, base) for line in filtered(lines, self)]


def _draw(
    scene: Scene, size: Cell, palette: Palette, look: VisualStyle, shows_regions: bool
) -> tuple[Drawn, list[Strip]]:
    """In a thread: the map, and the lines of the widget with it."""
    drawn = draw(scene, *size, palette, shows_regions)
    return drawn, frame(scene, drawn, size, look)
