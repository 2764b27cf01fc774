"""What the Map pane draws, as pure functions: a window of a cloud with named tokens, and the words around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from textual.content import Content
from textual.strip import Strip

from explorer.base.records.map_colours import MapClasses
from explorer.base.records.map_regions import MapRegion
from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.maps import MapAxis, MapPoint, MapQuality, Window
from explorer.base.records.tokens import LABELS
from explorer.base.text import visible
from explorer.specs.blocks import count
from explorer.tables.map_cells import Cloud
from explorer.tables.maps import count_classes
from explorer.tui.panes.map.raster import Raster, raster, raster_strips
from explorer.tui.panes.map.regions import label_regions
from explorer.tui.panes.map.spots import GLYPHS, STRONG, WORDS, Seen, find_seen, label_seen, spots_of, vector_words
from explorer.tui.shell.themes import RAMP
from explorer.tui.widgets.labels import place_labels
from explorer.tui.widgets.plot import Label, Palette, Point, Rgb

_RAMP_GLYPH = "⣿"


def _no_regions(window: Window) -> tuple[MapRegion, ...]:
    return ()


@dataclass(frozen=True)
class Scene:
    """A window of a map."""

    model: str
    cloud: Cloud
    window: Window
    x_axis: MapAxis
    y_axis: MapAxis
    points: tuple[MapPoint, ...] = ()
    """Named tokens, the most important first."""
    vectors: tuple[PlacedVector, ...] = ()
    regions: Callable[[Window], tuple[MapRegion, ...]] = _no_regions
    """Names the parts of a window; called in a thread."""
    colour: str = ""
    colour_edges: tuple[float, ...] = ()
    left_out: int = 0
    quality: MapQuality | None = None
    notes: tuple[str, ...] = ()
    total: int | None = None
    """Tokens that have a place, where the cloud does not tell: recorded cells know it to half an octave."""
    outside: int = 0
    """Those of them that the cloud does not hold: recorded cells end at their window."""
    is_recorded: bool = False
    """Whether only the cells are here, so that no token but the named ones can be picked."""

    def through(self, window: Window) -> Scene:
        """The same through another window."""
        return replace(self, window=window)


@dataclass(frozen=True)
class Drawn:
    """A scene on a screen."""

    strips: list[Strip] = field(default_factory=list)
    raster: Raster | None = None
    beyond: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Tokens beyond the left, right, lower and upper edge."""
    unlabelled: int = 0
    """Named tokens in the window without a label."""
    classes: MapClasses | None = None
    """The classes that the colours stand for, with what is in the window."""


def draw(scene: Scene, columns: int, rows: int, palette: Palette, shows_regions: bool = True) -> Drawn:
    """The scene on `columns` x `rows` cells: density, the named tokens' glyphs, then labels and last the regions' names
    where there is room."""
    found = raster(scene.cloud, scene.window, columns, rows)
    seen = find_seen(spots_of(scene.points, scene.vectors), scene.window, columns, rows)
    cells, texts = label_seen(seen)
    placed = place_labels(cells, texts, columns, rows)
    labels = tuple(Label(each.column, each.row, each.text, palette.foreground) for each in placed)
    regions = scene.regions(scene.window) if shows_regions else ()
    labels += label_regions(regions, scene.window, (columns, rows), cells, placed, _dim(palette))
    shown = {cells[each.index] for each in placed}
    bare = sum(each.cell not in shown for each in seen)
    strips = raster_strips(found, palette, _glyphs(seen, palette), labels)
    return Drawn(strips, found, scene.cloud.beyond(scene.window), bare, _classes(scene))


def fit_window(scene: Scene | None, first: Window) -> Window:
    """The `first` window of a map; from there, one with every token."""
    is_first = scene is not None and scene.window == first and not scene.is_recorded
    return scene.cloud.full_window() if scene is not None and is_first else first


def _classes(scene: Scene) -> MapClasses | None:
    """Of a recorded map as the session has them: its cells know about how many tokens they hold."""
    classes = scene.cloud.classes
    if classes is None or scene.is_recorded:
        return classes
    return count_classes(classes, scene.cloud, scene.window)


def _dim(palette: Palette) -> Rgb:
    """Halfway from the text to the frame: behind every label, and still read."""
    red, green, blue = ((one + other) // 2 for one, other in zip(palette.foreground, palette.frame, strict=True))
    return red, green, blue


def _glyphs(seen: Sequence[Seen], palette: Palette) -> tuple[Point, ...]:
    """The least important first: what is drawn last is seen."""
    return tuple(
        Point(*each.cell, each.glyph, palette.accent if each.spot.role in STRONG else palette.foreground)
        for each in reversed(seen)
    )


def heading(scene: Scene, drawn: Drawn) -> Content:
    """What the axes are, what the plane keeps, of how many tokens, and how many of these are not in the window."""
    parts: list[tuple[str, str] | str] = [
        ("x ", "$foreground-muted"), _axis(scene.x_axis), ("   y ", "$foreground-muted"), _axis(scene.y_axis)
    ]  # fmt: skip
    if scene.quality is not None:
        kept = scene.quality
        words = f"   keeps {kept.recall:.0%} of the 10 nearest, trustworthiness {kept.trustworthiness:.2f}"
        parts.append((words, "$foreground-muted"))
    left_out = f", {scene.left_out:,} without a place" if scene.left_out else ""
    total = len(scene.cloud.token_ids) if scene.total is None else scene.total
    beyond = sum(drawn.beyond) + scene.outside
    outside = f", {beyond:,} beyond the edges" if beyond else ""
    parts.append((f"   {count(total, 'token')}{left_out}{outside}", "$foreground-muted"))
    return Content.assemble(*parts)


def _axis(axis: MapAxis) -> str:
    return visible(LABELS.get(axis.name, axis.title), spaces=False) + (" of the variance" if axis.share else "")


def legend(scene: Scene, drawn: Drawn, width: int) -> Content:
    """The colours, and the glyphs of the roles that are in it; what does not fit is left out from the end."""
    parts = []
    if scene.colour and scene.colour_edges:
        ramp = [(_RAMP_GLYPH, f"${step}") for step in RAMP]
        low, high = (f"{edge:.3g}" for edge in (scene.colour_edges[0], scene.colour_edges[-1]))
        named = visible(LABELS.get(scene.colour, scene.colour), spaces=False)
        parts.append(Content.assemble(f"{named} ≤{low} ", *ramp, f" ≥{high}"))
    parts += [
        Content.assemble((GLYPHS[role], "bold $accent" if role in STRONG else "bold"), f" {WORDS[role]}")
        for role in dict.fromkeys(spot.role for spot in spots_of(scene.points, scene.vectors))
    ]
    if drawn.unlabelled:
        parts.append(Content(f"{drawn.unlabelled} named without a label"))
    parts += map(Content, vector_words(scene.vectors))
    return _fitted(parts, width)


def _fitted(parts: Sequence[Content], width: int) -> Content:
    shown = parts[0] if parts else Content("")
    for part in parts[1:]:
        if shown.cell_length + 3 + part.cell_length > width:
            break
        shown = Content.assemble(shown, (" · ", "$foreground-muted"), part)
    return shown
