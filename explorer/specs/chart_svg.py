"""Charts as an SVG picture: bars, curves, points and lines in panels. Pure text; every text in it is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from string import Template

from explorer.base.ticks import axis_ticks, tick_texts
from explorer.specs.charts import Bar, Chart, Dot, Panel
from explorer.specs.density_svg import Frame
from explorer.specs.picture import HEIGHT, ON_WHITE, RAMP, WIDTH

STRONG, PLAIN = RAMP[1], RAMP[3]
"""What is called or suspected, and everything else: told apart by people who see colours otherwise, and by shape."""
_ABOVE = 24
"""For the title."""
_LEFT, _TOP, _BOTTOM = 58.0, 26.0, 40.0
_TICKS = 6
_STYLE = Template("""
.chart text { font: 11.5px ui-monospace, "DejaVu Sans Mono", monospace; fill: $ink; }
.chart .dim { font-size: 10.5px; fill: $dim; } .chart .frame { fill: none; stroke: $line; }
.chart .curve { fill: none; stroke: $plain; stroke-width: 1.6; }
.chart .chance { stroke: $dim; stroke-dasharray: 2 4; } .chart .rule { stroke: $strong; stroke-width: 1.4; }
""")


def chart_style(colours: Mapping[str, str]) -> str:
    """The rules of CSS that a chart needs, in the colours `ink`, `dim` and `line`."""
    return _STYLE.substitute(colours, plain=PLAIN, strong=STRONG)


def chart_svg(chart: Chart) -> str:
    """The picture as one `<svg>` element of a page; every text in it is escaped, and it holds no script and no link."""
    size = f'viewBox="0 0 {WIDTH} {_height(chart):.0f}"'
    return f'<svg class="chart" {size} role="img" aria-label="{escape(chart.title)}">{_drawn(chart)}</svg>'


def chart_picture(chart: Chart) -> str:
    """The picture as a file of its own: with its colours."""
    height = f"{_height(chart):.0f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}"><title>{escape(chart.title)}</title><style>{chart_style(ON_WHITE)}</style>'
        f'<rect width="100%" height="100%" fill="{ON_WHITE["paper"]}"/>{_drawn(chart)}</svg>\n'
    )


def _height(chart: Chart) -> float:
    return _ABOVE + -(-len(chart.panels) // chart.across) * HEIGHT / chart.across + _below(chart)


def _below(chart: Chart) -> float:
    return 16.0 * len(chart.words) + 10


def _drawn(chart: Chart) -> str:
    """The title, the panels and the words."""
    across = chart.across
    panels = (
        _panel(panel, place % across * WIDTH / across, _ABOVE + place // across * HEIGHT / across, across)
        for place, panel in enumerate(chart.panels)
    )
    first = _height(chart) - _below(chart) + 12
    words = (
        f'<text class="dim" x="12" y="{first + 16 * line:.0f}">{escape(text)}</text>'
        for line, text in enumerate(chart.words)
    )
    return f'<text x="12" y="17">{escape(chart.title)}</text>{"".join(panels)}{"".join(words)}'


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
