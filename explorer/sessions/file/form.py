"""The form of a session file's lines: the header, a step, and what becomes of those of older versions.

A file is untrusted: `read_header` and `read_step` give a record whose numbers and shapes make sense, or raise
`LineError` with one line of words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from explorer.base.errors import ExplorerError, one_line
from explorer.base.records.kinds import decode_outcome, decode_request
from explorer.base.records.plain import load_json
from explorer.base.records.record import Record
from explorer.base.records.unions import Step
from explorer.sessions.file.checks import problem_of

FORMAT = 3
"""Version of the file format; a newer one is refused, an older one read."""
SUFFIX = ".jsonl"
LONGEST_LINE = 64 << 20
"""Bytes; no step is longer, and a hostile line must not fill the memory."""


class LineError(ExplorerError):
    """A line that is not a header or a step; the message says why."""


class Header(Record, kw_only=True, tag_field="kind", tag=True):
    """First line of a session file. The models follow as `LoadModel` steps, with digests, dtype and device."""

    format: int
    started: str
    """UTC, ISO 8601."""
    versions: dict[str, str]
    """Program and library versions of the engine that answered (of this program, until an engine spoke)."""
    platform: str
    seed: int
    parent: str = ""
    """Name of the session this one continues."""
    title: str = ""
    """What the session is about, in a few words; since format 2."""


class _StepLine(Record, kw_only=True, tag_field="kind", tag="Step"):
    """A step of which question and answer are not read yet: plug-ins may add kinds of both."""

    number: int
    at: str
    seconds: float
    request: msgspec.Raw
    outcome: msgspec.Raw


Line = dict[str, Any]


def _from_1(line: Line) -> Line:
    """Format 2 added the header's title and the tags of notes: both have defaults, so only the number changes."""
    return {**line, "format": 2} if line.get("kind") == "Header" else line


_RENAMED_IN_3 = {"Certify": "ProveSpeakability", "CertifyResult": "SpeakabilityResult"}


def _from_2(line: Line) -> Line:
    """Format 3 calls speakability by one word: two kinds of record have new names, also inside a `Cancelled`."""
    if line.get("kind") == "Header":
        return {**line, "format": 3}
    return {name: _renamed_kinds(part) for name, part in line.items()}


def _renamed_kinds(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    changed = {name: _renamed_kinds(inner) if name == "partial" else inner for name, inner in part.items()}
    kind = changed.get("kind")
    return {**changed, "kind": _RENAMED_IN_3.get(kind, kind)} if isinstance(kind, str) else changed


MIGRATIONS: dict[int, Callable[[Line], Line]] = {1: _from_1, 2: _from_2}
"""Format → what makes of one of its lines, header or step, a line of the next format."""


def migrate(line: Line, version: int) -> Line:
    """`line` of format `version` as one of `FORMAT`."""
    for older in range(version, FORMAT):
        line = MIGRATIONS[older](line)
    return line


def migrate_line(line: bytes, version: int) -> bytes:
    """The bytes of `line` of format `version` as a line of `FORMAT`; a damaged one stays what it is."""
    if version == FORMAT:
        return line
    try:
        return msgspec.json.encode(migrate(msgspec.json.decode(line, type=Line), version))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return line


def read_header(line: bytes) -> tuple[Header, int]:
    """The header and the format the file was written in.

    Raises `LineError` where the line is not a header, or one of a newer program.
    """
    try:
        plain = msgspec.json.decode(line, type=Line)
        version = plain.get("format")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise LineError("is not a session file: its first line names no format", "Name a session file.")
        if version > FORMAT:
            raise LineError(
                f"was written by a newer version (format {version}; this program reads {FORMAT})",
                "Update glitch-explore.",
            )
        header = msgspec.convert(migrate(plain, version), Header, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LineError(f"is not a session file: {one_line(error)}", "Name a session file.") from error
    if problem := problem_of(header):
        raise LineError(f"is not a session file: {problem}", "Name a session file.")
    return header, version


def read_step(line: bytes, version: int = FORMAT) -> Step:
    """The step in `line` of a file of format `version`. Raises `LineError`."""
    try:
        read: _StepLine = load_json(migrate_line(line, version), _StepLine)
        step = Step(
            number=read.number,
            at=read.at,
            seconds=read.seconds,
            request=decode_request(read.request, "json"),
            outcome=decode_outcome(read.outcome, "json"),
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LineError(one_line(error)) from error
    if problem := problem_of(step):
        raise LineError(problem)
    return step
