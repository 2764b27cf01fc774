"""Evidence on disk: kept batch by batch, whole or not at all, so that a killed sweep continues where it was.

A file holds one question's evidence for one model, an entry a batch; it is read as a whole when it is opened.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Int

from explorer.engine.answers.cache import Cache, Entry
from explorer.engine.answers.verification.questions import Evidence, unanswered
from explorer.engine.behaviour.errors import BehaviourError

ROWS_AT_ONCE = 4096


class EvidenceFile:
    """The evidence of one question; a context manager."""

    def __init__(
        self,
        path: Path,
        dtype: np.dtype[Any],
        vocab: int,
        earlier: Callable[[], Iterable[Entry]] | None = None,
        *,
        write: bool,
        fresh: bool = False,
    ) -> None:
        """`vocab`: rows of the embedding matrix, above every id. Without `write` a missing file is an empty one.
        `earlier` gives the batches that version 0.1 kept; None: those in the file of that name. `fresh` drops what is
        there.

        Raises `BehaviourError` where another sweep writes it, `ExplorerError` where it cannot be read or written.
        """
        self.path = path
        self._known = np.zeros(vocab, dtype=np.bool_)
        self._rows: Evidence = unanswered(dtype, np.arange(vocab))
        carried = earlier or (lambda: read_frames(path.with_suffix(".evidence"), dtype))
        self._cache = Cache(path, carried, write=write)
        try:
            self._start(write=write, fresh=fresh)
        except BaseException:
            self.close()
            raise

    @property
    def note(self) -> str:
        """What was moved aside because it was damaged, for the user."""
        return self._cache.note

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; a second time does nothing."""
        self._cache.close()

    def has(self, token_ids: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which tokens there is evidence about."""
        known: Bool[np.ndarray, " n"] = self._known[token_ids]
        return known

    def append(self, rows: Evidence) -> None:
        """Add the rows of one batch; after this returns, a kill does not lose them. Raises `ExplorerError` where
        the disk is full or gone."""
        self._cache.put([(None, rows.astype(self._rows.dtype, copy=False).tobytes())])
        self._take(rows)

    def read(self, token_ids: Int[np.ndarray, " n"]) -> Evidence:
        """The evidence about `token_ids`, in their order; `unanswered` rows where there is none."""
        found: Evidence = self._rows[token_ids]
        return found

    def _start(self, *, write: bool, fresh: bool) -> None:
        if write and not self._cache.is_alone:
            raise BehaviourError(
                f"another sweep is writing {self.path.name}", "Wait for it, or stop it; what it found will be used."
            )
        size = self._rows.dtype.itemsize
        batches = [content for _, content in self._cache.load() if len(content) % size == 0]
        if fresh:
            self._cache.put([], instead=True)
            return
        self._take(np.frombuffer(b"".join(batches), dtype=self._rows.dtype))

    def _take(self, rows: Evidence) -> None:
        """Use rows, the later ones of a token in place of the earlier; ids that no token has are left out."""
        inside = rows[(rows["token_id"] >= 0) & (rows["token_id"] < len(self._known))]
        self._rows[inside["token_id"]] = inside
        self._known[inside["token_id"]] = True


# ── files of version 0.1 ──────────────────────────────────────────────────────────────────────────────────

HEADER = struct.Struct("<4sIII")
"""Before each batch: the magic number, rows, bytes a row, CRC-32 of the rows."""
MAGIC = b"GXE1"


def read_frames(path: Path, dtype: np.dtype[Any]) -> Iterator[Entry]:
    """The batches in a file of version 0.1, up to the first that is torn or damaged; none where there is no file."""
    content = path.read_bytes() if path.exists() else b""
    start = 0
    while len(content) >= start + HEADER.size:
        magic, count, size, check = HEADER.unpack_from(content, start)
        start += HEADER.size
        rows = content[start : start + count * size]
        if magic != MAGIC or size != dtype.itemsize or len(rows) < count * size or zlib.crc32(rows) != check:
            return
        yield None, rows
        start += len(rows)
