"""What the keys of a map mean to the rest of the screen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from textual.message import Message

from explorer.base.records.notes import MarkToken
from explorer.specs.blocks import count
from explorer.tui.panes.map.canvas import MapCanvas
from explorer.tui.panes.map.making import Made, axis_columns, colour_column
from explorer.tui.panes.map.threshold import Parted
from explorer.tui.panes.map.windows import box_filter
from explorer.tui.shell.messages import Ask, ColumnsFound, FilterWanted, NeighbourOpened, Remark, Selection

NO_MORE = "No other token is in sight here: home shows the whole map."
MOST_MARKED = 500
"""Tokens that one key marks."""


def act_on(what: str, made: Made, canvas: MapCanvas, selection: Selection, walked: set[int]) -> list[Message]:
    """What is to be posted for `open`, `walk`, `part` or `mark`; what was selected is done with. `walked` grows by a
    walk."""
    box, model = canvas.selected(), made.found.model
    if what == "mark" and box is not None:
        messages = _mark(made, made.cloud.inside(box), selection)
    elif what == "part" and box is not None:
        text = box_filter(box, made.found.x_axis, made.found.y_axis)
        messages = [ColumnsFound(model, axis_columns(made)), FilterWanted(model, text)]
    else:
        found = canvas.nearest() if what == "open" else _next(made, canvas, selection, walked)
        messages = [Remark(NO_MORE) if found is None else NeighbourOpened(model, found)]
    if what != "walk" and box is not None and not isinstance(messages[0], Remark):
        canvas.action_drop(by_hand=False)
    return messages


def act_on_line(what: str, made: Made, parted: Parted, selection: Selection) -> list[Message]:
    """What is to be posted for `part` or `mark` about the tokens on one side of a line."""
    model = made.found.model
    if what == "part":
        return [ColumnsFound(model, axis_columns(made) | colour_column(made)), FilterWanted(model, parted.filter)]
    return _mark(made, parted.token_ids, selection)


def _next(made: Made, canvas: MapCanvas, selection: Selection, walked: set[int]) -> int | None:
    """The nearest token on the screen that was not walked to yet."""
    token, scene = selection.token, canvas.scene
    if token is None or scene is None:
        return None
    walked.add(token.token_id)
    return made.nearest_to(token.token_id, walked, scene.window, canvas.columns, canvas.rows)


def _mark(made: Made, token_ids: npt.NDArray[np.int64], selection: Selection) -> list[Message]:
    ids = [token_id for token_id in token_ids.tolist() if token_id not in selection.marked]
    if len(ids) > MOST_MARKED:
        return [Remark(f"{len(ids):,} tokens are too many to mark at once: at most {MOST_MARKED}.")]
    if not ids:
        return [Remark("There is no token here that is not marked already.")]
    told = Remark(f"Marked {count(len(ids), 'token')}.")
    return [*(Ask(_marking(made, token_id)) for token_id in ids), told]


def _marking(made: Made, token_id: int) -> MarkToken:
    text = made.columns.text(token_id)
    told = made.columns.token_bytes(token_id).hex() if "\ufffd" in text else ""
    return MarkToken(model=made.found.model, token_id=token_id, text=text, token_bytes=told, marked=True)
