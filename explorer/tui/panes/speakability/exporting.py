"""What the Speakability pane writes into files: the proofs about a token, or the tokens that are hard to speak."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from explorer.base.records.speakability import Certificates, SpeakabilityResult, SpeakabilityRow
from explorer.base.records.unions import AnyOutcome
from explorer.specs.certificate_exports import certificate_rows
from explorer.tui.panes.takeaway import Clip

Row = dict[str, Any]


def proof_rows(row: SpeakabilityRow, result: SpeakabilityResult) -> list[Row]:
    """What was proved of one token, with the certificate."""
    outcome = Certificates(
        model=result.model, mode=result.mode, bias=result.bias, folded=result.folded, digest=result.digest, rows=(row,)
    )
    return list(certificate_rows(outcome))


def as_lines(rows: list[Row]) -> str:
    """A JSON object a line."""
    return "\n".join(json.dumps(row) for row in rows)


def proof_clips(rows: list[Row]) -> list[Clip]:
    """Each proof's certificate, and its margin."""
    clips: list[Clip] = []
    for row in rows:
        asked = f"{row['mode'].replace('_', ' ')}, {row['verdict']}"
        if row["certificate"]:
            clips.append(Clip(f"the certificate: {asked}", partial(json.dumps, row["certificate"])))
        if row["margin"] is not None:
            clips.append(Clip(f"the margin: {asked}, {row['margin']}", partial(str, row["margin"])))
    return clips


def hard_rows(outcome: AnyOutcome | None) -> Iterator[Row]:
    """Of all tokens that were settled: the unspeakable and undecided ones, and those that another one beats along their
    own direction; by id, without the certificates."""
    assert isinstance(outcome, Certificates)
    for row in outcome.rows:
        if row.verdict != "speakable" or row.own_direction_winner.token_id != row.token.token_id:
            bare = msgspec.structs.replace(outcome, rows=(msgspec.structs.replace(row, certificate=None),))
            for plain in certificate_rows(bare):
                del plain["certificate"]
                yield plain | {"token_bytes": row.token.token_bytes, "winner_text": row.own_direction_winner.text}
