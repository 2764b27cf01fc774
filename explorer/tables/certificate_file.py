"""An exported set of certificates: a header line that says what they are about, then one line a token. JSON Lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.files import write_whole
from explorer.base.records.plain import dump_json, load_json
from explorer.base.records.record import Record
from explorer.base.records.speakability import SpeakabilityMode, SpeakabilityRow

FORMAT: Literal["glitch-explore certificates 1"] = "glitch-explore certificates 1"
T = TypeVar("T")


class FileHeader(Record, kw_only=True):
    """What the certificates of a file are about."""

    format: Literal["glitch-explore certificates 1"] = FORMAT
    source: str
    weights_digest: str
    """Of the model, as `ModelInfo` has it."""
    digest: str
    """SHA-256 of the very numbers that the proofs are about, first 32 hex digits."""
    mode: SpeakabilityMode
    bias: bool
    folded: bool
    tokens: int
    """How many lines follow."""


@dataclass(frozen=True)
class CertificateFile:
    """A file as read."""

    header: FileHeader
    rows: tuple[SpeakabilityRow, ...]


def write_certificate_file(path: Path, file: CertificateFile) -> None:
    """Write it whole or not at all. Raises `ExplorerError` where it cannot be written."""
    try:
        write_whole(path, (dump_json(record) + b"\n" for record in (file.header, *file.rows)))
    except OSError as error:
        raise ExplorerError(f"{path.name} cannot be written: {error.strerror}", hint="Choose another place.") from error


def read_certificate_file(path: Path) -> CertificateFile:
    """Read it. Raises `ExplorerError` where it is not such a file, or not all of one."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ExplorerError(f"{path.name} cannot be read: {error.strerror}", hint="Name an exported file.") from error
    if not lines:
        raise ExplorerError(f"{path.name} is empty", hint="Name an exported file.")
    header = _decoded(lines[0], FileHeader, f"line 1 of {path.name}")
    rows = [_row(line, f"line {number} of {path.name}") for number, line in enumerate(lines[1:], 2)]
    if len(rows) != header.tokens or len({row.token.token_id for row in rows}) != header.tokens:
        raise ExplorerError(
            f"{path.name} should hold {header.tokens:,} tokens and holds {len(rows):,}",
            hint="Export the certificates again.",
        )
    return CertificateFile(header, tuple(rows))


def _row(line: bytes, where: str) -> SpeakabilityRow:
    row = _decoded(line, SpeakabilityRow, where)
    try:
        msgspec.msgpack.encode(row)  # as it goes to the engine
    except OverflowError as error:
        raise ExplorerError(
            f"{where} is not a certificate: a whole number in it is too large", hint="Export the certificates again."
        ) from error
    return row


def _decoded(line: bytes, kind: type[T], where: str) -> T:
    try:
        record: T = load_json(line, kind)
    except msgspec.DecodeError as error:
        raise ExplorerError(f"{where} is not a certificate: {error}", hint="Export the certificates again.") from error
    return record
