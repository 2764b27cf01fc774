"""Every pane in every state, and every dialogue, as a picture: `make snapshots` takes them anew.

Records are fixed, nothing is computed and no clock is on the screen. Sizes and themes are spread over the states.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from explorer.base.records.models import ModelCatalogue, Roster
from explorer.base.records.vocabulary import UnusedReference
from explorer.sessions.file.reader import SessionFile
from explorer.settings import Settings
from explorer.specs.registry import REGISTRY, resolve
from explorer.tui.panes.base import Pane
from explorer.tui.panes.takeaway import Clip
from explorer.tui.replay.app import ReplayApp
from explorer.tui.screens.add_server import AddServer
from explorer.tui.screens.ask_line import AskLine
from explorer.tui.screens.copy_menu import CopyMenu
from explorer.tui.screens.defect import DefectScreen
from explorer.tui.screens.dialog import Dialog
from explorer.tui.screens.help import HelpScreen
from explorer.tui.screens.log import LogScreen
from explorer.tui.screens.models import ModelsScreen
from explorer.tui.screens.sessions import SessionsScreen
from explorer.tui.screens.unused import UnusedScreen
from explorer.tui.shell.guarded import Defect
from explorer.tui.widgets.option_line import Choice
from tests.app_driver import settled, until
from tests.tui.pane_samples import Harness
from tests.tui.screens.test_dialogues import CATALOGUE, ROSTER
from tests.tui.snapshot_samples import SAMPLES, STEPS, Sample, show_sample, write_tour

SIZES = [(80, 24), (120, 40), (200, 60)]
THEMES = ("nightjar", "gull")
"""A dark and a light one."""
Snap = Callable[..., bool]


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


class ThemedHarness(Harness):
    """One pane, or one dialogue, in a theme."""

    def __init__(self, pane: Pane, theme: str, sample: Sample | None = None, dialogue: Dialog[Any] | None = None):
        super().__init__(pane, sample.selection if sample is not None else None)
        self.theme = theme
        self.dialogue = dialogue

    def on_mount(self) -> None:
        super().on_mount()
        if self.dialogue is not None:
            self.push_screen(self.dialogue)


def pane_of(name: str) -> Pane:
    tab = next(tab for tab in REGISTRY.tabs() if tab.name == name)
    pane: Pane = resolve(tab.pane).made_for(Settings(), id=f"{name}-pane")
    return pane


def pictures() -> Iterator[Any]:
    """Every state once, the full ones at every size; sizes and themes in turn."""
    sizes, themes = cycle(SIZES), cycle((*THEMES, *reversed(THEMES)))
    for name, states in SAMPLES.items():
        for state in states:
            for size in SIZES if state == "full" else [next(sizes)]:
                theme = next(themes)
                yield pytest.param(name, state, size, theme, id=f"{name}-{state}-{size[0]}x{size[1]}-{theme}")


@pytest.mark.parametrize(("name", "state", "size", "theme"), pictures())
def test_a_pane_looks_as_it_did(snap_compare: Snap, name: str, state: str, size: tuple[int, int], theme: str) -> None:
    sample, pane = SAMPLES[name][state], pane_of(name)

    async def show(pilot: Pilot[None]) -> None:
        await pilot.pause()
        show_sample(pane, sample, state)
        for selector, chosen in sample.choices.items():
            pane.query_one(selector, Choice).value = chosen
        pane.focus_content()
        await settled(pilot)

    assert snap_compare(ThemedHarness(pane, theme, sample), terminal_size=size, run_before=show)


def dialogues(folder: Path) -> dict[str, Dialog[Any]]:
    """Every dialogue, with fixed content."""
    traceback = "\n".join(f'  File "explorer/tui/panes/pane.py", line {line}, in draw' for line in range(1, 60, 7))
    references = [UnusedReference(token_id=token_id, reason="its name says so") for token_id in (192, 245, 246, 247)]
    return {
        "help": HelpScreen({"repeat": "R"}),
        "log": LogScreen([f"engine: line {number}" for number in range(50)]),
        "export": AskLine("Export the tokens to", placeholder=".csv .parquet .md .jsonl .bias.json .ban.json"),
        "wrong-answer": AskLine("Go to step", initial="x", validate=lambda answer: f"{answer!r} is no whole number."),
        "models": ModelsScreen(ROSTER, CATALOGUE, selected="mynah"),
        "models-loading": ModelsScreen(ROSTER),
        "models-empty": ModelsScreen(Roster(models=(), devices=()), ModelCatalogue(entries=())),
        "sessions": SessionsScreen(folder, current=folder / "now.jsonl"),
        "defect": DefectScreen(Defect("ValueError: no such column", f"Traceback:\n{traceback}")),
        "unused": UnusedScreen(references, 3072, text_of=lambda token_id: f"<unused{token_id}>"),
        "copy": CopyMenu([Clip(f"form {number} of the token", str) for number in range(30)]),
        "add-server": AddServer(lambda entry: entry),
    }  # fmt: skip


NAMES = tuple(dialogues(Path()))


@pytest.mark.parametrize(
    ("name", "size", "theme"),
    [
        pytest.param(name, size, theme, id=f"{name}-{size[0]}x{size[1]}-{theme}")
        for name, size, theme in zip(NAMES, cycle(SIZES), cycle((*THEMES, *reversed(THEMES))), strict=False)
    ],
)
def test_a_dialogue_looks_as_it_did(
    snap_compare: Snap, tmp_path: Path, name: str, size: tuple[int, int], theme: str
) -> None:
    os.utime(write_tour(tmp_path / "tour.jsonl"), (2, 2))
    (tmp_path / "broken.jsonl").write_text("this is no session\n")
    os.utime(tmp_path / "broken.jsonl", (1, 1))
    app = ThemedHarness(pane_of("session"), theme, dialogue=dialogues(tmp_path)[name])
    assert snap_compare(app, terminal_size=size, run_before=settled)


@pytest.mark.parametrize("place", range(3), ids=[f"{width}x{height}" for width, height in SIZES])
def test_the_whole_program_looks_as_it_did(snap_compare: Snap, tmp_path: Path, place: int) -> None:
    """A replay of a session that this test wrote, in a step of another tab at each size."""
    app = ReplayApp(SessionFile(write_tour(tmp_path / "tour.jsonl")), Settings(theme=THEMES[place % 2]))
    last = (3, len(STEPS) - 1, 4)[place]

    async def go(pilot: Pilot[None]) -> None:
        await until(
            pilot,
            lambda: app.is_open and app.reading.is_complete,
        )
        app.current.jump(last)
        await until(pilot, lambda: app.current.position == last)
        await settled(pilot)

    assert snap_compare(app, terminal_size=SIZES[place], run_before=go)
