"""The screen's and the command line's end of the pipe: start an engine, ask, hear parts, cancel, end it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from explorer.base.records.models import Roster
from explorer.base.records.record import Failure
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest, Cancelled
from explorer.pipe.first_words import EngineLog, wait_for_engine
from explorer.pipe.frames import (
    LENGTH,
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
    body_length,
    pack,
    unpack_for_client,
)

EngineState = Literal["starting", "ready", "stopped"]
OnPart = Callable[[AnyPart], None]

LOCAL_ENGINE: tuple[str, ...] = (sys.executable, "-m", "explorer.engine")
SILENCE = 20.0
"""Seconds within which an engine must have said that it is one; it does so before it imports torch."""
LAST_WORDS = 0.3
"""Seconds that the log of an engine that ended is waited for: a child of its own may keep it open."""
NOT_RUNNING, STOPPED, FORCED = "the engine is not running", "the engine stopped: ", "it was forced to end"
RESTART = "Press ctrl+r to start it again; no step is lost."
"""What to do on the screen; nothing that a headless verb can do."""


class Answered(msgspec.Struct, frozen=True):
    """An outcome and how long the engine worked on it."""

    outcome: AnyOutcome
    seconds: float


def is_of_stopped_engine(failure: Failure) -> bool:
    """Whether a request failed because the engine ended, so that nothing is known of its answer."""
    return failure.message == NOT_RUNNING or failure.message.startswith(STOPPED)


class Asker(Protocol):
    """What a screen or a verb needs of an engine; `EngineClient` is one, tests have others."""

    def submit(self, request: AnyRequest, on_part: OnPart | None = None) -> Pending:
        """Send `request` at once; the result can be awaited, or cancelled by its number."""

    def cancel(self, number: int) -> None:
        """Ask the engine to stop that request; its outcome still arrives."""


class Pending(msgspec.Struct):
    """A request on its way."""

    number: int
    request: AnyRequest
    answer: asyncio.Future[Answered]
    on_part: OnPart | None = None
    asked_at: float = msgspec.field(default_factory=time.monotonic)


class Listeners(msgspec.Struct):
    """Who is told what happens outside of answers; all called on the event loop."""

    hello: Callable[[Hello], None] = lambda hello: None
    roster: Callable[[Roster], None] = lambda roster: None
    stopped: Callable[[str], None] = lambda reason: None
    log: Callable[[str], None] = lambda line: None


class EngineClient:
    """Runs an engine as a child process and speaks with it. One event loop; never blocks it.

    Requests may be submitted before the engine is up: they wait in the pipe. When the engine ends, by
    itself or by a signal, every pending request is answered with a Failure and `listeners.stopped` is
    called; `start` may then be called again.
    """

    def __init__(
        self, command: Sequence[str] = LOCAL_ENGINE, listeners: Listeners | None = None, patience: float = SILENCE
    ) -> None:
        """`patience`: seconds within which the command must say that it is an engine."""
        self.command = tuple(command)
        self._patience = patience
        self.listeners = listeners or Listeners()
        self.state: EngineState = "starting"
        self.hello: Hello | None = None
        self._pending: dict[int, Pending] = {}
        self._numbers = iter(range(1, sys.maxsize))
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._backlog: list[bytes] = []
        self._cancelled: set[int] = set()
        """Requests that were asked to stop and have not been answered."""
        self._is_forced = False
        self._log = EngineLog()

    async def start(self) -> None:
        """Start the engine; returns as soon as the process exists. Raises OSError where the command cannot run.

        One that runs already says hello again, with the models that it holds by now.
        """
        if self.state == "ready" and self.hello is not None:
            self.listeners.hello(self.hello)
            return
        self.state, self._is_forced = "starting", False
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                # Its own group: the terminal's Ctrl+C is the screen's business, not the engine's.
                start_new_session=True,
            )
        except OSError:
            self.state = "stopped"
            raise
        for frame in self._backlog:
            self._write(frame)
        self._backlog.clear()
        log = asyncio.create_task(self._log.read(self._process.stderr, lambda line: self.listeners.log(line)))
        for task in (log, asyncio.create_task(self._read_answers(self._process, log))):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def submit(self, request: AnyRequest, on_part: OnPart | None = None) -> Pending:
        """Send `request` (or keep it until `start`); see `Asker`."""
        pending = Pending(next(self._numbers), request, asyncio.get_running_loop().create_future(), on_part)
        self._pending[pending.number] = pending
        if self.state == "stopped":
            self._settle(pending.number, Answered(Failure(message=NOT_RUNNING, hint=RESTART), 0.0))
        else:
            self._write(pack(Ask(number=pending.number, request=request)))
        return pending

    async def ask(self, request: AnyRequest, on_part: OnPart | None = None) -> Answered:
        """Send `request` and wait for its outcome; never raises for a request that fails."""
        return await self.submit(request, on_part).answer

    def cancel(self, number: int) -> None:
        """See `Asker`."""
        if number in self._pending:
            self._cancelled.add(number)
            self._write(pack(Cancel(number=number)))

    def cancel_all(self) -> None:
        """Ask the engine to stop whatever was asked."""
        for number in self._pending:
            self.cancel(number)

    async def force(self) -> None:
        """Kill the engine in the middle of whatever it does: of a call of a library that hears nothing. What was
        cancelled is answered as cancelled, the rest fails, and `listeners.stopped` is called before this returns."""
        if (process := self._process) is not None:
            self._is_forced = True
            _kill(process)
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self, grace: float = 0.3) -> None:
        """End the engine: tell it, wait `grace` seconds, then terminate, then kill. Pending requests fail."""
        process, self._process, self.state = self._process, None, "stopped"
        if process is None:
            return
        if process.returncode is None:
            await _end(process, grace)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        # Pipes that are open when the loop ends are closed by the garbage collector, with a traceback on stderr: those
        # that something else still holds, or that a busy machine has not got round to.
        process._transport.close()  # type: ignore[attr-defined]

    def log_lines(self) -> tuple[str, ...]:
        """The engine's last log lines (its stderr)."""
        return self._log.lines()

    def _write(self, frame: bytes) -> None:
        if self._process is None:
            self._backlog.append(frame)
        elif self._process.stdin is not None and not self._process.stdin.is_closing():
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(frame)

    async def _read_answers(self, process: asyncio.subprocess.Process, log: asyncio.Task[None]) -> None:
        assert process.stdout is not None
        reason = ""
        try:
            await wait_for_engine(process.stdout, self._log, self._patience)
            while True:
                prefix = await process.stdout.readexactly(LENGTH.size)
                body = await process.stdout.readexactly(body_length(prefix))
                self._hear(unpack_for_client(body))
        except asyncio.IncompleteReadError:
            pass
        except FrameError as error:
            reason = str(error)
            _kill(process)
        except Exception as error:  # of a record (a plug-in's too) or of a listener: whoever waits must hear of it
            reason = f"an answer could not be taken: {type(error).__name__}: {error}"
            _kill(process)
        status = await process.wait()
        if self._is_forced:
            reason = FORCED
        await asyncio.wait((log,), timeout=LAST_WORDS)
        self._ended(process, reason or _how_it_ended(status, self._log.last()))

    def _hear(self, envelope: ToClient) -> None:
        match envelope:
            case Hello():
                if envelope.protocol != PROTOCOL:
                    raise FrameError(f"the engine speaks protocol {envelope.protocol}, this program {PROTOCOL}")
                self.state, self.hello = "ready", envelope
                self.listeners.hello(envelope)
            case Told():
                pending = self._pending.get(envelope.number)
                if pending is not None and pending.on_part is not None:
                    pending.on_part(envelope.part)
            case Answer():
                self._settle(envelope.number, Answered(envelope.outcome, envelope.seconds))
            case RosterChanged():
                if self.hello is not None:
                    self.hello = msgspec.structs.replace(self.hello, roster=envelope.roster)
                self.listeners.roster(envelope.roster)

    def _settle(self, number: int, answered: Answered) -> None:
        pending = self._pending.pop(number, None)
        self._cancelled.discard(number)
        if pending is not None and not pending.answer.done():
            pending.answer.set_result(answered)

    def _ended(self, process: asyncio.subprocess.Process, reason: str) -> None:
        asked_to_end = self._process is not process
        if not asked_to_end:
            self.state = "stopped"
            self._process = None
        failure = Failure(message=STOPPED + reason, hint=RESTART)
        now = time.monotonic()
        for number, pending in list(self._pending.items()):
            outcome = Cancelled() if number in self._cancelled else failure
            self._settle(number, Answered(outcome, now - pending.asked_at))
        if not asked_to_end:
            self.listeners.stopped(reason)


async def _end(process: asyncio.subprocess.Process, grace: float) -> None:
    """Tell an engine to end, wait `grace` seconds, then terminate it, then kill it."""
    if process.stdin is not None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            process.stdin.write(pack(Quit()))
            process.stdin.close()
    ways: tuple[Callable[[], None], ...] = (lambda: None, process.terminate, process.kill)
    for end in ways:
        with contextlib.suppress(ProcessLookupError):
            end()
        try:
            await asyncio.wait_for(process.wait(), grace)
            break
        except TimeoutError:
            continue


def _kill(process: asyncio.subprocess.Process) -> None:
    """End an engine and what it started, at once."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _how_it_ended(status: int, last: str) -> str:
    if status < 0:
        return f"signal {-status}" + (" (killed: out of memory?)" if status == -9 else "")
    return f"exit status {status}" + (f", {last}" if last else "")
