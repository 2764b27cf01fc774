"""A column of numbers with a line that parts the vocabulary, and what was measured on both sides. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from explorer.base.records.maps import MapPoint
from explorer.base.records.tokens import CATEGORIES, Category
from explorer.base.text import visible
from explorer.tables.histograms import Sides, SortedColumn, find_valleys
from explorer.tables.map_cells import Column
from explorer.tables.table import TokenColumns
from explorer.tables.tested import TokenVerdicts
from explorer.tables.thresholds import Cut, MeasuredScores, Side, suspicious_side
from explorer.tui.panes.map.probabilities import Probabilities

_LEAST_SPAN = 1e-4
"""Of all numbers, the share that is plotted at least."""


class Numbers:
    """A column of a vocabulary, sorted once: all of it, and by category."""

    def __init__(
        self, name: str, label: str, values: Column, columns: TokenColumns, *, other: str = "", indicator: str = ""
    ) -> None:
        """`label`: what a screen calls it. `other`: the model whose tokens with the same bytes have these numbers, and
        whose verdicts they stand against; empty: the one of `columns`. `indicator`: its name there, if not `name`."""
        self.name, self.label = name, visible(label, spaces=False)
        self.other, self.indicator = other, indicator or name
        self.values, self.columns = values, columns
        self.sorted = SortedColumn(values)
        self.low, self.high = self.sorted.ends()
        self.references: Column = values[columns.is_reference & np.isfinite(values)]

    @cached_property
    def categories(self) -> tuple[tuple[Category, SortedColumn], ...]:
        """Those that have numbers, in the order of `CATEGORIES`."""
        found = (
            (name, SortedColumn(self.values[self.columns.categories == code])) for code, name in enumerate(CATEGORIES)
        )
        return tuple((name, column) for name, column in found if len(column.values))


class Measured:
    """The column against the verdicts of one definition."""

    def __init__(
        self,
        definition: str,
        numbers: Numbers,
        tested: TokenVerdicts,
        side: Side,
        sample: Collection[int] = (),
        before: Measured | None = None,
    ) -> None:
        """`sample`: tokens that were drawn at random from the whole vocabulary. `before`: what was shown; of the same
        verdicts the places are taken from it."""
        self.definition, self.tested, self.other = definition, tested, numbers.other
        self.sample = MeasuredScores(numbers.values, tested.only(sample), side) if sample else None
        """Those of the sample alone: what they say holds for the vocabulary."""
        self.scores = MeasuredScores(numbers.values, tested, side)
        known = np.isfinite(numbers.values)
        has_number = known & np.isfinite(tested.values) if tested.has_probabilities else np.zeros_like(known)
        self.token_ids: npt.NDArray[np.int64] = np.flatnonzero(has_number)
        """Tokens with a measured probability."""
        self.x: Column = numbers.values[self.token_ids]
        self.probabilities: Column = tested.values[self.token_ids]
        self.verdicts: npt.NDArray[np.uint8] = tested.verdicts[self.token_ids]
        self.places: Probabilities = (
            before.places
            if before is not None and before.tested is tested
            else Probabilities(self.x, self.probabilities, self.verdicts)
        )
        self._all, self._sorted = numbers.sorted, SortedColumn(self.x)
        candidates = numbers.columns.is_candidate & known
        self.untested = int((candidates & ~tested.is_decided).sum())
        """Ordinary tokens on which there is no verdict."""

    def warm(self) -> None:
        """Make ahead what the first picture of a curve would wait for: 60 ms at 260,000 tokens."""
        scores = self.scores
        _ = scores.roc, scores.roc_auc, scores.precision_recall, scores.average_precision

    def without_probability(self, low: float, high: float, bins: int) -> npt.NDArray[np.int64]:
        """How many tokens have no measured probability, in each of `bins` equal parts, int64 [bins]."""
        return self._all.counts(low, high, bins) - self._sorted.counts(low, high, bins)


@dataclass(frozen=True)
class Parted:
    """A column with a line."""

    numbers: Numbers
    line: float
    side: Side = "low"
    points: tuple[MapPoint, ...] = ()
    """Named tokens, the most important first."""
    measured: Measured | None = None
    definitions: dict[str, TokenVerdicts] = field(default_factory=dict)
    """What was measured, by definition."""
    sample: frozenset[int] = frozenset()
    """Tokens that were drawn at random from the whole vocabulary and measured."""
    span: tuple[float, float] | None = None
    """Least and greatest number that are plotted; None: of all."""

    @property
    def ends(self) -> tuple[float, float]:
        """Least and greatest number that are plotted."""
        return self.span or (self.numbers.low, self.numbers.high)

    @property
    def sides(self) -> Sides:
        """How many tokens lie on each side."""
        return self.numbers.sorted.sides(self.line, self.side)

    @property
    def cut(self) -> Cut | None:
        """What the line says of the tokens measured."""
        return None if self.measured is None else self.measured.scores.cut(self.line)

    @property
    def filter(self) -> str:
        """What the token table takes for the suspected tokens."""
        return f"{self.numbers.name}{'<=' if self.side == 'low' else '>='}{self.line!r}"

    @property
    def token_ids(self) -> npt.NDArray[np.int64]:
        """The suspected tokens."""
        values, line = self.numbers.values, np.float32(self.line)
        return np.flatnonzero(values <= line if self.side == "low" else values >= line)

    def moved(self, cells: int, columns: int) -> Parted:
        """With the line so many of `columns` cells to the right."""
        low, high = self.ends
        line = self.line + cells * (high - low) / max(1, columns)
        return replace(self, line=_round(min(self.numbers.high, max(self.numbers.low, line)))).in_sight()

    def at_column(self, column: int, columns: int) -> Parted:
        """With the line in the middle of a cell."""
        low, high = self.ends
        return replace(self, line=_round(low + (column + 0.5) / max(1, columns) * (high - low)))

    def in_next_valley(self, columns: int) -> Parted:
        """With the line in the next valley between two hills, or the first again."""
        lines = _valleys(self.numbers, columns)
        line = next((line for line in lines if line > self.line), lines[0]) if lines else self.line
        return replace(self, line=line).in_sight()

    def zoomed(self, factor: float) -> Parted:
        """With `factor` times the room plotted, the line in its middle where there are numbers on both sides."""
        low, high = self.ends
        width, least, most = (high - low) * factor, self.numbers.low, self.numbers.high
        if width >= most - least:
            return replace(self, span=None)
        return self._around(width) if width > _LEAST_SPAN * (most - least) else self

    def in_sight(self) -> Parted:
        """With numbers plotted among which the line is."""
        low, high = self.ends
        return self if low <= self.line <= high else self._around(high - low)

    def _around(self, width: float) -> Parted:
        low = max(self.numbers.low, min(self.line - width / 2, self.numbers.high - width))
        return replace(self, span=(low, low + width))

    def by(self, definition: str, side: Side | None = None) -> Parted:
        """Against the verdicts of another definition; `side` None: the one that foretells them better."""
        tested = self.definitions[definition]
        chosen = side or suspicious_side(self.numbers.values, tested)
        measured = Measured(definition, self.numbers, tested, chosen, self.sample, self.measured)
        return replace(self, side=chosen, measured=measured)

    def on_other_side(self) -> Parted:
        """With the tokens beyond the line suspected."""
        side: Side = "high" if self.side == "low" else "low"
        return replace(self, side=side) if self.measured is None else self.by(self.measured.definition, side)

    def next_definition(self) -> Parted:
        """Against the verdicts of the next definition that was asked."""
        names = list(self.definitions)
        if self.measured is None or len(names) < 2:
            return self
        return self.by(names[(names.index(self.measured.definition) + 1) % len(names)])

    def like(self, other: Parted) -> Parted:
        """Against the verdicts of the definition that `other` shows, where there is that."""
        shown = other.measured.definition if other.measured is not None else ""
        return self.by(shown) if shown in self.definitions else self

    def knowing(self, definitions: dict[str, TokenVerdicts], sample: frozenset[int] = frozenset()) -> Parted:
        """With what was measured by now; the definition stays where it can, and so does the side."""
        known = replace(self, definitions=definitions, sample=sample, measured=None)
        if not definitions:
            return known
        shown = self.measured.definition if self.measured is not None else ""
        return known.by(shown, self.side) if shown in definitions else known.by(_first(definitions))


def begin(numbers: Numbers, columns: int) -> Parted:
    """With the line in the first valley between two hills, or a fiftieth up where there is none."""
    valleys = _valleys(numbers, columns)
    low, high = numbers.low, numbers.high
    return Parted(numbers, valleys[0] if valleys else _round(low + 0.02 * (high - low)))


def _valleys(numbers: Numbers, columns: int) -> list[float]:
    """Numbers in the middle of the cells that lie lowest between two hills."""
    low, high = numbers.low, numbers.high
    found = find_valleys(numbers.sorted.counts(low, high, columns))
    return [_round(low + (valley + 0.5) / columns * (high - low)) for valley in found]


def _first(definitions: dict[str, TokenVerdicts]) -> str:
    """The first definition that has probabilities; else the first."""
    return next((name for name, found in definitions.items() if found.has_probabilities), next(iter(definitions)))


def _round(number: float) -> float:
    return float(f"{number:.6g}")
