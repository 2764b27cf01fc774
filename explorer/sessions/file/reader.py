"""A session file open for reading: any step at once, however large the file, and whatever stands in it.

Where the lines are is learned a few megabytes at a time (`index_more`), so a screen shows the first steps of a
200 MB file before the rest has been looked at. Steps are decoded when they are asked for.
"""

from __future__ import annotations

import os
import time
import weakref
from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from explorer.base.errors import ExplorerError
from explorer.base.lazy_sequence import LazySequence
from explorer.base.records.notes import WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.unions import Step
from explorer.sessions.file.append_file import open_regular
from explorer.sessions.file.form import FORMAT, LONGEST_LINE, Header, LineError, read_header, read_step

CHUNK = 1 << 20
HEADER_LIMIT = 1 << 20
KEPT = 256
"""Decoded steps kept for paging back and forth."""
_HEADER_BEGINS = b'{"kind":"Header","format":'
_MAYBE_BLANK = 80
"""Bytes; a longer line is taken to hold a step without looking."""


class DamagedError(ExplorerError):
    """A line of the file is not a step; the message names the line."""


def is_damaged(step: Step) -> bool:
    """Whether a step of a `SessionFile` stands for a line that is none; its outcome says what is wrong with it."""
    return isinstance(step.request, WriteNote) and isinstance(step.outcome, Failure)


class SessionFile(LazySequence[Step]):
    """The steps of a session file, in order; as long as what has been indexed.

    A line that is not a step is in the sequence as a failed note that says so (`read` raises instead). The
    file is read as it was when it was opened. Safe to index in a thread while another reads steps.
    """

    def __init__(self, path: Path) -> None:
        """Open `path` and index its beginning. Raises `ExplorerError` where it is not a session file, or newer."""
        self.path = path
        try:
            self._descriptor = open_regular(path, os.O_RDONLY)
            self._release = weakref.finalize(self, os.close, self._descriptor)
            self.size = os.fstat(self._descriptor).st_size
            first = os.pread(self._descriptor, HEADER_LIMIT, 0).split(b"\n", 1)[0]
        except OSError as error:
            raise ExplorerError(f"{path.name}: {error.strerror}", hint="Name a session file.") from error
        self.header_line = first
        self.warning = ""
        """What was left out at the end of the file, if anything; known when `complete`."""
        self.torn_bytes = 0
        """Length of a torn last line."""
        self.ends_with_newline = len(first) < self.size
        self.header, self.version = self._read_header(first)
        self._scanned = self._begun = min(len(first) + 1, self.size)
        self._line = 1  # lines before `_begun`, where the line that is looked for the end of begins
        self._starts = array("q")
        self._ends = array("q")
        self._lines = array("q")
        self._kept = lru_cache(KEPT)(self._step)
        self.index_more()

    def _read_header(self, line: bytes) -> tuple[Header, int]:
        try:
            return read_header(line)
        except LineError as error:
            if not (self.size == len(line) and line.startswith(_HEADER_BEGINS[: len(line)])):
                raise ExplorerError(f"{self.path.name} {error.message}", error.hint) from error
        self.torn_bytes = self.size
        self.warning = "the program ended while it made this file; the file holds no step"
        return Header(format=FORMAT, started="", versions={}, platform="", seed=0), FORMAT

    def close(self) -> None:
        """Give the file up."""
        self._release()

    # ── where the steps are ───────────────────────────────────────────────────────────────────────────────

    @property
    def complete(self) -> bool:
        """Whether every line has been found."""
        return self._scanned >= self.size

    def index_more(self, seconds: float = 0.02) -> bool:
        """Look for further lines for about that long; True when all are found."""
        until = time.perf_counter() + seconds
        while not self.complete:
            self._index_chunk()
            if time.perf_counter() >= until:
                break
        return self.complete

    def index_all(self) -> SessionFile:
        """Find every line; this session file."""
        while not self.complete:
            self._index_chunk()
        return self

    def _index_chunk(self) -> None:
        chunk = os.pread(self._descriptor, CHUNK, self._scanned)
        if not chunk:  # somebody cut the file meanwhile
            self.size = self._scanned
        after, at = self._scanned + len(chunk), 0
        while (end := chunk.find(b"\n", at)) >= 0:
            self._add(self._scanned + end)
            self._begun = self._scanned + end + 1
            at = end + 1
        if after >= self.size > self._begun:
            self._add_tail()
        self._scanned = after

    def _add(self, end: int) -> None:
        """The line from `_begun` to `end` is a step, if anything stands in it."""
        self._line += 1
        if end - self._begun > _MAYBE_BLANK or os.pread(self._descriptor, end - self._begun, self._begun).strip():
            self._ends.append(end)
            self._lines.append(self._line)
            self._starts.append(self._begun)  # last: as many as there are of these is the length of the sequence

    def _add_tail(self) -> None:
        """What stands after the last newline: a whole step, or the beginning of one."""
        self.ends_with_newline = False
        length = self.size - self._begun
        try:
            if length > LONGEST_LINE:
                raise LineError("longer than any step")
            read_step(os.pread(self._descriptor, length, self._begun), self.version)
        except LineError:
            self.torn_bytes = length
            self.warning = f"the last line (line {self._line + 1}) is torn and was left out"
        else:
            self._add(self.size)

    # ── steps ─────────────────────────────────────────────────────────────────────────────────────────────

    def __len__(self) -> int:
        return len(self._starts)

    def item(self, place: int) -> Step:
        """The step at `place`; a line that is none is a step that failed with what is wrong with it."""
        return self._kept(place)

    def _step(self, position: int) -> Step:
        try:
            return self.read(position)
        except DamagedError as error:
            said = Failure(message=error.message, hint=error.hint)
            return Step(number=position + 1, at="", seconds=0.0, request=WriteNote(text=""), outcome=said)

    def read(self, position: int) -> Step:
        """The step at `position`, 0 the first. Raises `DamagedError` where that line is none."""
        if self._ends[position] - self._starts[position] > LONGEST_LINE:
            raise DamagedError(f"line {self._lines[position]} is longer than any step", "It was left out.")
        try:
            return read_step(self.raw(position), self.version)
        except LineError as error:
            said = f"line {self._lines[position]} is damaged: {error.message}"
            raise DamagedError(said, "It was left out.") from error

    def damage(self, steps: Iterable[Step] | None = None) -> Iterator[str]:
        """What of the file cannot be read, a line of words each; nothing where it is whole. `steps`: those of the file,
        where they have been decoded already."""
        if self.index_all().warning:
            yield self.warning
        for step in self if steps is None else steps:
            if is_damaged(step) and isinstance(step.outcome, Failure):
                yield f"{step.outcome.message}. {step.outcome.hint}"

    def raw(self, position: int) -> bytes:
        """The line of the step at `position` as it stands in the file."""
        return os.pread(self._descriptor, self._ends[position] - self._starts[position], self._starts[position])

    def raw_lines(self) -> Iterator[bytes]:
        """Every line that is not blank, the header's first."""
        yield self.header_line
        for position in range(len(self)):
            yield self.raw(position)

    def last_number(self) -> int:
        """The highest number a further step must exceed. Raises `DamagedError` where the last line is none."""
        return max(self.read(len(self) - 1).number, len(self)) if len(self) else 0
