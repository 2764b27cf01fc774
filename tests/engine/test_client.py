"""The client's end of the pipe, against a real engine process and against processes that misbehave."""

from __future__ import annotations

import asyncio
import gc
import re
import signal
import sys
from pathlib import Path

import pytest

from explorer.base.records.models import ListModels, LoadModel, ModelCatalogue, ModelLoaded, ReadRoster, Roster
from explorer.base.records.record import Failure
from explorer.base.records.unions import Cancelled
from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.pipe.client import EngineClient, EngineState, Listeners, is_of_stopped_engine

PYTHON = (sys.executable, "-c")
ENDS_WITHIN = 30
"""Seconds; half of what the stubborn engine would sleep."""


def state_of(client: EngineClient) -> EngineState:
    """Asked anew at every call, which an attribute is not for the type checker."""
    return client.state


async def test_a_real_engine_loads_ranks_and_ends(shared: Path) -> None:
    rosters: list[Roster] = []
    client = EngineClient(listeners=Listeners(roster=rosters.append))
    before = client.submit(ListModels())  # submitted before the process exists: it waits in the pipe
    await client.start()
    catalogue = (await before.answer).outcome
    assert isinstance(catalogue, ModelCatalogue)
    assert state_of(client) == "ready"
    assert client.hello is not None
    assert client.hello.versions["torch"]
    loaded = (await client.ask(LoadModel(source=str(shared / "models" / "stories260K")))).outcome
    assert isinstance(loaded, ModelLoaded), loaded
    assert [info.name for info in rosters[-1].models] == [loaded.info.name]
    ranking = (await client.ask(RankTokens(model=loaded.info.name, top=5))).outcome
    assert isinstance(ranking, RankedTokens)
    assert len(ranking.rows) == 5
    async with asyncio.timeout(ENDS_WITHIN):
        await client.stop()
    assert state_of(client) == "stopped"
    after = (await client.ask(ReadRoster())).outcome
    assert isinstance(after, Failure)
    assert "not running" in after.message


async def test_a_killed_engine_fails_what_was_asked_and_can_be_started_again() -> None:
    reasons: list[str] = []
    stopped = asyncio.Event()

    def on_stop(reason: str) -> None:
        reasons.append(reason)
        stopped.set()

    client = EngineClient((*PYTHON, "import sys; sys.stdin.read()"), Listeners(stopped=on_stop))
    await client.start()
    pending = client.submit(ReadRoster())
    assert client._process is not None
    client._process.send_signal(signal.SIGKILL)
    outcome = (await asyncio.wait_for(pending.answer, 5)).outcome
    assert isinstance(outcome, Failure)
    assert "signal 9" in outcome.message
    await asyncio.wait_for(stopped.wait(), 5)
    assert state_of(client) == "stopped"
    assert "signal 9" in reasons[0]
    await client.start()
    assert state_of(client) == "starting"
    await client.stop()


WRITES = "import sys, time; write = sys.stdout.buffer.write; from explorer.pipe.frames import *; "


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "print('Welcome to BOX', flush=True); import time; time.sleep(60)",
            "no engine spoke within 2 s .*'Welcome to",
        ),
        ("import sys, time; sys.stderr.write('Password: '); sys.stderr.flush(); time.sleep(60)", "'Password: '"),
        ("import time; time.sleep(60)", "no engine spoke within 2 s [^;]*$"),
        ("import sys\nwhile True: sys.stdout.write('no line ends ')", "writes without end"),
        ("while True: print('a line')", "it writes 'a line' and more"),
        ("import sys\nwhile True: sys.stderr.write('a flood of words ' * 99 + chr(10))", "no engine spoke"),
        (WRITES + "write(MAGIC + LENGTH.pack(3) + b'abc'); sys.stdout.flush()", "not an answer"),
        (WRITES + "write(MAGIC + LENGTH.pack(2**32 - 1)); sys.stdout.flush(); time.sleep(60)", "not a frame"),
        (WRITES + "write(MAGIC + pack(Cancel(number=1))); sys.stdout.flush(); time.sleep(60)", "not an answer"),
        ("import sys; sys.exit('no torch here')", "no torch here"),
    ],
)
async def test_a_child_that_is_no_engine_is_reported_in_words(program: str, said: str) -> None:
    client = EngineClient((*PYTHON, program), patience=2.0)
    await client.start()
    outcome = (await asyncio.wait_for(client.ask(ReadRoster()), 30)).outcome
    assert isinstance(outcome, Failure)
    assert re.search(said, outcome.message), outcome.message
    assert sum(map(len, client.log_lines())) < 10_000_000
    await client.stop()


