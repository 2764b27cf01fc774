"""The map in every kind of theme at every size, without colours, and in sixteen."""

from __future__ import annotations

import io
import re
from functools import partial

import msgspec
import pytest
from rich.console import Console
from textual.geometry import Region
from textual.pilot import Pilot

from explorer.base.records.map_colours import MapClass, MapClasses
from explorer.base.records.map_regions import MapRegion
from explorer.base.records.maps import MapView, ViewMap
from explorer.tui.panes.map.canvas import MapCanvas
from explorer.tui.panes.map.classes import ClassLegend, class_legend
from explorer.tui.panes.map.spots import GLYPHS
from tests.app_driver import settled
from tests.hostile import HOSTILE
from tests.tui.snapshot_samples import SAMPLES, Sample, map_view, show_sample
from tests.tui.test_pane_snapshots import SIZES, Snap, ThemedHarness, pane_of
from tests.tui.token_samples import screen_lines

DARK, LIGHT, HIGH_CONTRAST = "nightjar", "gull", "magpie"
SAMPLE = SAMPLES["map"]["full"]
_COLOURS = re.compile(r"\x1b\[([\d;]*)m")


def classed_sample() -> Sample:
    """The same map, its seven colours as verdicts."""
    names = ("verified", "weak", "controls fail too", "inconclusive", "rejected", "not asked", "unreachable")
    named = tuple(MapClass(name=name, tokens=3 ** (place + 1), in_view=place) for place, name in enumerate(names))
    found = MapClasses(
        rule="rarest", named=named,
        rest=MapClass(name="rejected by all", tokens=2_345, in_view=2_300), notes=("Told by what is on this disk.",),
    )  # fmt: skip
    points = tuple(msgspec.structs.replace(point, in_class=2, value=None) for point in map_view().points)
    view = msgspec.structs.replace(map_view(), colour="verdict", colour_edges=(), classes=found, points=points)
    return Sample(steps=((ViewMap(model="mynah", colour="verdict"), view),))


def regioned_sample() -> Sample:
    """The same map with names of its regions: one of hostile text, one that has no room beside a label."""
    named = (("Latin", 1.5, 0.8), ("reference tokens", -4.1, -1.8), (HOSTILE[0], 3.5, 2.2), ("Han", -3.9, -1.9))
    regions = tuple(MapRegion(name=name, share=0.9 - place / 8, x=x, y=y) for place, (name, x, y) in enumerate(named))
    return Sample(steps=((ViewMap(model="mynah"), msgspec.structs.replace(map_view(), regions=regions)),))


CLASSED, REGIONED = classed_sample(), regioned_sample()


def harness(theme: str, sample: Sample = SAMPLE) -> ThemedHarness:
    return ThemedHarness(pane_of("map"), theme, sample)


async def show(pilot: Pilot[None], sample: Sample = SAMPLE) -> None:
    await pilot.pause()
    app = pilot.app
    assert isinstance(app, ThemedHarness)
    show_sample(app.pane, sample, "full")
    app.pane.focus_content()
    await settled(pilot)


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
@pytest.mark.parametrize("theme", [DARK, LIGHT, HIGH_CONTRAST])
def test_the_map_looks_as_it_did(snap_compare: Snap, theme: str, size: tuple[int, int]) -> None:
    assert snap_compare(harness(theme), terminal_size=size, run_before=show)


@pytest.mark.parametrize(("theme", "size"), list(zip((DARK, LIGHT, HIGH_CONTRAST), SIZES, strict=False)))
def test_names_of_regions_look_as_they_did(snap_compare: Snap, theme: str, size: tuple[int, int]) -> None:
    assert snap_compare(harness(theme, REGIONED), terminal_size=size, run_before=partial(show, sample=REGIONED))


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


async def test_another_theme_is_on_the_whole_map_at_once() -> None:
    app = harness(DARK)
    async with app.run_test(size=SIZES[1]) as pilot:
        await show(pilot)
        canvas = app.query_one(MapCanvas)
        for theme in (LIGHT, HIGH_CONTRAST, DARK):
            app.theme = theme
            await settled(pilot)
            drawn = canvas.render_lines(Region(0, 0, *canvas.size))
            grounds = {segment.style.bgcolor for strip in drawn for segment in strip if segment.style}
            assert grounds == {canvas.visual_style.rich_style.bgcolor}


@pytest.mark.parametrize("theme", [DARK, LIGHT, HIGH_CONTRAST])
def test_classes_look_as_they_did(snap_compare: Snap, theme: str) -> None:
    assert snap_compare(harness(theme, CLASSED), terminal_size=SIZES[1], run_before=partial(show, sample=CLASSED))


def test_classes_without_colours_look_as_they_did(snap_compare: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(harness(DARK, CLASSED), terminal_size=SIZES[0], run_before=partial(show, sample=CLASSED))


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
async def test_every_class_is_named_and_counted_at_every_size(size: tuple[int, int]) -> None:
    app = harness(DARK, CLASSED)
    async with app.run_test(size=size) as pilot:
        await show(pilot, CLASSED)
        screen = "\n".join(screen_lines(app))
        ((_, view),) = CLASSED.steps
        assert isinstance(view, MapView)
        assert view.classes is not None
        for _, found in view.classes.present:
            assert f"⣿ {found.name} {found.in_view:,} of {found.tokens:,}" in screen
        assert "a cell shows its rarest class" in screen
        assert "…" not in "\n".join(line.plain for line in class_legend("verdict", view.classes, 76))


async def test_sixteen_colours_tell_most_classes_apart() -> None:
    app = harness(DARK, CLASSED)
    async with app.run_test(size=SIZES[1]) as pilot:
        await show(pilot, CLASSED)
        out = io.StringIO()
        console = Console(file=out, color_system="standard", force_terminal=True, width=400)
        legend = app.query_one(ClassLegend)
        out.write("".join(strip.render(console) for strip in legend.render_lines(Region(0, 0, *legend.size))))
        codes = {code for found in _COLOURS.findall(out.getvalue()) for code in found.split(";")}
        assert codes <= {"", "0", "1", *map(str, range(30, 38)), *map(str, range(40, 48)), *map(str, range(90, 108))}
        assert len({code for code in codes if code[:1] in ("3", "9")}) >= 5


@pytest.mark.parametrize("width", [20, 40, 76, 120])
def test_a_legend_is_never_wider_than_its_lines_and_safe(width: int) -> None:
    named = tuple(MapClass(name=text, tokens=1) for text in HOSTILE[:7])
    found = MapClasses(rule="most above average", named=named, rest=MapClass(name="x" * 300, tokens=1),
                       notes=("5 groups on this plane (HDBSCAN); 3.4 % of the tokens are in none",))  # fmt: skip
    lines = class_legend("script", found, width)
    assert all(line.cell_length <= width for line in lines)
    assert not any(character in line.plain for line in lines for character in "\x1b\x07\u202e\x9b\n")
    assert len([line for line in lines if "⣿" in line.plain]) > 0
    assert "3.4 % of the tokens are in none" in " ".join(line.plain for line in lines), "notes are never cut"
