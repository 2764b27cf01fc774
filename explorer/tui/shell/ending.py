"""How the program ends: by its key, for another screen, or because the terminal is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from textual.app import App

from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.openings import Opening
from explorer.tui.shell.signals import end_for_sure, end_on_signals

LONGEST_END = 10.0
"""Seconds that the last steps may take to reach the disk once the terminal is closed."""
ENDED_BY = {"SIGHUP": 129, "SIGTERM": 143}
"""Exit statuses as shells have them: 128 and the signal's number."""


class Ending:
    """Ends the App; `finish` does what must be done before."""

    def __init__(self, app: App[Any], finish: Callable[[], Awaitable[None]]) -> None:
        self._app = app
        self._finish = finish
        self.then: Opening | None = None
        """What the user wants to see next, when this screen has ended."""

    def heed_signals(self) -> None:
        """A closed terminal and a request to end are taken as the user's `quit`."""

        def end(name: str) -> None:
            run_guarded(self._app, partial(self._end, name))

        end_on_signals(asyncio.get_running_loop(), end)

    async def _end(self, signal_name: str) -> None:
        status = ENDED_BY.get(signal_name, 1)
        self.then = None
        end_for_sure(status, LONGEST_END)
        with self._app.batch_update():  # nothing is drawn: there may be no terminal left to take it
            await self._finish()
        end_for_sure(status, 1.0)
        self._app.exit(return_code=status)

    async def quit(self) -> None:
        """Everything is on disk when this returns; no model is waited for."""
        await self._finish()
        self._app.exit()

    async def leave_for(self, opening: Opening) -> None:
        """End this screen; `opening` is shown next."""
        self.then = opening
        await self.quit()
