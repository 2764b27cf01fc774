"""A plot as an SVG picture: points, labels that do not overlap, a colour scale, density behind them. Pure text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from string import Template

from explorer.specs.blocks import Density, Plot, Point, ramp_step
from explorer.specs.density_svg import Frame, density_svg
from explorer.specs.picture import CLASS_INKS, HEIGHT, MARGIN, NO_VALUE, ON_WHITE, RAMP, WIDTH

CHARACTER = 7.0
"""Width of a letter of a label, in units of the picture."""
SMALL = 6.4
"""Width of a letter of the legend."""
LABEL = 22
"""Characters of a label; the list beside the picture has the whole token."""

_STYLE = Template("""
svg .frame { fill: $wash; stroke: $line; }
svg text { font: 11.5px ui-monospace, "DejaVu Sans Mono", monospace; fill: $ink; }
svg .axis, svg .tick { font-size: 10.5px; fill: $dim; }
svg circle { stroke: $paper; } svg .subject { stroke: $ink; stroke-width: 3; }
""")

Box = tuple[float, float, float, float]


def plot_svg(plot: Plot) -> str:
    """The picture as one `<svg>` element of a page; every text in it is escaped, and it holds no script and no link."""
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.title)}">{_drawn(plot)}</svg>'


def plot_picture(plot: Plot) -> str:
    """The picture as a file of its own: with its colours and its title."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<title>{escape(plot.title)}</title><style>{style_of(ON_WHITE)}</style>"
        f'{_drawn(plot)}<text class="axis" x="12" y="18">{escape(plot.title)}</text></svg>\n'
    )


def style_of(colours: Mapping[str, str]) -> str:
    """The rules of CSS that a plot needs, in the colours `wash`, `line`, `ink`, `dim` and `paper`."""
    return _STYLE.substitute(colours)


def _drawn(plot: Plot) -> str:
    """What is in the picture."""
    frame = None if plot.density is None else Frame.around(plot.density)
    points = plot.points if frame is None else [point for point in plot.points if frame.shows(point)]
    places = _places(points) if frame is None else [frame.place(point.x, point.y) for point in points]
    marks = [_mark(point, place, plot.colour_range) for point, place in zip(points, places, strict=True)]
    behind = "" if frame is None or plot.density is None else density_svg(plot.density, frame) + frame.ticks()
    axes = f"{plot.x_axis} · {plot.y_axis}"
    scale = ""
    if plot.colour and plot.colour_range is not None and not plot.legend:
        low, middle, high = plot.colour_range
        scale = f" · colour: {plot.colour}, ≤{low:.4g} (dark) – {middle:.4g} – ≥{high:.4g} (light)"
    return (
        f'<rect class="frame" x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="6"/>'
        f"{behind}{''.join(marks)}{''.join(_labels(points, places, _names(plot.density, frame)))}"
        f'<text class="axis" x="12" y="{HEIGHT - 12}">{escape(axes + scale)}</text>{_legend(plot)}'
    )


def _legend(plot: Plot) -> str:
    """What the colours mean, on a line of its own above the axes'; nothing where it stands behind them. Classes stand
    above it, as many in a line as there is room for."""
    words = f'<text class="axis" x="12" y="{HEIGHT - 27}">colour: {escape(plot.legend)}</text>' if plot.legend else ""
    return words + "".join(_swatches(plot.swatches))


def _swatches(swatches: Sequence[tuple[int, str]]) -> Iterator[str]:
    x, y = 12.0, 16.0
    for colour, words in swatches:
        width = 18 + SMALL * len(words)
        if x > 12 and x + width > WIDTH - 12:
            x, y = 12.0, y + 14
        yield f'<rect x="{x:.0f}" y="{y - 8:.0f}" width="9" height="9" fill="{CLASS_INKS[colour]}"/>'
        yield f'<text class="axis" x="{x + 12:.0f}" y="{y:.0f}">{escape(words)}</text>'
        x += width + 10


def _places(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Where the points go, in units of the picture: each axis fills it."""
    if not points:
        return []
    xs, ys = [point.x for point in points], [point.y for point in points]
    across = _scale(xs, WIDTH - 4 * MARGIN)
    up = _scale(ys, HEIGHT - 3 * MARGIN)
    middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)
    return [
        (WIDTH / 2 + (x - middle[0]) * across, HEIGHT / 2 - (y - middle[1]) * up) for x, y in zip(xs, ys, strict=True)
    ]


def _scale(values: Sequence[float], room: float) -> float:
    span = max(values) - min(values)
    scale = room / span if span > 0 else 0.0
    return scale if math.isfinite(scale) else 0.0


def _colour(point: Point, ends: tuple[float, float, float] | None) -> str:
    if point.in_class is not None:
        return CLASS_INKS[point.in_class]
    step = ramp_step(point.value, ends)
    return NO_VALUE if step is None else RAMP[step]


def _mark(point: Point, place: tuple[float, float], ends: tuple[float, float, float] | None) -> str:
    x, y = place
    title = escape(f"{point.label} · {point.detail}")
    kind, radius = (' class="subject"', 7) if point.is_subject else ("", 5)
    where = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius}"'
    return f'<circle{kind} {where} fill="{_colour(point, ends)}"><title>{title}</title></circle>'


def _names(density: Density | None, frame: Frame | None) -> list[tuple[str, float, float]]:
    """The names of parts of the density, where they stand in the picture."""
    if density is None or frame is None:
        return []
    return [(name, *frame.place(x, y)) for x, y, name in density.names]


def _labels(
    points: Sequence[Point], places: Sequence[tuple[float, float]], regions: Sequence[tuple[str, float, float]]
) -> list[str]:
    """A label beside each point, the first points first, and then the regions' names; one that fits nowhere is left to
    the list."""
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    labels = []
    for point, (x, y) in zip(points, places, strict=True):
        name = point.label
        name = name if len(name) <= LABEL else name[: LABEL - 1] + "…"
        width = len(name) * CHARACTER
        around = ((x + 10, y - 7), (x - 10 - width, y - 7), (x - width / 2, y - 22), (x - width / 2, y + 8))
        labels += _put(name, around, taken, "")
    for name, x, y in regions:
        start = x - len(name) * SMALL / 2
        labels += _put(name, ((start, y - 7), (start, y + 9), (start, y - 23)), taken, ' class="axis"')
    return labels


def _put(name: str, around: Sequence[tuple[float, float]], taken: list[Box], look: str) -> list[str]:
    """The name at the first of these places that is free, which then is not."""
    for left, top in around:
        box = (left, top, left + len(name) * CHARACTER, top + 14)
        if _fits(box) and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            return [f'<text{look} x="{left:.1f}" y="{top + 11:.1f}">{escape(name)}</text>']
    return []


def _fits(box: Box) -> bool:
    return box[0] >= 4 and box[1] >= 4 and box[2] <= WIDTH - 4 and box[3] <= HEIGHT - 28


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
