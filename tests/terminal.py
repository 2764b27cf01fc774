"""The real program on a pseudo terminal, and every byte that it writes there."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

SEQUENCE = re.compile(
    r"\x1b(?:\[(?P<csi>[<=>?]?[0-9;:]*[ $]?[@-~])|\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)|(?P<short>[78]))"
)
"""A control sequence, an operating-system command, or saving and restoring the cursor."""
_STYLE = r"(?:0|[1-9]|2[1-9]|[34]8;2;\d+;\d+;\d+|[34]8;5;\d+|[34]9)"
_UNFINISHED = re.compile(r"\x1b(?:\[[<=>?]?[0-9;:]*[ $]?|\][^\x07\x1b]*\x1b?)?\Z")
"""The sequence that a program was ended in: no terminal obeys the beginning of one."""
STYLES = re.compile(f"(?:{_STYLE}(?:;{_STYLE})*)?m")
"""Bold and the like, and colours of 24 bits or of the 256."""
CONTROLS = re.compile(r"\d+;\d+H|\d*C|H|\?\d+[hl]|\?\d+\$p|[<>=]\d*u|\?u|c|\d*t|\d* q")
"""Cursor, modes, what Textual asks the terminal and tells it of keys."""
COMMANDS = re.compile(r"22;\w+|52;c;[\w+/=]*")
"""The shape of the pointer, and what the user copied."""
ISOLATES = "\u2068\u2069"


def unexpected(written: str) -> set[str]:
    """What of all that was written neither Textual nor rich writes: other sequences, and what a terminal may obey."""
    written = _UNFINISHED.sub("", written)
    found = {each[0] for each in SEQUENCE.finditer(written) if not _is_usual(each)}
    rest = SEQUENCE.sub("", written)
    return found | {one for one in rest if one not in f"\r\n{ISOLATES}" and _is_obeyed(one)}


def _is_usual(each: re.Match[str]) -> bool:
    if each["csi"] is not None:
        return bool(STYLES.fullmatch(each["csi"]) or CONTROLS.fullmatch(each["csi"]))
    return each["short"] is not None or bool(COMMANDS.fullmatch(each["osc"]))


def _is_obeyed(one: str) -> bool:
    return unicodedata.category(one) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


class Terminal:
    """A program that believes to be on a terminal."""

    def __init__(self, words: Sequence[str], size: tuple[int, int] = (120, 40)) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(*size)
        usual = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUTF8": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "explorer", *words],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=os.environ | usual,
        )  # fmt: skip
        os.close(theirs)
        self._bytes = bytearray()
        self._mark = 0

    @property
    def written(self) -> str:
        """All that it wrote, as a terminal reads it; bytes that are no UTF-8 as lone surrogates. Without a character
        that it was ended in."""
        return codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(self._bytes)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGWINCH)

    def send(self, keys: str) -> None:
        """Type `keys`; what is told from here on is what came after them."""
        self.read(0)
        self._mark = len(self._bytes)
        os.write(self._ours, keys.encode())

    def read(self, seconds: float) -> None:
        """Take what it writes, for at least so long."""
        until = time.monotonic() + seconds
        while select.select([self._ours], [], [], max(0.0, until - time.monotonic()))[0]:
            try:
                self._bytes += os.read(self._ours, 1 << 16)
            except OSError:  # it has ended
                return

    def settle(self, quiet: float = 0.07, most: float = 1.0) -> None:
        """Take what it writes until it writes nothing for a while."""
        until, size = time.monotonic() + most, -1
        while size != len(self._bytes) and time.monotonic() < until:
            size = len(self._bytes)
            self.read(quiet)

    def read_to_end(self, most: float) -> None:
        """Take what it writes until it has ended: it cannot end while nobody reads what it writes."""
        until = time.monotonic() + most
        while self.process.poll() is None and time.monotonic() < until:
            self.read(0.05)
        self.read(0)

    def said(self) -> str:
        """The text of what came after the last keys, without what moves and colours it."""
        return SEQUENCE.sub("", self._bytes[self._mark :].decode(errors="surrogateescape"))

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Until `text` was written in one piece after the last keys."""
        until = time.monotonic() + seconds
        while text not in self.said():
            assert self.process.poll() is None, f"it ended with {self.process.poll()}: {self.said()[-2000:]}"
            assert time.monotonic() < until, f"{text!r} did not come: {self.said()[-2000:]}"
            self.read(0.05)


@contextmanager
def on_terminal(words: Sequence[str], size: tuple[int, int] = (120, 40)) -> Iterator[Terminal]:
    """The program while it is used; it is ended, and its engine with it, whatever happens."""
    terminal = Terminal(words, size)
    try:
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            os.killpg(terminal.process.pid, signal.SIGTERM)
        terminal.read_to_end(10.0)
        with suppress(ProcessLookupError):
            os.killpg(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait()
        os.close(terminal._ours)
