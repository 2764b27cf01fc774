"""How the user divided the window is found again at the next start, and no file can spoil it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from explorer.base.errors import ExplorerError
from explorer.engine.handlers import Engine
from explorer.settings import Settings, state_folder
from explorer.tui.shell.room_kept import Division, division_file, read_division, write_division
from tests.app_driver import running, until
from tests.replay_driver import replaying
from tests.tui.snapshot_samples import write_tour


async def test_splits_and_zoom_are_found_again_and_a_replay_keeps_none(tmp_path: Path) -> None:
    engine, kept = Engine(), division_file(state_folder(Settings()))
    async with running(engine, tmp_path, (120, 40), ("zoo:mynah",)) as (app, pilot):
        assert not kept.exists()
        await pilot.press("plus", "plus", "z")
        await until(pilot, lambda: app.workspace.room.division == Division(split=60, is_zoomed=True))
        assert not kept.exists(), "no key waits for the disk"
        app.exit()
        await app.finish()
    assert read_division(kept) == Division(split=60, is_zoomed=True)
    written = kept.read_bytes()
    async with replaying(write_tour(tmp_path / "tour.jsonl")) as (replay, pilot):
        left = replay.query_one("#left")
        assert left.region.width == 120, "zoomed"
        await pilot.press("z")
        await until(pilot, lambda: left.region.width == 72)
        await pilot.press("right_curly_bracket")
        await until(pilot, lambda: left.region.width == 78)
    assert kept.read_bytes() == written


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 4000, b'{"split": 0}', b'{"split": 1e9}', b'{"rows": -5}', b'{"rows": "\x1b[2J"}', b"\xff" * 9,
     b'{"is_zoomed": "yes"}', b" " * 5000],
)  # fmt: skip
def test_a_file_that_is_damaged_is_an_error_of_one_line(tmp_path: Path, content: bytes) -> None:
    path = division_file(tmp_path)
    path.write_bytes(content)
    with pytest.raises(ExplorerError, match="how the window is divided") as raised:
        read_division(path)
    assert "\n" not in raised.value.line


def test_a_pipe_is_not_waited_for_and_unknown_keys_are_left_alone(tmp_path: Path) -> None:
    path = division_file(tmp_path)
    assert read_division(path) == Division()
    os.mkfifo(path)
    with pytest.raises(ExplorerError, match="not a small file"):
        read_division(path)
    path.unlink()
    path.write_bytes(b'{"rows": 9, "later": [1]}')
    assert read_division(path) == Division(rows=9)
    write_division(tmp_path / "new" / "window.json", Division(split=20))
    assert read_division(tmp_path / "new" / "window.json") == Division(split=20)


async def test_a_damaged_file_is_told_once_and_many_rows_leave_the_table_some(tmp_path: Path) -> None:
    kept = division_file(state_folder(Settings()))
    write_division(kept, Division(rows=500))
    async with replaying(write_tour(tmp_path / "tour.jsonl"), (80, 24)) as (app, _):
        assert app.query_one("#detail-pane").region.height == 12
        assert app.query_one("#tokens-pane").region.height > 4
    kept.write_bytes(b"{")
    async with replaying(tmp_path / "tour.jsonl") as (app, _):
        told = [each.message for each in app._notifications if "how the window is divided" in each.message]
        assert len(told) == 1
        assert app.workspace.room.division == Division()
