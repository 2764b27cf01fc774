"""A neighbourhood as an inline SVG picture: points, labels that do not overlap, a colour scale. Pure text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from explorer.base.records.neighbours import Neighbour, Neighbourhood
from explorer.base.records.tokens import INDICATORS
from explorer.specs.blocks import token_text

WIDTH, HEIGHT, MARGIN = 720, 420, 40
RAMP = ("#440154", "#443983", "#31688e", "#21918c", "#35b779", "#90d743", "#fde725")
"""Viridis: even to the eye, and told apart by people who see colours otherwise."""
CHARACTER = 7.0
"""Width of a letter of a label, in units of the picture."""
LABEL = 22
"""Characters of a label; the list beside the picture has the whole token."""

Box = tuple[float, float, float, float]


def neighbourhood_svg(outcome: Neighbourhood) -> str:
    """The picture as one `<svg>` element; every text in it is escaped, and it holds no script and no link."""
    entries = [entry for entry in (outcome.subject, *outcome.neighbours) if _is_placed(entry)]
    places = _places(entries)
    indicator = next((name for name in INDICATORS if name in outcome.indicator_ranges), "")
    low, _, high = outcome.indicator_ranges.get(indicator, (0.0, 0.0, 0.0))
    marks = [
        _mark(entry, place, _colour(entry.indicators.get(indicator), low, high), entry is outcome.subject)
        for entry, place in zip(entries, places, strict=True)
    ]
    first, second = outcome.variance
    axes = f"PC 1 ({_share(first)} of the variance) → · PC 2 ({_share(second)}) ↑"
    scale = f" · colour: {indicator} from {low:.4g} (dark) to {high:.4g} (light)" if indicator else ""
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="neighbourhood in the plane">'
        f'<rect class="frame" x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="6"/>'
        f"{''.join(marks)}{''.join(_labels(entries, places))}"
        f'<text class="axis" x="12" y="{HEIGHT - 12}">{escape(axes + scale)}</text></svg>'
    )


def _is_placed(entry: Neighbour) -> bool:
    return math.isfinite(entry.x) and math.isfinite(entry.y)


def _share(variance: float) -> str:
    return f"{variance:.0%}" if math.isfinite(variance) else "?"


def _places(entries: Sequence[Neighbour]) -> list[tuple[float, float]]:
    """Where the points go, in units of the picture; both axes at one scale, so that distances can be compared."""
    if not entries:
        return []
    xs, ys = [entry.x for entry in entries], [entry.y for entry in entries]
    spans = (max(xs) - min(xs), max(ys) - min(ys))
    scales = [
        room / span for room, span in zip((WIDTH - 4 * MARGIN, HEIGHT - 3 * MARGIN), spans, strict=True) if span > 0
    ]
    scale = min(scales, default=0.0)
    scale = scale if math.isfinite(scale) else 0.0
    middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)
    return [
        (WIDTH / 2 + (x - middle[0]) * scale, HEIGHT / 2 - (y - middle[1]) * scale) for x, y in zip(xs, ys, strict=True)
    ]


def _colour(value: float | None, low: float, high: float) -> str:
    if value is None or not math.isfinite(value) or not high > low:
        return RAMP[len(RAMP) // 2]
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return RAMP[round(share * (len(RAMP) - 1))]


def _mark(entry: Neighbour, place: tuple[float, float], colour: str, is_subject: bool) -> str:
    x, y = place
    title = escape(f"{token_text(entry.token)} · id {entry.token.token_id} · distance {entry.distance:.4g}")
    kind, radius = (' class="subject"', 7) if is_subject else ("", 5)
    where = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius}"'
    return f'<circle{kind} {where} fill="{colour}"><title>{title}</title></circle>'


def _labels(entries: Sequence[Neighbour], places: Sequence[tuple[float, float]]) -> list[str]:
    """A label beside each point, nearest tokens first; one that fits nowhere is left to the list."""
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    labels = []
    for entry, (x, y) in zip(entries, places, strict=True):
        name = token_text(entry.token)
        name = name if len(name) <= LABEL else name[: LABEL - 1] + "…"
        width = len(name) * CHARACTER
        for left, top in ((x + 10, y - 7), (x - 10 - width, y - 7), (x - width / 2, y - 22), (x - width / 2, y + 8)):
            box = (left, top, left + width, top + 14)
            if _fits(box) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                labels.append(f'<text x="{left:.1f}" y="{top + 11:.1f}">{escape(name)}</text>')
                break
    return labels


def _fits(box: Box) -> bool:
    return box[0] >= 4 and box[1] >= 4 and box[2] <= WIDTH - 4 and box[3] <= HEIGHT - 28


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
