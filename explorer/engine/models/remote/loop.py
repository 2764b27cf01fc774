"""An event loop of one model's clients: it runs on whichever thread asks, only while that thread waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from explorer.engine.control import stop_if_cancelled
from explorer.engine.models.errors import ModelError

T = TypeVar("T")

LOOK_SECONDS = 0.1
"""Seconds between two looks whether the request was cancelled."""
MOMENT = 0.2
"""Seconds, at least, between two returns of `stream`: what came is stored then, and others may be let pass."""


class Loop:
    """Runs coroutines for callers that are none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()

    def run(self, works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """The results of `works`; the first error ends all of them.

        Raises `Stopped` within a look once the request at work is cancelled: connections are closed, not waited for.
        """
        return self._complete(self._all(works))

    def stream(self, work: Coroutine[Any, Any, None], news: asyncio.Event) -> Iterator[None]:
        """Run `work`, and return to the caller now and then where `news` was set, and at the end. Raises as `run`; what
        `work` does stands still while nothing runs on this loop."""
        task = self._complete(_begin(work))
        try:
            while not task.done():
                self._complete(self._until(task, news))
                yield
            task.result()
        finally:
            if not task.done() and not self._loop.is_closed():
                task.cancel()
                self._complete(_settle([task]))

    def _complete(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._loop.is_closed():
                work.close()
                raise ModelError("the model behind the server was unloaded")
            return self._loop.run_until_complete(work)

    async def _until(self, task: asyncio.Task[None], news: asyncio.Event) -> None:
        soonest = time.monotonic() + MOMENT
        while not task.done() and not (news.is_set() and time.monotonic() >= soonest):
            await asyncio.wait([task], timeout=LOOK_SECONDS)
            stop_if_cancelled()
        news.clear()

    async def _all(self, works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        tasks = [asyncio.ensure_future(work) for work in works]
        pending: set[asyncio.Future[T]] = set(tasks)
        try:
            while pending:
                done, pending = await asyncio.wait(pending, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    task.result()
                stop_if_cancelled()
            return [task.result() for task in tasks]
        finally:
            for task in pending:
                task.cancel()
            await _settle(tasks)  # also those that failed beside the first: asyncio tells of an error nobody looked at

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run `last`, and nothing more."""
        self._complete(last)
        self._loop.close()


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of `works`; the first error ends all of them, so that none asks on behind its caller's back."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await _settle(tasks)


async def _begin(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.ensure_future(work)


async def _settle(tasks: Sequence[asyncio.Future[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
