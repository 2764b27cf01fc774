"""The Speaking pane: which tokens can be said at all, with proof."""

from __future__ import annotations

from typing import ClassVar

from explorer.records import Certify, CheckCertificates, ReadCertificates, Request
from explorer.tui.panes.base import Pane


class SpeakingPane(Pane):
    """Shows `CertifyResult` records; asks `Certify`."""

    handles: ClassVar[tuple[type[Request], ...]] = (Certify, ReadCertificates, CheckCertificates)
    pane_title: ClassVar[str] = "Speaking"

    def set_form(self, request: Certify) -> None:
        """Show in the options how `request` was asked (a session is replayed or resumed)."""
