"""Settled tokens on disk: kept token by token, whole or not at all, so that a killed run continues where it was.

A file holds one question about one set of numbers; an entry is a `SpeakabilityRow` as JSON, under its token's id.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.records.plain import dump_json, load_json
from explorer.base.records.speakability import SpeakabilityRow
from explorer.engine.answers.cache import Cache, Entry


class ProofStore:
    """The settled tokens of one question; a context manager."""

    def __init__(self, path: Path, *, write: bool, fresh: bool = False, alone: bool = True) -> None:
        """Without `write` a missing file is an empty one. `fresh` drops what is there.

        Where another run writes the file: raises `ExplorerError` if `alone`, else drops nothing of the file and
        adds to it. Raises `ExplorerError` too where the file cannot be read or written.
        """
        self.rows: dict[int, SpeakabilityRow] = {}
        self._cache = Cache(path, lambda: read_lines(path.with_suffix(".jsonl")), write=write)
        try:
            if write and alone and not self._cache.is_alone:
                raise ExplorerError(
                    "another run answers the same question about these weights",
                    hint="Wait for it, or stop it; what it found will be used.",
                )
            self._start(fresh=fresh)
        except BaseException:
            self._cache.close()
            raise

    @property
    def note(self) -> str:
        """What was moved aside because it was damaged, for the user."""
        return self._cache.note

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._cache.close()

    def append(self, rows: Iterable[SpeakabilityRow]) -> None:
        """Add rows, or replace those of the same tokens; after this returns, a kill does not lose them. Raises
        `ExplorerError` where the disk is full."""
        added = {row.token.token_id: row for row in rows}
        if added:
            self._cache.put((token_id, dump_json(row)) for token_id, row in added.items())
            self.rows |= added

    def _start(self, *, fresh: bool) -> None:
        known = self._cache.load()
        if not fresh:
            self.rows = dict(_decoded(known))
        elif self._cache.is_alone:
            self._cache.put([], instead=True)


def _decoded(entries: Iterable[Entry]) -> Iterator[tuple[int, SpeakabilityRow]]:
    for _, text in entries:
        try:
            row: SpeakabilityRow = load_json(text, SpeakabilityRow)
        except msgspec.DecodeError:  # of another version of this program
            continue
        yield row.token.token_id, row


# ── files of version 0.1 ──────────────────────────────────────────────────────────────────────────────────


def read_lines(path: Path) -> Iterator[Entry]:
    """The rows in a file of version 0.1, up to the first line that is torn or damaged: lines of a CRC-32 and a row."""
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        check, _, text = line.removesuffix(b"\n").partition(b" ")
        if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(text):
            return
        yield from ((token_id, text) for token_id, _ in _decoded([(None, text)]))