async def test_a_banner_before_the_engine_is_skipped() -> None:
    banner = "Last login: today\nWelcome to BOX"  # without an end of line
    client = EngineClient(("sh", "-c", f"printf '{banner}'; exec {sys.executable} -m explorer.engine"))
    await client.start()
    outcome = (await asyncio.wait_for(client.ask(ReadRoster()), 60)).outcome
    assert isinstance(outcome, Roster)
    await client.stop()


async def test_an_engine_in_a_call_that_hears_nothing_is_forced_and_what_was_cancelled_is_said_so(
    tmp_path: Path,
) -> None:
    """The engine is stopped by a signal: it reads nothing and answers nothing, as in a call of a library."""
    stopped: list[str] = []
    client = EngineClient(listeners=Listeners(stopped=stopped.append))
    await client.start()
    await client.ask(ReadRoster())
    assert client._process is not None
    client._process.send_signal(signal.SIGSTOP)
    cancelled, other = client.submit(ListModels()), client.submit(ReadRoster())
    client.cancel(cancelled.number)
    await asyncio.sleep(0.1)
    assert not cancelled.answer.done()
    async with asyncio.timeout(ENDS_WITHIN):
        await client.force()
        assert (await cancelled.answer).outcome == Cancelled()
        assert isinstance((await other.answer).outcome, Failure)
    assert stopped == ["it was forced to end"]
    await client.start()
    assert isinstance((await client.ask(ReadRoster())).outcome, Roster)
    await client.stop()


async def test_an_answer_that_the_program_cannot_take_ends_the_engine_and_not_the_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_down(body: bytes) -> None:
        raise TypeError("all Struct types must be tagged")

    client = EngineClient()
    monkeypatch.setattr("explorer.pipe.client.unpack_for_client", break_down)
    pending = client.submit(ListModels())
    await client.start()
    outcome = (await asyncio.wait_for(pending.answer, ENDS_WITHIN)).outcome
    assert isinstance(outcome, Failure)
    assert "an answer could not be taken: TypeError: all Struct types must be tagged" in outcome.message
    assert state_of(client) == "stopped"


async def test_the_last_words_of_a_child_are_waited_for() -> None:
    client = EngineClient(("sh", "-c", "exec >&-; (sleep 0.1; echo ssh: permission denied >&2) & exit 255"))
    await client.start()
    outcome = (await asyncio.wait_for(client.ask(ReadRoster()), 5)).outcome
    assert isinstance(outcome, Failure)
    assert is_of_stopped_engine(outcome)
    assert outcome.message.endswith("exit status 255, ssh: permission denied")
    assert client.log_lines() == ("ssh: permission denied",)
    assert "ctrl+r" in outcome.hint
    again = (await client.ask(ReadRoster())).outcome
    assert isinstance(again, Failure)
    assert is_of_stopped_engine(again)


async def test_a_command_that_does_not_exist_is_an_oserror() -> None:
    client = EngineClient(("/nowhere/glitch-engine",))
    with pytest.raises(OSError, match="nowhere"):
        await client.start()
    assert state_of(client) == "stopped"


async def test_an_engine_that_ignores_everything_is_killed_soon() -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    client = EngineClient((*PYTHON, program))
    await client.start()
    async with asyncio.timeout(ENDS_WITHIN):
        await client.stop()


def test_pipes_that_something_else_holds_leave_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    held = "import subprocess, time; subprocess.Popen(['sleep', '3']); time.sleep(60)"

    async def begin_and_end() -> None:
        client = EngineClient((*PYTHON, held))
        await client.start()
        await asyncio.sleep(0.5)
        await client.stop(0.1)

    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: unraisable.append(told.exc_value))
    asyncio.run(begin_and_end())
    gc.collect()
    assert unraisable == []
