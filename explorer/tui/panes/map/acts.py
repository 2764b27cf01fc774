"""What the keys of a map mean to the rest of the screen."""

from __future__ import annotations

from textual.message import Message

from explorer.base.records.maps import Window
from explorer.base.records.notes import MarkToken
from explorer.tables.histograms import SortedColumn
from explorer.tui.panes.map.canvas import MapCanvas
from explorer.tui.panes.map.making import Made, axis_columns
from explorer.tui.panes.map.threshold import Parted, begin
from explorer.tui.panes.map.windows import box_filter
from explorer.tui.shell.messages import Ask, ColumnsFound, FilterWanted, NeighbourOpened, Selection

MOST_MARKED = 500
"""Tokens that one key marks."""


def act_on(
    what: str, made: Made, canvas: MapCanvas, selection: Selection, walked: set[int]
) -> tuple[list[Message], str]:
    """What is to be posted for `open`, `walk` or `mark`, and what is to be said instead. `walked` grows by a walk."""
    box, model = canvas.selected(), made.found.model
    if what == "mark":
        return _mark(made, box, selection) if box is not None else ([], "Select a part of the map first: x.")
    if what == "open" and box is not None:
        text = box_filter(box, made.found.x_axis, made.found.y_axis)
        return [ColumnsFound(model, axis_columns(made)), FilterWanted(model, text)], ""
    found = canvas.nearest() if what == "open" else _next(made, canvas, selection, walked)
    return ([] if found is None else [NeighbourOpened(model, found)]), ""


def parted_of(made: Made, canvas: MapCanvas) -> Parted | None:
    """The numbers of the map's colour with a line; None where it has none."""
    points = canvas.scene.points if canvas.scene is not None else ()
    column = SortedColumn(made.values)
    return begin(made.found.colour, column, points, canvas.columns) if len(column.values) else None


def _next(made: Made, canvas: MapCanvas, selection: Selection, walked: set[int]) -> int | None:
    """The nearest token on the screen that was not walked to yet."""
    token, scene = selection.token, canvas.scene
    if token is None or scene is None:
        return None
    walked.add(token.token_id)
    return made.nearest_to(token.token_id, walked, scene.window, canvas.columns, canvas.rows)


def _mark(made: Made, box: Window, selection: Selection) -> tuple[list[Message], str]:
    ids = [token_id for token_id in made.cloud.inside(box).tolist() if token_id not in selection.marked]
    if len(ids) > MOST_MARKED:
        return [], f"{len(ids):,} tokens are too many to mark at once: at most {MOST_MARKED}."
    return [Ask(_marking(made, token_id)) for token_id in ids], ""


def _marking(made: Made, token_id: int) -> MarkToken:
    text = made.columns.text(token_id)
    told = made.columns.token_bytes(token_id).hex() if "\ufffd" in text else ""
    return MarkToken(model=made.found.model, token_id=token_id, text=text, token_bytes=told, marked=True)
