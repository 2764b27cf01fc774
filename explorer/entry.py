"""Where the program begins and ends, before anything else of it is imported: Ctrl+C, and streams closed or full.

Whatever a verb writes goes through here: what stdout does not take ends the program with one line and exit status 1, a
reader that is gone (`| head`) ends it silently with 0, and what stderr does not take is left out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

FAILED, INTERRUPTED = 1, 130


class OutputLostError(Exception):
    """Standard output cannot be written. No `OSError`: nobody may take it for a fault of another file."""


class _Stream:
    """A standard stream whose writes may fail; all else is the stream's own."""

    def __init__(self, stream: Any, failed: Callable[[Exception], None]) -> None:
        self._stream = stream
        self._failed = failed

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except (OSError, ValueError) as error:
            if isinstance(error, UnicodeError):
                raise
            self._failed(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._failed(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def main() -> int:
    """Run the program on the command line's words; the exit status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while modules are imported: no traceback, no half-made module
    _open_missing_streams()
    sys.stdout, sys.stderr = _Stream(sys.stdout, _lose), _Stream(sys.stderr, lambda error: None)
    try:
        status = _run()
        sys.stdout.flush()
    except OutputLostError as lost:
        status = _tell_lost(lost.__cause__)
    except KeyboardInterrupt:
        print("glitch-explore: stopped", file=sys.stderr)
        status = INTERRUPTED
    return status


def _run() -> int:
    from explorer.cli import main as run

    try:
        return run()
    except SystemExit as ended:  # argparse's way
        sys.stdout.flush()
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return FAILED
        return ended.code or 0


def _lose(error: Exception) -> None:
    raise OutputLostError from error


def _tell_lost(cause: BaseException | None) -> int:
    """Say why stdout cannot be written, but for a reader that has enough; the exit status."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)  # what is still in buffers goes there when the program ends
        os.dup2(nowhere, 1)
        os.close(nowhere)
    if isinstance(cause, BrokenPipeError):
        return 0
    is_closed = getattr(cause, "errno", None) == errno.EBADF
    reason = "it is closed" if is_closed else getattr(cause, "strerror", None) or str(cause)
    print(f"glitch-explore: the output cannot be written: {reason}", file=sys.stderr)
    return FAILED


def _open_missing_streams() -> None:
    """Put something into the place of streams that were closed: else the next file or pipe would be taken for one. The
    one for stdout can only be read, so that writing it fails."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


if __name__ == "__main__":
    sys.exit(main())
