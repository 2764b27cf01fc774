"""Recorded proofs: whether they hold of the live model's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.specs.comparing.agreement import Agreement

if TYPE_CHECKING:
    from explorer.specs.spec import Live


async def find_failing_proofs(
    request: ProveSpeakability, recorded: SpeakabilityResult, live: Live, found: Agreement
) -> str:
    """Which of the recorded proofs the checker refuses, of the live model's numbers."""
    rows = tuple(row for row in recorded.rows if _can_be_checked(row, request))
    if not rows:
        return ""
    asked = msgspec.structs.replace(request, model=live.live(request.model).name)
    known = await live.ask(ReadCertificates(of=msgspec.structs.replace(asked, token_ids=())))
    if not isinstance(known, Certificates):
        return f"the proofs cannot be checked: {getattr(known, 'message', 'stopped')}"
    checked = await live.ask(CheckCertificates(
        model=asked.model, mode=asked.mode, bias=asked.bias, folded=asked.folded, digest=known.digest, rows=rows
    ))  # fmt: skip
    if not isinstance(checked, CertificatesChecked):
        return f"the proofs cannot be checked: {getattr(checked, 'message', 'stopped')}"
    refused = ", ".join(map(str, checked.refused))
    return f"rows: the recorded proof or margin does not hold for token {refused}" if refused else ""


def _can_be_checked(row: SpeakabilityRow, request: ProveSpeakability) -> bool:
    """Whether there is a claim that can be checked: a proof, or what own directions and undecided rows say. Lists of
    whole vocabularies leave the witnesses' numbers out."""
    return row.certificate is not None or row.verdict == "undecided" or request.mode == "own_direction"
