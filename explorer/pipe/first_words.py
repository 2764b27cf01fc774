"""What a started command says before it proves to be an engine, and what it writes to its stderr all along."""

from __future__ import annotations

import asyncio
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable

from explorer.pipe.frames import MAGIC, FrameError

BANNER = 1 << 16
"""Bytes that a machine may write before the engine speaks."""
LINES_KEPT = 2000
CHUNK, LONGEST_LINE = 1 << 14, 4096


class EngineLog:
    """The last lines of an engine's stderr, however many come and however long they are."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._unfinished = ""
        """The last line, which has no end yet: a question for a password."""

    def lines(self) -> tuple[str, ...]:
        """First to last."""
        return (*self._lines, *filter(None, [self._unfinished]))

    def last(self) -> str:
        """The last line that is not empty; empty where there is none."""
        return next((line for line in reversed(self.lines()) if line.strip()), "")

    async def read(self, stream: asyncio.StreamReader | None, tell: Callable[[str], None]) -> None:
        """Keep what comes, to the end; `tell` is called with each line."""
        assert stream is not None
        decoder = getincrementaldecoder("utf-8")("replace")
        while chunk := await stream.read(CHUNK):
            *lines, self._unfinished = (self._unfinished + decoder.decode(chunk)).split("\n")
            self._unfinished = self._unfinished[-LONGEST_LINE:]
            for line in lines:
                self._lines.append(line.rstrip()[:LONGEST_LINE])
                tell(self._lines[-1])


async def wait_for_engine(output: asyncio.StreamReader, log: EngineLog, patience: float) -> None:
    """Skip what a machine writes before the engine. Raises `FrameError` where no engine speaks within `patience`
    seconds, `IncompleteReadError` where the output ends."""
    written = b""
    try:
        async with asyncio.timeout(patience):
            while not (line := await output.readline()).endswith(MAGIC):
                written += line
                if not line:
                    raise asyncio.IncompleteReadError(written, None)
                if len(written) > BANNER:
                    raise FrameError(f"what was started is no engine: it writes {_last_line(written)!r} and more")
    except FrameError:
        raise
    except ValueError as error:  # a line without an end
        raise FrameError("what was started is no engine: it writes without end") from error
    except TimeoutError as error:
        words = log.last()[:200] or _last_line(written)
        said = f"; its last words: {words!r}" if words else ""
        raise FrameError(
            f"no engine spoke within {patience:g} s (a password asked for, or another program?){said}"
        ) from error


def _last_line(written: bytes) -> str:
    """The last words that are not empty, cut."""
    lines = [line for line in written.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""
