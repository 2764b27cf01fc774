"""What an outcome says, as plain blocks: rich prints them on the command line, jinja2 puts them into a report.

Every text in a block has been through `visible` and is not markup; who renders it escapes it once more.
"""

from __future__ import annotations

import math

import msgspec

from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.text import visible, visible_bytes
from explorer.specs.charts import Chart


class Words(msgspec.Struct, frozen=True):
    """A paragraph; `warns` where the reader must not miss it."""

    text: str
    warns: bool = False


class Quote(msgspec.Struct, frozen=True):
    """A prompt, word for word."""

    text: str


class Table(msgspec.Struct, frozen=True):
    """Rows of cells; `right` names the columns that hold numbers, `strong` the rows to look at."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()
    strong: frozenset[int] = frozenset()
    title: str = ""


class Point(msgspec.Struct, frozen=True):
    """One point of a plot."""

    x: float
    y: float
    label: str
    detail: str
    """More about the point than fits beside it."""
    value: float | None = None
    """What its colour shows; None where there is no number."""
    in_class: int | None = None
    """The colour of its class, where the colours are classes."""
    is_subject: bool = False


class Density(msgspec.Struct, frozen=True):
    """How many tokens lie where in a plane, in cells, and how they are coloured."""

    columns: int
    rows: int
    codes: bytes
    """A byte a cell, the top row first, as `explorer.base.records.maps.MapCells` says."""
    window: tuple[float, float, float, float]
    """Least and greatest x, least and greatest y of the cells."""
    is_round: bool = False
    """Whether a unit must be as long along x as along y."""
    is_classed: bool = False
    """Whether the colours are classes, and not steps of a ramp."""
    names: tuple[tuple[float, float, str], ...] = ()
    """x, y and name of parts of it."""


class Plot(msgspec.Struct, frozen=True):
    """Points in a plane, the most important first."""

    title: str
    points: tuple[Point, ...]
    x_axis: str
    y_axis: str
    colour: str = ""
    """What the colour shows; empty where it shows nothing."""
    colour_range: tuple[float, float, float] | None = None
    """The values at the dark end, in the middle and at the light end of the ramp."""
    legend: str = ""
    """What the colours mean, where they do not follow the values evenly."""
    swatches: tuple[tuple[int, str], ...] = ()
    """Colours of classes, each with its words; 7 is the ground's."""
    density: Density | None = None
    """What lies behind the points; it decides which part of the plane is shown."""


RAMP_STEPS = 7
"""Colours of a ramp."""


def ramp_step(value: float | None, ends: tuple[float, float, float] | None) -> int | None:
    """Where `value` lies between the first and the last of `ends`, 0 to 6; None where there is nothing to tell."""
    if value is None or ends is None or not math.isfinite(value):
        return None
    low, _, high = ends
    if not high > low:
        return RAMP_STEPS // 2
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return min(RAMP_STEPS - 1, int(share * RAMP_STEPS))


Block = Words | Quote | Table | Plot | Chart


def prose(text: str) -> str:
    """Text with its spaces, safe to show."""
    return visible(text, spaces=False)


def token_text(token: TokenRef | TokenRow) -> str:
    """A token from its exact bytes, safe to show; its id in brackets for padding, which has no bytes."""
    return visible_bytes(bytes.fromhex(token.token_bytes)) or f"⟨{token.token_id}⟩"


def hex_text(token_bytes: str) -> str:
    """The token with these bytes, safe to show; the text itself where it is not hexadecimal (not yet checked)."""
    try:
        return visible_bytes(bytes.fromhex(token_bytes))
    except ValueError:
        return prose(token_bytes)


def count(number: int, what: str) -> str:
    """`1 token`, `2,000 tokens`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def number(value: float | None, digits: int = 6) -> str:
    """`digits` significant digits; a dash where there is no number."""
    return "–" if value is None else f"{value:.{digits}g}"
