"""The map in every kind of theme at every size, without colours, and in sixteen."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from textual.pilot import Pilot

from explorer.tui.panes.map.canvas import MapCanvas
from explorer.tui.panes.map.spots import GLYPHS
from tests.app_driver import settled
from tests.tui.snapshot_samples import SAMPLES, show_sample
from tests.tui.test_pane_snapshots import SIZES, Snap, ThemedHarness, pane_of
from tests.tui.token_samples import screen_lines

DARK, LIGHT, HIGH_CONTRAST = "nightjar", "gull", "magpie"
SAMPLE = SAMPLES["map"]["full"]
_COLOURS = re.compile(r"\x1b\[([\d;]*)m")


def harness(theme: str) -> ThemedHarness:
    return ThemedHarness(pane_of("map"), theme, SAMPLE)


async def show(pilot: Pilot[None]) -> None:
    await pilot.pause()
    app = pilot.app
    assert isinstance(app, ThemedHarness)
    show_sample(app.pane, SAMPLE, "full")
    app.pane.focus_content()
    await settled(pilot)


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
@pytest.mark.parametrize("theme", [DARK, LIGHT, HIGH_CONTRAST])
def test_the_map_looks_as_it_did(snap_compare: Snap, theme: str, size: tuple[int, int]) -> None:
    assert snap_compare(harness(theme), terminal_size=size, run_before=show)


def test_without_colours_it_looks_as_it_did(snap_compare: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(harness(DARK), terminal_size=SIZES[1], run_before=show)


@pytest.mark.parametrize("theme", [DARK, LIGHT, HIGH_CONTRAST])
async def test_sixteen_colours_tell_density_and_roles_by_glyphs(theme: str) -> None:
    app = harness(theme)
    async with app.run_test(size=SIZES[1]) as pilot:
        await show(pilot)
        out = io.StringIO()
        console = Console(file=out, color_system="standard", force_terminal=True, width=400)
        strips = app.query_one(MapCanvas).drawn.strips
        written = "\n".join(strip.render(console) for strip in strips)
        assert _COLOURS.sub("", written) == "\n".join(strip.text for strip in strips)
        codes = {code for found in _COLOURS.findall(written) for code in found.split(";")}
        assert codes <= {"", "0", "1", *map(str, range(30, 38)), *map(str, range(90, 98))}
        assert len(codes - {"", "0", "1"}) >= 4, "low and high are told apart"
        screen = "\n".join(screen_lines(app))
        roles = {point.role for point in SAMPLE.steps[0][1].points}  # type: ignore[union-attr]
        assert roles
        assert all(GLYPHS[role] in screen for role in roles)
        assert len(set(GLYPHS.values())) == len(GLYPHS)
