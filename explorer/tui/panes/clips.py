"""What can be copied of a pane: each form of what is under its cursor, and of what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from textual.widget import Widget

from explorer.base.errors import ExplorerError
from explorer.base.records.tokens import TokenRow
from explorer.base.text import visible, visible_bytes
from explorer.tui.panes.takeaway import Clip, Row, Takeaway
from explorer.tui.widgets.row_list import RowList

MOST_ROWS = 5_000
"""That are made into one text; their least size is beyond what terminals take."""


def first_clip(found: Takeaway | None, focused: Widget | None) -> Clip | None:
    """What `y` copies: the row under the cursor, the line of a list, or all that the pane shows."""
    row = row_at_cursor(found, focused)
    if row is not None:
        return _row_clip(row)
    if found is not None and found.row is not None:
        return None
    line = _line_clip(found, focused)
    return line if line is not None or found is None or found.read is not None else whole_clip(found)


def all_clips(found: Takeaway | None, focused: Widget | None, selected: TokenRow | None) -> list[Clip]:
    """Every form, the most wanted first: the token (under the pane's cursor, else the `selected` one), its id, its row,
    each number, then what the pane itself offers, the line, and all of the pane."""
    row = row_at_cursor(found, focused)
    named = row if row is not None and "token_bytes" in row else _row_of(selected)
    clips = [] if named is None else list(_token_clips(named))
    if row is not None:
        clips += [_row_clip(row), _row_clip(row, heading=True), *_number_clips(row)]
    if found is not None:
        clips += found.clips()
    if (line := _line_clip(found, focused)) is not None:
        clips.append(line)
    if found is not None and found.read is None:
        clips.append(whole_clip(found))
    return clips


def row_at_cursor(found: Takeaway | None, focused: Widget | None) -> Row | None:
    """The row of the pane that is under the cursor; None where it has no rows, or none yet."""
    if found is None or found.row is None:
        return None
    return found.row(focused.cursor if isinstance(focused, RowList) else 0)


def whole_clip(found: Takeaway) -> Clip:
    """All that the pane shows, as words or as rows."""
    if found.text is not None:
        return Clip(found.what, found.text)
    return Clip(f"{found.what}, with tabs", partial(_as_tsv, found))


def _as_tsv(found: Takeaway) -> str:
    """All rows. Raises `ExplorerError` where there are more than any terminal takes: a table may have 262,144."""
    from explorer.tables.row_exports import as_tsv

    rows = list(islice(found.rows(None), MOST_ROWS + 1))
    if len(rows) > MOST_ROWS:
        raise ExplorerError(f"too much to copy: more than {MOST_ROWS:,} rows", hint="Press e to write a file.")
    return as_tsv(rows)


def _line_clip(found: Takeaway | None, focused: Widget | None) -> Clip | None:
    """The line under the cursor of a list, as it is written; none where words say it better."""
    if not isinstance(focused, RowList) or not focused.rows or (found is not None and found.text is not None):
        return None
    line = focused.rows[focused.cursor].plain.strip()
    return Clip("the line", lambda: line)


def _row_clip(row: Row, *, heading: bool = False) -> Clip:
    from explorer.tables.row_exports import as_tsv

    named = f" of token {row['token_id']}, {visible(str(row['text']))}" if "text" in row and "token_id" in row else ""
    what = "the row and the headings" if heading else "the row"
    return Clip(f"{what}{named}, with tabs", partial(as_tsv, [row], heading=heading))


def _token_clips(row: Row) -> Iterator[Clip]:
    token_id, token_bytes = row["token_id"], str(row["token_bytes"])
    shown = visible_bytes(bytes.fromhex(token_bytes))
    is_plain = "\ufffd" not in row["text"] and row["text"].isprintable()
    text = row["text"] if is_plain else shown
    how = "" if is_plain else ", with escapes for what cannot be seen"
    yield Clip(f"the text of token {token_id}, {shown}{how}", lambda: text)
    yield Clip(f"the id, {token_id}", lambda: str(token_id))
    yield Clip(f"the bytes, {token_bytes}", lambda: token_bytes)


def _number_clips(row: Row) -> Iterator[Clip]:
    from explorer.tables.row_exports import flatten

    for name, value in flatten([row])[1][0].items():
        if isinstance(value, int | float) and not isinstance(value, bool) and name != "token_id":
            yield Clip(f"{visible(name, spaces=False)}, {value}", partial(str, value))


def _row_of(token: TokenRow | None) -> dict[str, Any] | None:
    if token is None:
        return None
    return {"token_id": token.token_id, "token_bytes": token.token_bytes, "text": token.text}
