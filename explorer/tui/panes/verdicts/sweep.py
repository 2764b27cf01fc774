"""What the Verdicts pane shows: a sweep's result, the matrix behind it, and the evidence of a cell. No widget."""

from __future__ import annotations

from explorer.base.records.verification import (
    ReadEvidence,
    VerdictColumns,
    VerdictEvidence,
    VerdictPart,
    VerificationResult,
    Verify,
)
from explorer.tables.verdicts import VerdictMatrix
from explorer.tui.panes.verdicts.view import recorded_matrix


class ShownSweep:
    """One sweep, as far as it is known."""

    def __init__(self) -> None:
        self.live: set[Verify] = set()
        """Asked in this run of the program, so that the engine can be asked for more."""
        self.request: Verify | None = None
        """What the matrix is about."""
        self.result: VerificationResult | None = None
        self.matrix: VerdictMatrix | None = None
        self.is_whole = False
        """Whether the matrix has every token tested, not only those that a result lists."""
        self.evidence: VerdictEvidence | None = None
        self.opened: ReadEvidence | None = None
        """The evidence that was asked for last."""

    def begin(self, request: Verify) -> None:
        """A sweep was asked for, of which nothing is known yet."""
        self.live.add(request)
        self.clear()
        self.request = request

    def clear(self) -> None:
        """No sweep is shown."""
        self.request, self.result, self.matrix, self.evidence = None, None, None, None

    def forget_model(self, name: str) -> None:
        """Another model has taken the name: what was asked of the one before cannot be asked on."""
        self.live = {request for request in self.live if request.model != name}

    def take_result(self, request: Verify, result: VerificationResult) -> None:
        """The matrix that was read stays until it is read again: it has more than the result lists."""
        if request != self.request or self.matrix is None or not self.is_whole:
            self.matrix, self.is_whole = recorded_matrix(result), False
        self.request, self.result = request, result

    def take_matrix(self, columns: VerdictColumns) -> None:
        """Every token tested so far."""
        self.matrix, self.is_whole = VerdictMatrix(columns), True

    def take_part(self, part: VerdictPart) -> bool:
        """More verdicts; whether there is a whole matrix to write them into."""
        if self.matrix is None or not self.is_whole:
            return False
        self.matrix.take(part)
        return True

    @property
    def whole(self) -> VerdictMatrix | None:
        """The matrix, where it has every token tested."""
        return self.matrix if self.is_whole else None

    @property
    def definitions(self) -> tuple[str, ...]:
        """Definitions that were asked for by name."""
        return self.request.definitions if self.request is not None else ()

    @property
    def news(self) -> VerdictMatrix | None:
        """What the token table may learn: what a session lists only where no sweep of this run told more."""
        matrix = self.matrix
        if matrix is None or self.is_whole or all(request.model != matrix.model for request in self.live):
            return matrix
        return None

    def open_evidence(self, definition: str, token_id: int) -> ReadEvidence | None:
        """The question for the evidence of a cell; None where that is open already, or the engine knows nothing."""
        shown = self.evidence
        is_open = shown is not None and (shown.token.token_id, shown.definition.name) == (token_id, definition)
        if is_open or self.request is None or self.request not in self.live:
            return None
        self.opened = ReadEvidence(of=self.request, definition=definition, token_id=token_id)
        return self.opened

    def take_evidence(self, request: ReadEvidence, evidence: VerdictEvidence) -> bool:
        """What stands behind a cell; whether that was opened elsewhere, so that the cell is yet to be pointed at."""
        self.evidence = evidence
        return request != self.opened  # else the user may have moved on meanwhile
