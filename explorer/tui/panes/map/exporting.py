"""What the Map pane writes into files and copies: a row a token, and the view as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from explorer.base.records.maps import MapView
from explorer.base.text import visible
from explorer.specs.map_words import map_rows, view_plot
from explorer.tui.panes.map.keeper import MapKeeper
from explorer.tui.panes.map.making import Made
from explorer.tui.panes.takeaway import Row, Takeaway
from explorer.tui.shell.messages import Selection


def takeaway_of(keeper: MapKeeper, selection: Selection) -> Takeaway | None:
    """Every token of a whole map, of a recorded view those that it names, and the picture of what is seen; None where
    there is no map. The row under the cursor is that of the selected token, which follows the cross."""
    view, made = keeper.view(selection), keeper.made
    if view is None:
        return None
    rows = partial(_named_rows, view) if made is None else partial(_whole_rows, made)
    own = selection.token.token_id if selection.token is not None else None

    def row(_: int) -> Row | None:
        return next((each for each in rows() if each["token_id"] == own), None)

    tokens = "named tokens" if made is None else f"{view.total:,} tokens"
    what = f"the {tokens} on the map of {visible(view.model, spaces=False)}"
    return Takeaway(what, lambda _: rows(), row=row, plot=partial(view_plot, view))


def _whole_rows(made: Made) -> Iterator[Row]:
    columns = made.columns
    for row in map_rows(made.found):
        token_id = row["token_id"]
        token = {"token_bytes": columns.token_bytes(token_id).hex(), "text": columns.text(token_id)}
        yield {"token_id": token_id, **token, "category": columns.category(token_id), **row}


def _named_rows(view: MapView) -> Iterator[Row]:
    for point in view.points:
        token = {"token_id": point.token.token_id, "token_bytes": point.token.token_bytes, "text": point.token.text}
        where = {"x": point.x, "y": point.y, "value": point.value}
        yield {**token, "category": point.category, "model": view.model, **where, "role": point.role}
