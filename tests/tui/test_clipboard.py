"""The clipboard of the desktop gets what is copied, and nothing is told or waited for where there is none."""

from __future__ import annotations

import asyncio
import stat
import time
from pathlib import Path

import pytest
from textual.app import App

from explorer.tui.shell import clipboard
from explorer.tui.shell.clipboard import copy_by_child

TEXT = "ab \u00e9 \u4e2d\nsecond line"


def put_tool(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have `xclip` be a script of our own, the only one there is."""
    tool = folder / "xclip"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


async def test_the_tool_gets_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyperclip", reason="pyperclip is not installed")
    put_tool(tmp_path, monkeypatch, f"cat > {tmp_path}/got")
    await copy_by_child(TEXT)
    assert (tmp_path / "got").read_text() == TEXT


async def test_a_tool_that_fails_or_hangs_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyperclip", reason="pyperclip is not installed")
    put_tool(tmp_path, monkeypatch, "echo 'no display' >&2; echo no; exit 1")
    await copy_by_child(TEXT)
    put_tool(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    begun = time.monotonic()
    await copy_by_child(TEXT, seconds=0.5)
    assert time.monotonic() - begun < 30
    if (tmp_path / "pid").exists():  # else it was ended before it called the tool
        pid = (tmp_path / "pid").read_text().strip()
        while _runs(pid):
            await asyncio.sleep(0.01)
    assert capfd.readouterr() == ("", "")


def _runs(pid: str) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


async def test_without_a_clipboard_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyperclip.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")  # is not ours to run
    await copy_by_child(TEXT)
    assert not (tmp_path / "run").exists()
    assert capfd.readouterr() == ("", "")


class Seen(App[None]):
    """As on a terminal: not in the way of a test."""

    @property
    def is_headless(self) -> bool:
        return False


@pytest.mark.parametrize(("kind", "expected"), [(Seen, ["two"]), (App, [])])
async def test_the_last_text_is_put_there_and_none_by_a_test(
    kind: type[App[None]], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[str] = []

    async def copy(text: str) -> None:
        await asyncio.sleep(0)  # as a child takes its time: another text comes meanwhile
        got.append(text)

    monkeypatch.setattr(clipboard, "copy_by_child", copy)
    app = kind()
    async with app.run_test():
        for text in ("one", "two"):
            clipboard.SystemClipboard(app).put(text)
        await app.workers.wait_for_complete(list(app.workers)[-1:])
    assert got == expected
