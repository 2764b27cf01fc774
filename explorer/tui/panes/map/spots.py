"""What a map names: tokens, and vectors that are none, each in a cell with its glyph; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from explorer.base.records.map_vectors import PlacedVector, VectorKind
from explorer.base.records.maps import MapPoint, Role, Window
from explorer.specs.blocks import prose, token_text
from explorer.tui.panes.map.windows import Cell, cell_of

GLYPHS: dict[Role | VectorKind, str] = {
    "subject": "◆",
    "centroid": "⊕",
    "twin": "◇",
    "vector": "▽",
    "marked": "■",
    "named": "●",
    "neighbour": "◎",
    "suspect": "○",
    "reference": "△",
}
"""Each of one cell; no two share one."""
WORDS: dict[Role | VectorKind, str] = {
    "subject": "selected",
    "centroid": "centroid",
    "twin": "twin",
    "vector": "vector",
    "marked": "marked",
    "named": "named",
    "neighbour": "neighbour",
    "suspect": "suspicious",
    "reference": "reference",
}
STRONG: tuple[Role | VectorKind, ...] = ("subject", "marked", "centroid", "twin", "vector")
"""In the accent's colour."""
_ARROWS = {
    (-1, 0): "←", (1, 0): "→", (0, -1): "↑", (0, 1): "↓", (-1, -1): "↖", (1, -1): "↗", (-1, 1): "↙", (1, 1): "↘",
}  # fmt: skip


@dataclass(frozen=True)
class Spot:
    """One of them."""

    role: Role | VectorKind
    x: float
    y: float
    text: str

    @property
    def is_sought(self) -> bool:
        """Whether it is to be seen at the rim where the window does not hold it."""
        return self.role in ("subject", "centroid", "twin", "vector")


@dataclass(frozen=True)
class Seen:
    """A spot on the screen."""

    spot: Spot
    cell: Cell
    glyph: str
    """Its role's, or an arrow at the rim."""


def spots_of(points: Sequence[MapPoint], vectors: Iterable[PlacedVector]) -> list[Spot]:
    """The subject, the vectors that have a place, and the other tokens: the most important first."""
    tokens = [Spot(point.role, point.x, point.y, token_text(point.token)) for point in points]
    others = [
        Spot(vector.role, vector.x, vector.y, prose(vector.label)) for vector in vectors if vector.placing != "none"
    ]
    subjects = [spot for spot in tokens if spot.role == "subject"]
    return [*subjects, *others, *(spot for spot in tokens if spot.role != "subject")]


def find_seen(spots: Iterable[Spot], window: Window, columns: int, rows: int) -> list[Seen]:
    """Those in the window, and at its rim those that are to be seen always."""
    return [seen for spot in spots if (seen := _see(spot, window, columns, rows)) is not None]


def _see(spot: Spot, window: Window, columns: int, rows: int) -> Seen | None:
    cell = cell_of(spot.x, spot.y, window, columns, rows)
    if cell is not None:
        return Seen(spot, cell, GLYPHS[spot.role])
    if not spot.is_sought:
        return None
    left, right, bottom, top = window
    way = _side(spot.x, left, right), -_side(spot.y, bottom, top)
    x, y = min(right, max(left, spot.x)), min(top, max(bottom, spot.y))
    rim = cell_of(x, y, window, columns, rows)
    return None if rim is None else Seen(spot, rim, _ARROWS[way])


def _side(value: float, low: float, high: float) -> int:
    return (value > high) - (value < low)


def label_seen(found: Iterable[Seen]) -> tuple[list[Cell], list[str]]:
    """Their cells and the texts to put beside them, the most important first: for `place_labels`. Those of one cell
    share a text, `MetaInfoClass +18`."""
    names: dict[Cell, list[str]] = {}
    for seen in found:
        names.setdefault(seen.cell, []).append(seen.spot.text)
    texts = [texts[0] + (f" +{len(texts) - 1}" if len(texts) > 1 else "") for texts in names.values()]
    return list(names), texts


def vector_words(vectors: Iterable[PlacedVector]) -> Iterator[str]:
    """What a legend says of vectors whose place is not the tokens' own formula, or who have none."""
    for vector in vectors:
        if vector.placing == "none":
            yield f"{prose(vector.label)}: no place here"
        elif vector.fit is not None:
            yield f"twin by r {vector.fit:.2f}"
