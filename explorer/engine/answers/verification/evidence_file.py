"""Evidence on disk: appended batch by batch, whole or not at all, so that a killed sweep goes on where it was.

A file holds one question's evidence for one model. It is a row of frames: a header (magic, rows, bytes a row,
CRC-32) and the rows of one batch. A frame that a kill tore is left out when the file is next opened, and
cut off when it is opened to write. Rows are found by an index in memory, 8 bytes a token; the evidence itself
stays on disk.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Int

from explorer.engine.answers.verification.questions import Evidence
from explorer.engine.behaviour.errors import BehaviourError

try:
    import fcntl
except ImportError:  # Windows: two sweeps at once are not kept apart there
    fcntl = None  # type: ignore[assignment]

HEADER = struct.Struct("<4sIII")
MAGIC = b"GXE1"
ROWS_AT_ONCE = 4096
NOWHERE = -1


class EvidenceFile:
    """The evidence of one question; a context manager. Raises `BehaviourError` where another sweep writes it."""

    def __init__(self, path: Path, dtype: np.dtype[Any], vocab: int, *, write: bool) -> None:
        """`vocab`: rows of the embedding matrix, above every id. Without `write` a missing file is an empty one."""
        self.path = path
        self._dtype = dtype
        self._place = np.full(vocab, NOWHERE, dtype=np.int64)
        self._file: int | None = None
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            self._lock()
        elif path.exists():
            self._file = os.open(path, os.O_RDONLY)
        self._end = 0
        for start, rows in self._frames():
            self._place[rows["token_id"]] = start + np.arange(len(rows)) * dtype.itemsize
        if write and self._file is not None:
            os.ftruncate(self._file, self._end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; a second time does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def has(self, token_ids: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which tokens there is evidence about."""
        known: Bool[np.ndarray, " n"] = self._place[token_ids] != NOWHERE
        return known

    def append(self, rows: Evidence) -> None:
        """Add the rows of one batch; after this returns, a kill does not lose them. Raises `BehaviourError` where
        the disk is full or gone."""
        assert self._file is not None
        payload = rows.astype(self._dtype, copy=False).tobytes()
        frame = HEADER.pack(MAGIC, len(rows), self._dtype.itemsize, zlib.crc32(payload)) + payload
        try:
            written = os.pwrite(self._file, frame, self._end)
            os.fsync(self._file)
        except OSError as error:
            raise BehaviourError(f"{self.path.name} cannot be written: {error.strerror}", "Make room.") from error
        if written < len(frame):
            raise BehaviourError(f"{self.path.name} cannot be written: the disk is full", "Make room.")
        self._place[rows["token_id"]] = self._end + HEADER.size + np.arange(len(rows)) * self._dtype.itemsize
        self._end += len(frame)

    def read(self, token_ids: Int[np.ndarray, " n"]) -> Evidence:
        """The evidence about `token_ids`, all of which must be there, in their order."""
        if not len(token_ids):
            return np.empty(0, dtype=self._dtype)
        everything = np.memmap(self.path, dtype=np.uint8, mode="r")
        found: Evidence = np.empty(len(token_ids), dtype=self._dtype)
        within = np.arange(self._dtype.itemsize)
        for start in range(0, len(token_ids), ROWS_AT_ONCE):
            places = self._place[token_ids[start : start + ROWS_AT_ONCE]]
            assert (places != NOWHERE).all()
            found[start : start + len(places)] = everything[places[:, None] + within].view(self._dtype)[:, 0]
        return found

    def _lock(self) -> None:
        if fcntl is None or self._file is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise BehaviourError(
                f"another sweep is writing {self.path.name}", "Wait for it, or stop it; what it found will be used."
            ) from error

    def _frames(self) -> Iterator[tuple[int, Evidence]]:
        """Where the rows of each whole frame begin, and the rows; `_end` moves along."""
        while self._file is not None:
            header = os.pread(self._file, HEADER.size, self._end)
            if len(header) < HEADER.size:
                return
            magic, count, size, check = HEADER.unpack(header)
            if magic != MAGIC or size != self._dtype.itemsize:
                return
            payload = os.pread(self._file, count * size, self._end + HEADER.size)
            if len(payload) < count * size or zlib.crc32(payload) != check:
                return
            rows = np.frombuffer(payload, dtype=self._dtype)
            if rows["token_id"].min(initial=0) < 0 or rows["token_id"].max(initial=0) >= len(self._place):
                return
            yield self._end + HEADER.size, rows
            self._end += HEADER.size + len(payload)
