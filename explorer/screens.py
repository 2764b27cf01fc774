"""The explorer's screens, one after the other: live, resumed or replayed, with one engine for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING

from explorer.headless.word_parser import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.pipe.client import EngineClient
    from explorer.sessions.file.store import SessionWriter
    from explorer.settings import Settings
    from explorer.tui.live.app import ExplorerApp
    from explorer.tui.shell.openings import Opening, OpenLive, OpenNew, OpenResumed


def safe(text: str) -> str:
    from explorer.base.text import visible

    return visible(text, spaces=False)


def tell(text: str) -> None:
    """One line on stderr."""
    print(f"{PROGRAM}: {safe(text)}", file=sys.stderr)


def client_of(settings: Settings) -> EngineClient:
    from explorer.pipe.client import LOCAL_ENGINE, EngineClient
    from explorer.settings import LIMITS_VARIABLE, engine_words

    if settings.limits != 1:
        os.environ[LIMITS_VARIABLE] = f"{settings.limits:g}"  # an engine on this machine looks at it
    return EngineClient(engine_words(settings) or LOCAL_ENGINE)


class Screens:
    """Screens shown one after the other in one event loop, so that an engine can outlive the screen that started it."""

    def __init__(self, settings: Settings, place: Path | None) -> None:
        self._settings = settings
        self._place = place
        self._loop = asyncio.new_event_loop()
        self._client: EngineClient | None = None
        self._last: SessionWriter | None = None

    def show(self, opening: Opening) -> int:
        """Show what is to be opened and whatever follows it; the exit status. Raises `ExplorerError` where the first
        cannot be opened."""
        from explorer.base.errors import ExplorerError

        status = 0
        following: Opening | None = opening
        try:
            while following is not None:
                try:
                    status, following = self._show_one(following)
                except ExplorerError as error:
                    if following is opening:
                        raise
                    tell(error.line)
                    return 1
        finally:
            if self._client is not None:
                self._loop.run_until_complete(self._client.stop())
            self._loop.close()
            self._tell_session()
        return status

    def _show_one(self, opening: Opening) -> tuple[int, Opening | None]:
        """Show one screen; the exit status, and what its user wants to see next."""
        from explorer.tui.shell.openings import OpenReplay

        if isinstance(opening, OpenReplay):
            from explorer.sessions.file.reader import SessionFile
            from explorer.tui.replay.app import ReplayApp

            replay = ReplayApp(SessionFile(opening.path), self._settings)
            replay.ending.then = opening.back
            replay.run(loop=self._loop)
            return replay.return_code or 0, replay.ending.then
        app = self._explorer(opening)
        app.run(loop=self._loop)
        loss = app.recorder.loss()
        app.session.close()  # what comes next may append to the same file
        self._last = app.session
        if loss:
            with contextlib.suppress(OSError):  # the terminal may be gone
                tell(loss)
        return app.return_code or (1 if loss else 0), app.ending.then

    def _explorer(self, opening: OpenNew | OpenResumed | OpenLive) -> ExplorerApp:
        import msgspec

        from explorer.sessions.file.reader import SessionFile
        from explorer.sessions.file.store import SessionWriter, new_session_path
        from explorer.settings import state_folder
        from explorer.tui.live.app import ExplorerApp
        from explorer.tui.shell.openings import OpenNew, OpenResumed

        settings = self._settings
        self._client = self._client or client_of(settings)
        folder = state_folder(settings) / "sessions"
        if isinstance(opening, OpenNew):
            path = opening.path or new_session_path(folder)
            session = SessionWriter(path, seed=settings.seed, automatic=opening.path is None)
            return ExplorerApp(self._client, session, settings, self._place)
        if isinstance(opening, OpenResumed):
            session = SessionWriter(opening.path, seed=settings.seed)
            settings = msgspec.structs.replace(settings, models=opening.sources)
            return ExplorerApp(self._client, session, settings, self._place, before=SessionFile(opening.path))
        parent = opening.parent.name
        session = SessionWriter(new_session_path(folder), seed=settings.seed, parent=parent, automatic=True)
        settings = msgspec.structs.replace(settings, models=())
        return ExplorerApp(self._client, session, settings, self._place, again=opening.models)

    def _tell_session(self) -> None:
        """Where the last session is and how to resume it, where anything was recorded."""
        if self._last is not None and self._last.path.exists() and sys.stdout.isatty():
            with contextlib.suppress(OSError):
                path = safe(str(self._last.path))
                print(f"session: {path} (resume it: {PROGRAM} --resume {path})")
