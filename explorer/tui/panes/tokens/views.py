"""From a request for a view of the vocabulary to the rows a table shows. NumPy only, no widgets.

Everything in here may take tens of milliseconds on a large vocabulary: the pane calls it off the event loop.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from explorer.base.indicator_names import with_labels
from explorer.base.records.tokens import LABELS
from explorer.base.records.vocabulary import RankedTokens, RankTokens, VocabularyColumns
from explorer.base.text import visible
from explorer.tables.ranking import ranked, select
from explorer.tables.table import TokenColumns
from explorer.tui.panes.tokens.table_rows import LoadedRows, ReplayedRows
from explorer.tui.widgets.cutting import cut

SHORT_MODEL = 12
"""Cells of a model's name in a narrow title."""
RECORDED_ROWS = 50
"""Rows that a settled view leaves in the session."""


@dataclass(frozen=True)
class View:
    """A view that stands: what was asked, and the rows in the order asked for."""

    request: RankTokens
    rows: LoadedRows | ReplayedRows
    sort: str
    """The column sorted by; the default indicator where the request names none."""
    lead: str
    """The indicator to show first: the one sorted by, or the default one."""
    total: int
    """Tokens in the vocabulary."""
    rule: str
    """Why the default indicator is the default."""
    notes: tuple[str, ...] = ()
    """Remarks on the vocabulary."""


class ViewMaker:
    """One model's vocabulary, ready for any sort and filter."""

    def __init__(self, source: VocabularyColumns) -> None:
        self.columns = TokenColumns(source)

    @property
    def sorts(self) -> tuple[str, ...]:
        """What the vocabulary can be sorted by, in the order of the sort key."""
        return (*self.columns.indicators, *self.columns.added, "id", "token", "category", "bytes")

    def is_recordable(self, request: RankTokens) -> bool:
        """Whether the engine could give this view again: it knows nothing of added columns."""
        added = self.columns.added
        compares = any(re.search(rf"(?<!\w){re.escape(name)}[<>=]", request.filter) for name in added)
        return self.sort_of(request) not in added and not compares

    def sort_of(self, request: RankTokens) -> str:
        """The column a request sorts by: the default indicator where it names none."""
        return request.sort or self.columns.default_indicator or "id"

    def make(self, request: RankTokens, marked: Collection[int] = ()) -> View:
        """The view that `request` asks for. Raises `explorer.tables.table.TableError`, `FilterError` among them."""
        columns = self.columns
        order = select(columns, request, marked)
        rows = LoadedRows(columns, order)
        sort = self.sort_of(request)
        lead = sort if sort in columns.indicators else columns.default_indicator
        rows.prepare(lead)
        return View(request, rows, sort, lead, columns.vocab_size, columns.default_rule, columns.notes)

    def record(self, view: View, cursor: int, top: int | None = None) -> tuple[RankTokens, RankedTokens]:
        """What goes into a session: the request with its window, and that window's rows.

        The window begins at `top`, the first row on the screen, where the cursor is in it; else it is round the cursor.
        """
        assert isinstance(view.rows, LoadedRows), "a replayed view stands in a session already"
        first = max(0, min(cursor - RECORDED_ROWS // 2, len(view.rows) - RECORDED_ROWS))
        if top is not None and 0 <= top <= cursor < top + RECORDED_ROWS:
            first = top
        request = msgspec.structs.replace(
            view.request, sort=view.sort, first=first, top=RECORDED_ROWS, cursor=cursor if len(view.rows) else None
        )
        return request, ranked(self.columns, request, view.rows.order)

    def has_same_token(self, other: ViewMaker, token_id: int | None) -> bool:
        """Whether an id names the same bytes in both vocabularies, so that a cursor may stay on it."""
        mine, others = self.columns, other.columns
        known = token_id is not None and token_id < min(mine.vocab_size, others.vocab_size)
        return known and token_id is not None and mine.token_bytes(token_id) == others.token_bytes(token_id)

    def is_same_view(self, one: RankTokens, other: RankTokens) -> bool:
        """Whether two requests sort and filter alike, wherever their windows are."""

        def key(request: RankTokens) -> tuple[object, ...]:
            filtered = (request.filter.strip(), request.category, request.unused_ids)
            return (request.model, self.sort_of(request), request.descending, *filtered)

        return key(one) == key(other)


def replayed(request: RankTokens, outcome: RankedTokens) -> View:
    """The view that a session file holds."""
    rows = ReplayedRows(request, outcome)
    lead = outcome.sort if outcome.sort in rows.indicators else next(iter(rows.indicators), "")
    return View(request, rows, outcome.sort, lead, outcome.total, outcome.default_rule, outcome.notes)


def titles_of(view: View) -> tuple[str, ...]:
    """`Tokens 3,072 · mynah · sorted by ‖W_E‖ ▲ · 12 match`, and shorter ones: the number of matches goes last."""
    request = view.request
    tokens, model = f"Tokens {view.total:,}", visible(request.model, spaces=False)
    arrow = "▼" if request.descending else "▲"
    name = f"{visible(LABELS.get(view.sort, view.sort))} {arrow}"
    matching = (f"{len(view.rows):,} match",) if request.filter.strip() or request.category else ()
    parts = [
        (tokens, model, f"sorted by {name}", *matching),
        (tokens, model, name, *matching),
        (tokens, cut(model, SHORT_MODEL), name, *matching),
        (tokens, name, *matching),
        (name, *(matching or (tokens,))),
        matching or (tokens,),
    ]
    return tuple(" · ".join(variant) for variant in parts)


def notes_of(view: View) -> tuple[str, ...]:
    """Below the title: why this indicator is the default one, and remarks; safe to show."""
    rule = (f"default: {view.rule[:1].lower()}{view.rule[1:]}",) if view.rule else ()
    return tuple(visible(with_labels(note), spaces=False).removesuffix(".") for note in (*rule, *view.notes))
