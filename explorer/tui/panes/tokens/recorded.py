"""What the session has of the token table's view. No widget."""

from __future__ import annotations

from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.tui.panes.tokens.views import View, ViewMaker


class RecordedView:
    """The view that was recorded last, and whether another one would be news."""

    def __init__(self) -> None:
        self.request: RankTokens | None = None
        self._ids: frozenset[int] = frozenset()
        """Tokens in the window of rows that the session has."""

    def begin(self, request: RankTokens) -> None:
        """A vocabulary was opened with this view, of which the session has no row yet."""
        self.request, self._ids = request, frozenset()

    def remember(self, request: RankTokens, outcome: RankedTokens) -> None:
        """The session has this view, or is about to."""
        self.request, self._ids = request, frozenset(row.token_id for row in outcome.rows)

    def is_same(self, maker: ViewMaker, request: RankTokens) -> bool:
        """Whether the view, wherever its window is, was recorded last."""
        return self.request is not None and maker.is_same_view(request, self.request)

    def lacks(self, maker: ViewMaker, view: View, token_id: int | None) -> bool:
        """Whether the session lacks this view with the row of the token."""
        if not maker.is_recordable(view.request):
            return False
        return not self.is_same(maker, view.request) or token_id not in self._ids
