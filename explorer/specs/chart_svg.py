"""Charts as an SVG picture: bars, curves, points and lines in panels. Pure text; every text in it is escaped."""

from __future__ import annotations

from html import escape

import msgspec

from explorer.base.ticks import axis_ticks, tick_texts
from explorer.specs.density_svg import Frame
from explorer.specs.picture import HEIGHT, RAMP, WIDTH

INK, DIM, LINE, PAPER = "#1d2733", "#667585", "#d9e0e7", "#fff"
STRONG, PLAIN = RAMP[1], RAMP[3]
"""What is called or suspected, and everything else: told apart by people who see colours otherwise, and by shape."""
_LEFT, _TOP, _BOTTOM = 58.0, 26.0, 40.0
_TICKS = 6
_STYLE = (
    f'text {{ font: 11.5px ui-monospace, "DejaVu Sans Mono", monospace; fill: {INK}; }} '
    f".dim {{ font-size: 10.5px; fill: {DIM}; }} .frame {{ fill: none; stroke: {LINE}; }} "
    f".curve {{ fill: none; stroke: {PLAIN}; stroke-width: 1.6; }} .chance {{ stroke: {DIM}; stroke-dasharray: 2 4; }} "
    f".rule {{ stroke: {STRONG}; stroke-width: 1.4; }}"
)


class Bar(msgspec.Struct, frozen=True):
    left: float
    right: float
    height: float
    is_strong: bool = False


class Dot(msgspec.Struct, frozen=True):
    x: float
    y: float
    text: str = ""
    """Beside it: a letter of a verdict in the dot's place, or a glyph. Empty: a small circle."""
    is_strong: bool = False


class Panel(msgspec.Struct, frozen=True):
    """One chart."""

    title: str
    x_axis: str
    window: tuple[float, float, float, float]
    """Least and greatest x, least and greatest y."""
    bars: tuple[Bar, ...] = ()
    """From the lower edge upwards."""
    curve: tuple[tuple[float, float], ...] = ()
    dots: tuple[Dot, ...] = ()
    rules: tuple[tuple[float, float, float, float], ...] = ()
    """Lines: x and y of both ends."""
    chance: bool = False
    """With the diagonal of a guess."""
    y_ticks: tuple[tuple[float, str], ...] = ()
    """In place of numbers along y."""


class Chart(msgspec.Struct, frozen=True):
    """Panels one below the other, two beside each other where there are four, and what is said of them."""

    title: str
    panels: tuple[Panel, ...]
    words: tuple[str, ...] = ()


def chart_picture(chart: Chart) -> str:
    """The picture as a file of its own."""
    across = 2 if len(chart.panels) > 2 else 1
    down = -(-len(chart.panels) // across)
    below = 16.0 * len(chart.words) + 10
    height = 24 + down * HEIGHT / across + below
    parts = [
        _panel(panel, place % across * WIDTH / across, 24 + place // across * HEIGHT / across, across)
        for place, panel in enumerate(chart.panels)
    ]
    words = "".join(
        f'<text class="dim" x="12" y="{height - below + 12 + 16 * line:.0f}">{escape(text)}</text>'
        for line, text in enumerate(chart.words)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}"><title>{escape(chart.title)}</title><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="{PAPER}"/><text x="12" y="17">{escape(chart.title)}</text>'
        f"{''.join(parts)}{words}</svg>\n"
    )


def _panel(panel: Panel, left: float, top: float, across: int) -> str:
    width, height = WIDTH / across - _LEFT - 16, HEIGHT / across - _TOP - _BOTTOM
    frame = Frame(left + _LEFT, top + _TOP, width, height, panel.window)
    low, high, bottom, upper = panel.window
    drawn = [
        f'<rect class="frame" x="{frame.left:.1f}" y="{frame.top:.1f}" width="{width:.1f}" height="{height:.1f}"/>',
        f'<text x="{left + 12:.1f}" y="{top + 16:.1f}">{escape(panel.title)}</text>',
        f'<text class="dim" x="{frame.left + width:.1f}" y="{frame.top + height + 28:.1f}" text-anchor="end">'
        f"{escape(panel.x_axis)}</text>",
        *(_bar(bar, frame) for bar in panel.bars),
    ]
    if panel.chance:
        drawn.append(_rule((low, bottom, high, upper), frame, "chance"))
    if panel.curve:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (frame.place(*point) for point in panel.curve))
        drawn.append(f'<polyline class="curve" points="{points}"/>')
    drawn += [_dot(dot, frame) for dot in panel.dots]
    drawn += [_rule(rule, frame, "rule") for rule in panel.rules]
    return "".join(drawn) + _numbers(panel, frame)


def _bar(bar: Bar, frame: Frame) -> str:
    bottom = frame.window[2]
    (left, top), (right, base) = frame.place(bar.left, bar.height), frame.place(bar.right, bottom)
    ink = STRONG if bar.is_strong else PLAIN
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{base - top:.1f}" fill="{ink}"/>'


def _rule(ends: tuple[float, float, float, float], frame: Frame, kind: str) -> str:
    (x, y), (to_x, to_y) = frame.place(*ends[:2]), frame.place(*ends[2:])
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'


def _dot(dot: Dot, frame: Frame) -> str:
    x, y = frame.place(dot.x, dot.y)
    ink = STRONG if dot.is_strong else PLAIN
    if not dot.text:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6" fill="{ink}"/>'
    return f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" style="fill:{ink}">{escape(dot.text)}</text>'


def _numbers(panel: Panel, frame: Frame) -> str:
    low, high, bottom, upper = panel.window
    across, up = axis_ticks(low, high, _TICKS), axis_ticks(bottom, upper, _TICKS)
    texts = [
        (frame.place(x, bottom)[0], frame.top + frame.height + 14, "middle", said)
        for x, said in zip(across, tick_texts(across), strict=True)
    ]
    beside = panel.y_ticks or tuple(zip(up, tick_texts(up), strict=True))
    texts += [(frame.left - 4, frame.place(low, y)[1] + 4, "end", said) for y, said in beside]
    return "".join(
        f'<text class="dim" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'
        for x, y, anchor, said in texts
    )
