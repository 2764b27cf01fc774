"""Writes the session file while the program runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from explorer.base.records.unions import Step
from explorer.sessions.file.store import SessionWriter


class SessionRecorder:
    """Writes steps to the session file off the event loop, in order and as many at once as wait; a slow disk never
    holds a key up."""

    def __init__(
        self, session: SessionWriter, wrote: Callable[[Sequence[Step], str], None], failed: Callable[[Exception], None]
    ) -> None:
        """`wrote(steps, trouble)` is called after each attempt to write steps, `failed` for an unexpected error; both
        on the event loop."""
        self.session = session
        self._wrote = wrote
        self._failed = failed
        self._waiting: asyncio.Queue[Step] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._at_the_file = asyncio.Lock()

    def start(self) -> None:
        """Begin to write; needs the running event loop."""
        self._task = asyncio.create_task(self._write())

    def record(self, step: Step) -> None:
        """Put `step` in line for the disk."""
        self._waiting.put_nowait(step)

    async def save_as(self, path: Path) -> None:
        """Continue in another file, with everything so far. Raises `ExplorerError`."""
        await self._waiting.join()
        async with self._at_the_file:
            await asyncio.to_thread(self.session.save_as, path)

    async def finish(self, seconds: float = 5.0) -> None:
        """Wait until everything is on disk (or `seconds` are over), then stop. What failed is tried once more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._waiting.join()
                async with self._at_the_file:
                    if self.session.unwritten:
                        await asyncio.to_thread(self.session.flush)
        if self._task is not None:
            self._task.cancel()

    def loss(self) -> str:
        """What the user must hear of steps that are not on disk; empty where all are."""
        return self.session.loss(more=self._waiting.qsize())

    async def _write(self) -> None:
        while True:
            steps = [await self._waiting.get()]
            while not self._waiting.empty():  # one wait for the disk for all of them: the lag does not grow
                steps.append(self._waiting.get_nowait())
            try:
                async with self._at_the_file:
                    await asyncio.to_thread(self.session.append, *steps)
                self._wrote(steps, self.session.trouble)
            except Exception as error:  # the steps that follow must be written all the same
                self._failed(error)
            finally:
                for _ in steps:
                    self._waiting.task_done()
