"""The line below a map: what is at the cross, or in the selection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from explorer.base.numbers import format_percent
from explorer.base.records.maps import Window
from explorer.base.records.tokens import LABELS
from explorer.base.text import visible, visible_bytes
from explorer.specs.blocks import count
from explorer.tui.panes.map.aim import Shape
from explorer.tui.panes.map.canvas import MapCanvas
from explorer.tui.panes.map.making import Made
from explorer.tui.panes.map.scene import Scene
from explorer.tui.panes.map.windows import cell_of, place_of
from explorer.tui.shell.replayed import is_replayed

_SELECTION_KEYS = ("enter filters the table", "X marks them", "x changes the shape", "esc drops the selection")
"""The most wanted first."""


def status(canvas: MapCanvas, made: Made | None, subject: int | None) -> Sequence[str]:
    """In words, the most needed first; the fullest of these that fits."""
    if canvas.scene is None:
        return ()
    if made is None:
        told = "recorded: named tokens alone can be told"
        more = "c goes on with live models" if is_replayed(canvas) else "load the model and press M for all"
        return f"{told}; {more}", told
    box = canvas.selected()
    if box is not None and canvas.aim.shape is not None:
        return selection_words(canvas.aim.shape, made, box)
    return (_at_cross(canvas, canvas.scene, made, subject),)


def _at_cross(canvas: MapCanvas, scene: Scene, made: Made, subject: int | None) -> str:
    place = made.place(subject) if subject is not None else None
    is_there = place is not None and canvas.aim.cross == cell_of(*place, scene.window, canvas.columns, canvas.rows)
    token_id = subject if is_there else canvas.nearest()
    if token_id is None:
        return ""
    x, y = place_of(*canvas.aim.cross, scene.window, canvas.columns, canvas.rows)
    raster = canvas.drawn.raster
    column, row = canvas.aim.cross
    here = 0
    if raster is not None and row < raster.counts.shape[0] and column < raster.counts.shape[1]:
        here = int(raster.counts[row, column])
    text = visible_bytes(made.columns.token_bytes(token_id)) or f"⟨{token_id}⟩"
    value = ""
    if made.class_of is not None and made.found.classes is not None:
        value = f"  {visible(made.found.classes.name_of(int(made.class_of[token_id])), spaces=False)}"
    elif scene.colour and (number := float(made.values[token_id])) == number:
        value = f"  {LABELS.get(scene.colour, scene.colour)} {number:.4g}"
    what = "selected" if is_there else "nearest"
    return f"{what} {token_id} {text}{value} · {here:,} in this cell · x {x:.4g} y {y:.4g}"


def selection_words(shape: Shape, made: Made, box: Window) -> Sequence[str]:
    """How many tokens a selection has, how well it tells the reference tokens, and what can be done with it: as long as
    possible, then with fewer keys, which the last line has too."""
    inside, total = made.cloud.inside(box), len(made.cloud.token_ids)
    where = {"box": "in the box", "right": "right of the line", "left": "left of the line"}[shape]
    line = "" if shape == "box" else f", {total - len(inside):,} on the other side"
    counted = f"{count(len(inside), 'token')} {where}{line}"
    told = f"{counted}{_reference_words(made, inside)}"
    with_keys = [f"{told}: {', '.join(_SELECTION_KEYS[:most])}" for most in range(len(_SELECTION_KEYS), 0, -1)]
    return *with_keys, told, counted


def _reference_words(made: Made, inside: npt.NDArray[np.int64]) -> str:
    """', 15 of the 15 reference tokens (54 % of the selection)': recall and precision; empty where nothing is known."""
    total = int(made.columns.is_reference.sum())
    if not total:
        return ""
    found = int(made.columns.is_reference[inside].sum())
    share = f" ({format_percent(found / len(inside))} of the selection)" if len(inside) else ""
    return f", {found:,} of the {count(total, 'reference token')}{share}"
