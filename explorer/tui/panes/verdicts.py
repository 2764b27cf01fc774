"""The Verdicts pane: tokens by definitions of a glitch token."""

from __future__ import annotations

from typing import ClassVar

from explorer.records import ReadEvidence, ReadVerdicts, Request, Verify
from explorer.tui.panes.base import Pane


class VerdictsPane(Pane):
    """Shows `VerificationResult` and `VerdictEvidence` records; asks `Verify`."""

    handles: ClassVar[tuple[type[Request], ...]] = (Verify, ReadVerdicts, ReadEvidence)
    pane_title: ClassVar[str] = "Verdicts"

    def set_form(self, request: Verify) -> None:
        """Show in the options how `request` was asked (a session is replayed or resumed)."""
