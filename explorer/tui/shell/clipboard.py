"""The clipboard of this machine's desktop, where there is one (pyperclip); the terminal's (OSC 52) is Textual's.

pyperclip runs in a child process: the tools that it calls may hang, and write errors over the screen.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import Any

from textual.app import App

from explorer.tui.shell.guarded import run_guarded

COMMAND = (sys.executable, "-P", "-X", "utf8", "-m", "pyperclip", "--copy")
"""Copies what stands on its stdin. `-P`: no module of the current folder is taken for pyperclip."""
SECONDS = 5.0
"""After which a tool that hangs is ended."""


class SystemClipboard:
    """Takes a text beside the terminal's clipboard; where there is none, nothing is said."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app

    def put(self, text: str) -> None:
        """Copy `text` in the background, in place of one that is on its way. Not where the screen is a test's."""
        if not self._app.is_headless:
            run_guarded(self._app, partial(copy_by_child, text), group="clipboard", exclusive=True)


async def copy_by_child(text: str, seconds: float = SECONDS) -> None:
    """Copy `text`; ends after `seconds` at the latest, and whatever fails is not told."""
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        child = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=pipe, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
    except OSError:
        return
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await child.communicate(text.encode(errors="replace"))
    finally:
        if child.returncode is None:  # with the tools that it started: they are of its process group
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
