"""What a slow server holds up: the screen, and a model here, while a verification waits for 2 seconds an answer.

The real App with a real engine process, 120 x 40, headless; the server is that of the tests which speaks as vLLM does,
in a process of its own. The rival is the same without the verification, in the same run.

    python -m benchmarks.bench_server [--seconds 2] [--asks 15]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil
from textual import events
from textual.pilot import Pilot

from benchmarks.bench_stall import Meter, until
from benchmarks.harness import write_section
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.verification import Verify
from explorer.base.servers import ServerEntry
from explorer.base.templates import find_template
from explorer.pipe.client import EngineClient
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.panes.verdicts.pane import VerdictsPane
from explorer.tui.widgets.option_line import Choice

SERVE = """
import sys
from explorer.engine.models.roster import Roster
from tests.remote.fake_vllm import FakeVllm
server = FakeVllm(Roster().load("zoo:starling", "float32", "cpu"))
print(server.url, flush=True)
for line in sys.stdin:
    server.seconds = float(line)
"""


@contextmanager
def serving() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server, and the process that is told by a line how many seconds an answer takes."""
    process = subprocess.Popen([sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.wait()


async def ask_here(app: ExplorerApp, count: int, first: int) -> list[float]:
    """Seconds from asking to answer of so many repeat-backs on the model here."""
    took = []
    for token_id in range(first, first + count):
        request = RepeatBack(model="mynah", token_id=token_id, template=find_template("repeat-1"), max_new_tokens=16)
        began = time.perf_counter()
        await app.client.ask(request)
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.2)
    return took


async def walk(pilot: Pilot[None], seconds: float) -> None:
    """Through the table."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await pilot.press("pagedown")
        await asyncio.sleep(0.15)


def is_verifying(app: ExplorerApp) -> bool:
    """Whether the verification has no answer yet."""
    return any(isinstance(running.pending.request, Verify) for running in app.runs.running.values())


def connections(port: int) -> int:
    """That this program's engine holds to the server."""
    held = [each for child in psutil.Process().children(recursive=True) for each in child.net_connections("tcp")]
    return sum(1 for each in held if each.raddr and each.raddr.port == port and each.status == "ESTABLISHED")


async def measure(seconds: float, asks: int, url: str, server: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """The figures in words."""
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # the engine's: nothing is on disk yet
        lab = ServerEntry(name="lab", url=url, kind="vllm", tokenizer="weights:zoo:starling")
        settings = Settings(models=("server:lab", "zoo:mynah"), servers=(lab,))
        app = ExplorerApp(EngineClient(), SessionWriter(Path(folder) / "s.jsonl"), settings)
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: app.is_open and len(app.selection.roster.models) == 2 and not app.runs.running)
            app.models.choose(next(info for info in app.selection.roster.models if info.name == "lab"))
            await until(pilot, lambda: app.selection.columns is not None and not app.runs.running)
            await ask_here(app, 3, 300)
            async with meter.phase("walking"):
                await walk(pilot, 6)
            alone = await ask_here(app, asks, 400)
            assert server.stdin is not None
            print(seconds, file=server.stdin, flush=True)
            app.query_one(VerdictsPane).query_one("#which", Choice).choose("all tokens")
            await pilot.press("v")
            await until(pilot, lambda: is_verifying(app))
            await asyncio.sleep(7)  # three prompts tell whether it is the same model
            async with meter.phase("verifying"):
                await walk(pilot, 20)
            assert is_verifying(app)
            beside = await ask_here(app, asks, 500)
            assert is_verifying(app)
            began = time.perf_counter()
            app.post_message(events.Key("escape", None))  # a pilot's press waits until all is drawn
            while is_verifying(app):
                await asyncio.sleep(0.005)
            cancelled = time.perf_counter() - began
            await asyncio.sleep(0.2)
            left = connections(int(url.rpartition(":")[2]))
            await pilot.press("q")
    quiet, busy = (1000 * max(meter.worst[name]) for name in ("walking", "verifying"))
    lazy, keen = (1000 * max(meter.worked[name]) for name in ("walking", "verifying"))
    return [
        ("longest gap of the screen's loop, walking through the table, ms", f"{quiet:.0f} | {busy:.0f}"),
        ("the same in processor time, ms", f"{lazy:.0f} | {keen:.0f}"),
        ("median of a repeat-back on a model here, ms", f"{1000 * median(alone):.1f} | {1000 * median(beside):.1f}"),
        ("from Esc to the answer, ms", f"| {1000 * cancelled:.0f}"),
        ("connections to the server after that", f"| {left}"),
    ]


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--asks", type=int, default=15)
    given = parser.parse_args()
    with serving() as (url, process):
        found = asyncio.run(measure(given.seconds, given.asks, url, process))
    lines = [f"A server that takes {given.seconds:g} s an answer, {given.asks} repeat-backs.", ""]
    lines += ["| | without | during its verification |", "|---|---:|---:|"]
    lines += [f"| {name} | {value} |" for name, value in found]
    write_section("Beside a slow server", "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
