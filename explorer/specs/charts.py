"""Charts as plain data: bars, curves, points and lines in panels. Who draws them escapes every text."""

from __future__ import annotations

import msgspec


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
    """Panels one below the other, two beside each other where there are more than two, and what is said of them."""

    title: str
    panels: tuple[Panel, ...]
    words: tuple[str, ...] = ()
    is_paired: bool = False
    """Whether two panels stand beside each other where there are no more."""

    @property
    def across(self) -> int:
        """Panels beside each other."""
        return 2 if len(self.panels) > 2 or self.is_paired else 1
