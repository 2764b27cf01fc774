"""Views of the token table: how two are compared, and how one that depends on marks is made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Failure
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.specs.comparing.agreement import Agreement, Comparison
from explorer.specs.comparing.wording import said

if TYPE_CHECKING:
    from explorer.specs.spec import Live


def compare_rankings(
    request: RankTokens, recorded: RankedTokens, live: RankedTokens, comparison: Comparison
) -> Agreement:
    """The same order and the very same columns, by the digest; then the rows."""
    if recorded.digest == live.digest:
        return Agreement(comparison.difference(_numbers_of(recorded), _numbers_of(live)))
    rows = comparison.difference(recorded.rows, live.rows, "rows")
    digests = said("digest", recorded.digest, live.digest)
    return Agreement(digests + (f"; {rows}" if rows else "; the rows shown agree"))


def _numbers_of(view: RankedTokens) -> RankedTokens:
    """`view` without what only a screen adds or older sessions lack (letters, remarks, widths of columns), and without
    the rule for the default indicator, which is prose."""
    rows = tuple(msgspec.structs.replace(row, flags=()) for row in view.rows)
    return msgspec.structs.replace(view, rows=rows, default_rule="", flags=(), notes=(), formats={})


async def ask_ranking_again(request: RankTokens, recorded: RankTokens, live: Live) -> Any:
    """A view that depends on marks, which the engine does not know, is made here from the columns."""
    if "marked" not in request.filter:
        return await live.ask(request)
    from explorer.tables.ranking import ranked, select
    from explorer.tables.table import TokenColumns

    columns = await live.ask(ReadVocabulary(model=request.model, unused_ids=request.unused_ids))
    if not isinstance(columns, VocabularyColumns):
        return columns
    try:
        table = TokenColumns(columns)
        return ranked(table, request, select(table, request, live.marks.get(recorded.model, set())))
    except ExplorerError as error:
        return Failure(message=error.message, hint=error.hint)
