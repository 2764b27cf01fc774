"""From exec to the first words on a real terminal: the explorer against an empty Textual app, in turn.

Both run in a pseudo-terminal of 120 x 40; what is timed is the moment a word of the first paint arrives.

    python -m benchmarks.bench_startup [--repeats 9]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path
from statistics import median

from benchmarks.harness import write_section

EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("ready-steady")
Empty().run()
"""
PATIENCE = 30.0


def seconds_to(command: list[str], word: bytes, environment: dict[str, str]) -> float:
    """Seconds from fork to the arrival of `word`; the program is killed then. Raises `TimeoutError`."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    seen = b""
    try:
        while word not in seen:
            ready, _, _ = select.select([terminal], [], [], PATIENCE)
            if not ready:
                raise TimeoutError(f"{command[0]} never showed {word!r}")
            seen += os.read(terminal, 65536)
        return time.perf_counter() - began
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    script = str(Path(sys.executable).with_name("glitch-explore"))
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TERM": "xterm-256color", "XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder}
        contenders = {
            "glitch-explore, first paint": ([script], b"2 Repeat"),
            "empty Textual app, first paint": ([sys.executable, "-c", EMPTY], b"ready-steady"),
            "glitch-explore, zoo in the table": ([script], b"3,072"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(repeats):
            for name, (command, word) in contenders.items():
                seconds[name].append(seconds_to(command, word, environment))
    rival = median(seconds["empty Textual app, first paint"])
    lines = ["| from exec, 120 x 40 pseudo-terminal | median s | slowest s | ratio |", "|---|---:|---:|---:|"]
    lines += [
        f"| {name} | {median(times):.3f} | {max(times):.3f} | {median(times) / rival:.2f} |"
        for name, times in seconds.items()
    ]
    write_section("Start-up", "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
