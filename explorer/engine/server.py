"""The engine process: reads requests from stdin, answers on stdout, logs to stderr.

The main thread reads frames, so a cancellation is heard while a device works; a worker thread for each device runs the
models that are on it. At the end of stdin (the screen is gone) or on `Quit` the process ends at once, whatever runs.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import BinaryIO, NoReturn

from explorer import __version__
from explorer.base.records.models import DeviceMemory, ModelLoaded, ModelUnloaded, Roster
from explorer.base.records.unions import AnyOutcome, AnyPart
from explorer.engine.queue import Report, WorkQueue
from explorer.pipe.frames import (
    MAGIC,
    PROTOCOL,
    Answer,
    Ask,
    Cancel,
    FrameError,
    Hello,
    Quit,
    RosterChanged,
    ToClient,
    Told,
    pack,
    read_frame,
    unpack_for_engine,
)

LIBRARIES = ("torch", "transformers", "transformer-lens", "numpy", "scipy")


MEMORY_SECONDS = 2.0
"""Seconds between two looks at the memory held."""
MEMORY_STEP = 2**26
"""Bytes by which it must have changed to be told: the screen shows tenths of a GiB."""


class Writer:
    """Writes envelopes to the pipe, one at a time, from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, envelope: ToClient) -> None:
        """Send `envelope`; ends the process where nobody reads any more."""
        frame = pack(envelope)
        with self._lock:
            try:
                self._stream.write(frame)
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                os._exit(0)


class RosterTeller:
    """Tells which models are loaded and what each device holds: when asked to, and when a look finds much more or less
    memory held than was told last, as in the middle of a proof. May be used from any thread."""

    def __init__(self, state: Callable[[], Roster], writer: Writer) -> None:
        self._state, self._writer = state, writer
        self._lock = threading.Lock()
        self._told: tuple[DeviceMemory, ...] = ()

    def tell(self) -> None:
        """Of two that call at the same time, the later state is told last."""
        with self._lock:
            self._write(self._state())

    def look(self) -> None:
        """Tell where the memory held changed."""
        with self._lock:
            found = self._state()
            pairs = zip(found.devices, self._told, strict=False)
            if not self._told or any(abs(now.used - before.used) >= MEMORY_STEP for now, before in pairs):
                self._write(found)

    def watch(self) -> NoReturn:
        """Look again and again."""
        while True:
            time.sleep(MEMORY_SECONDS)
            self.look()

    def _write(self, roster: Roster) -> None:
        self._told = roster.devices
        self._writer.write(RosterChanged(roster=roster))


def claim_stdout() -> BinaryIO:
    """The pipe to the client; from here on `print`, C libraries and child processes write to stderr instead."""
    sys.stdout.flush()
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return pipe


def quieten_libraries() -> None:
    """No progress bars and no telemetry in the log, and no network for them."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


def serve(inbox: BinaryIO, writer: Writer) -> None:
    """Answer requests from `inbox` until it ends or says Quit."""
    gc.disable()  # the imports below make hundreds of thousands of objects that never go away
    from explorer.engine.handlers import Engine
    from explorer.specs.plugins import add_plugins

    for problem in add_plugins():
        print(problem, file=sys.stderr)
    gc.freeze()
    gc.enable()
    engine = Engine()

    roster = RosterTeller(engine.roster_state, writer)

    def answer(number: int, outcome: AnyOutcome, seconds: float) -> None:
        if isinstance(outcome, ModelLoaded | ModelUnloaded):
            roster.tell()
        writer.write(Answer(number=number, outcome=outcome, seconds=seconds))

    def part(number: int, told: AnyPart) -> None:
        writer.write(Told(number=number, part=told))

    queue = WorkQueue(engine.begin, Report(part=part, answer=answer))
    writer.write(hello(engine.roster_state()))
    threading.Thread(target=roster.watch, name="memory", daemon=True).start()
    while (body := read_frame(inbox)) is not None:
        match unpack_for_engine(body):
            case Ask(number=number, request=request):
                queue.add(engine.job(number, request))
            case Cancel(number=number):
                queue.cancel(number)
            case Quit():
                return


def hello(roster: Roster) -> Hello:
    """The first envelope: what this engine is made of."""
    versions = {"glitch-explore": __version__, "python": sys.version.split()[0]}
    versions |= {library: version(library) for library in LIBRARIES}
    return Hello(protocol=PROTOCOL, versions=versions, pid=os.getpid(), roster=roster)


def main() -> None:
    """Run the engine on this process's stdin and stdout."""
    pipe = claim_stdout()
    pipe.write(MAGIC)
    pipe.flush()
    quieten_libraries()
    try:
        serve(sys.stdin.buffer, Writer(pipe))
    except FrameError as error:
        print(error, file=sys.stderr)
        sys.stderr.flush()
        os._exit(2)
    # Not a normal exit: a worker thread may be deep in a model call that nobody waits for.
    sys.stderr.flush()
    os._exit(0)
