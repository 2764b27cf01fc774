"""Settled tokens on disk: lines appended whole or not at all, so that a killed run goes on where it was.

A file holds one question about one set of numbers; a line is a `SpeakabilityRow` as JSON with its CRC-32 before it.
What stands after the last whole line is left out on reading and cut off on writing; a token's later line counts.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.records.plain import dump_json, load_json
from explorer.base.records.speakability import SpeakabilityRow

try:
    import fcntl
except ImportError:  # Windows: two runs at once are not kept apart there
    fcntl = None  # type: ignore[assignment]


class SpeakStore:
    """The settled tokens of one question; a context manager."""

    def __init__(self, path: Path, *, write: bool, fresh: bool = False, alone: bool = True) -> None:
        """Without `write` a missing file is an empty one. `fresh` drops what is there.

        Where another run writes the file: raises `ExplorerError` if `alone`, else keeps what is added in memory.
        """
        self.path = path
        self.rows: dict[int, SpeakabilityRow] = {}
        self._file: int | None = None
        if not write:
            if path.exists():
                self._take(path.read_bytes())
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ExplorerError(f"{path.name} cannot be written: {error.strerror}", hint="Make room.") from error
        self._lock(alone=alone)
        self._end = 0 if fresh else self._take(path.read_bytes())
        if self._file is not None:
            os.ftruncate(self._file, self._end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def append(self, rows: Iterable[SpeakabilityRow]) -> None:
        """Add rows; after this returns, a kill does not lose them. Raises `ExplorerError` where the disk is full."""
        added = {row.token.token_id: row for row in rows}
        if self._file is None:
            self.rows |= added
            return
        lines = b"".join(_line(row) for row in added.values())
        try:
            written = os.pwrite(self._file, lines, self._end)
            os.fsync(self._file)
        except OSError as error:
            raise ExplorerError(f"{self.path.name} cannot be written: {error.strerror}", hint="Make room.") from error
        if written < len(lines):
            raise ExplorerError(f"{self.path.name} cannot be written: the disk is full", hint="Make room.")
        self._end += len(lines)
        self.rows |= added

    def _take(self, content: bytes) -> int:
        """Read the whole lines; where the last of them ends."""
        end = 0
        for line in content.splitlines(keepends=True):
            check, _, text = line.removesuffix(b"\n").partition(b" ")
            if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(text):
                break
            try:
                row: SpeakabilityRow = load_json(text, SpeakabilityRow)
            except msgspec.DecodeError:  # of another version of this program
                break
            self.rows[row.token.token_id] = row
            end += len(line)
        return end

    def _lock(self, *, alone: bool) -> None:
        if fcntl is None or self._file is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            self._file = None
            if alone:
                raise ExplorerError(
                    "another run answers the same question about these weights",
                    hint="Wait for it, or stop it; what it found will be used.",
                ) from error


def _line(row: SpeakabilityRow) -> bytes:
    text = dump_json(row)
    return b"%08x %b\n" % (zlib.crc32(text), text)
