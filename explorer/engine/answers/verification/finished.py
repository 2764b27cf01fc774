"""Which verifications of a model came to their end: kept beside its evidence, the newest last, so that what shows
verdicts without being told of which verification can say of which."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from explorer.base.files import write_whole
from explorer.base.records.verification import Verify

MOST = 8
"""Verifications that are remembered."""
_FILE = "finished.json"


def note_finished(folder: Path, request: Verify) -> None:
    """Remember it as the newest. What cannot be written is not remembered."""
    request = _bare(request)
    others = [each for each in read_finished(folder) if each != request]
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / _FILE, [msgspec.json.encode([*others, request][-MOST:])])


def read_finished(folder: Path) -> tuple[Verify, ...]:
    """The newest last, of a model without a name; none where none is remembered, or what is there is damaged."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=tuple[Verify, ...])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return ()


def _bare(request: Verify) -> Verify:
    """Without what says nothing of the verdicts: what the model is called, and whether it was asked again."""
    return msgspec.structs.replace(request, model="", fresh=False)
