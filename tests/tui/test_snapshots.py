"""The last screen of every sample session, as a picture. `make snapshots` takes them anew after `make sessions`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.recent import sample_sessions
from explorer.settings import Settings
from explorer.tui.replay.app import ReplayApp
from tests.app_driver import settled, until


@pytest.mark.parametrize("path", [listed.path for listed in sample_sessions()], ids=lambda path: path.stem)
def test_the_last_screen_of_a_sample_is_as_it_was(
    path: Path, snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    app = ReplayApp(SessionFile(path), Settings())

    async def go_to_the_end(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.is_open and app.reading.index.complete)
        app.current.jump(len(app.session) - 1)
        await until(pilot, lambda: app.current.position == len(app.session) - 1)
        await settled(pilot)

    assert snap_compare(app, run_before=go_to_the_end, terminal_size=(120, 40))
