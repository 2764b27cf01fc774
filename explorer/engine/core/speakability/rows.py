"""The rows of an unembedding as exact float64 numbers, a part of them at a time.

All of a bfloat16 matrix in float64 takes four times its file, and every step that makes a copy takes that again. The
stored matrix is read where it lies (memory-mapped, as a rule) and a part of about 16 MB is converted at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from explorer.engine.core.speakability.exact_sums import lengths

PART = 2**21
"""Numbers that are converted at a time; between two parts a caller may stop."""


@runtime_checkable
class Stored(Protocol):
    """A stored matrix, [stored, d_model], of which some rows can be had as numbers; compared with `==`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, places: slice | Int64[np.ndarray, " n"], /) -> Float[np.ndarray, "n d_model"]: ...


class Rows:
    """Row j is the stored row `kept[j]` times `gain`, entry by entry, in float64."""

    def __init__(
        self,
        stored: Stored | Float[np.ndarray, "stored d_model"],
        kept: Int64[np.ndarray, " vocab"] | None = None,
        gain: Float64[np.ndarray, " d_model"] | None = None,
    ) -> None:
        """`kept` None means every row, `gain` None means 1."""
        self._stored = stored
        # The first rows are a slice, which is not copied.
        self._kept = None if kept is None or (len(kept) and kept[-1] == len(kept) - 1) else kept
        self._gain = gain
        self.shape: tuple[int, int] = (stored.shape[0] if kept is None else len(kept), stored.shape[1])

    @classmethod
    def of(cls, rows: Rows | Float[np.ndarray, "vocab d_model"]) -> Rows:
        """The rows of an array, or what is such already."""
        return rows if isinstance(rows, Rows) else cls(np.asarray(rows))

    def are(self, others: Rows) -> bool:
        """Whether these are the same stored rows times the same gain."""
        pairs = (self._kept, others._kept), (self._gain, others._gain)
        if self.shape != others.shape or not all(_same(one, other) for one, other in pairs):
            return False
        one, other = self._stored, others._stored
        if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
            return one is other
        return one == other

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places: int | np.integer | Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "*n d_model"]:
        """One row, or a copy of some."""
        if isinstance(places, np.ndarray):
            return self._numbers(places if self._kept is None else self._kept[places])
        return np.asarray(self[np.array([places])][0])

    def part(self, start: int, stop: int) -> Float64[np.ndarray, "part d_model"]:
        """Rows in order; not to be written to, for they may be the stored ones."""
        return self._numbers(slice(start, stop) if self._kept is None else self._kept[start:stop])

    def parts(self) -> Iterator[tuple[slice, Float64[np.ndarray, "part d_model"]]]:
        """All rows in order, with their places."""
        size = max(1, PART // max(1, self.shape[1]))
        for start in range(0, len(self), size):
            place = slice(start, min(start + size, len(self)))
            yield place, self.part(place.start, place.stop)

    def whole(self) -> Float64[np.ndarray, "vocab d_model"]:
        """All of them at once."""
        return self.part(0, len(self))

    def _numbers(self, places: slice | Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n d_model"]:
        found = np.asarray(self._stored[places], dtype=np.float64)
        return found if self._gain is None else found * self._gain

    # ── what is found out once ────────────────────────────────────────────────────────────────────────────

    @cached_property
    def lengths(self) -> Float64[np.ndarray, " vocab"]:
        """Upper bounds of the rows' lengths; NaN or infinity for a row that holds such, or whose squares overflow."""
        return self._survey[0]

    @cached_property
    def mean(self) -> Float64[np.ndarray, " d_model"]:
        """The mean row."""
        return self._survey[1] / max(1, len(self))

    @cached_property
    def differing(self) -> Bool[np.ndarray, " d_model"]:
        """The columns in which not all rows agree."""
        return self._survey[2]

    def any(self) -> bool:
        """Whether any number is not 0."""
        return any(bool(part.any()) for _, part in self.parts())

    @cached_property
    def are_finite(self) -> bool:
        """Whether no row holds NaN or infinity."""
        # A square may overflow where no number is infinite.
        broken = np.flatnonzero(~np.isfinite(self.lengths))
        return all(bool(np.isfinite(self[one]).all()) for one in broken)

    @cached_property
    def _survey(
        self,
    ) -> tuple[Float64[np.ndarray, " vocab"], Float64[np.ndarray, " d_model"], Bool[np.ndarray, " d_model"]]:
        """Lengths, the sum, and where the rows differ, in one reading."""
        width = self.shape[1]
        found, total = np.zeros(len(self)), np.zeros(width)
        least, most = np.full(width, np.inf), np.full(width, -np.inf)
        with np.errstate(all="ignore"):
            for place, part in self.parts():
                found[place] = lengths(part)
                total += part.sum(axis=0)
                np.minimum(least, part.min(axis=0), out=least)
                np.maximum(most, part.max(axis=0), out=most)
        return found, total, most > least

    # ── products with all of them ─────────────────────────────────────────────────────────────────────────

    def scores(self, points: Float64[np.ndarray, "n d_model"]) -> Float64[np.ndarray, "n vocab"]:
        """points @ rowsᵀ."""
        found = np.empty((len(points), len(self)))
        for place, part in self.parts():
            found[:, place] = points @ part.T
        return found

    def weighed(
        self, weights: Float64[np.ndarray, " vocab"], origin: Float64[np.ndarray, " d_model"] | float = 0.0
    ) -> Float64[np.ndarray, " d_model"]:
        """weights @ (rows − origin)."""
        total = np.zeros(self.shape[1])
        for place, part in self.parts():
            total += weights[place] @ (part - origin)
        return total

    def along(
        self, x: Float64[np.ndarray, " d_model"], origin: Float64[np.ndarray, " d_model"] | float = 0.0
    ) -> Float64[np.ndarray, " vocab"]:
        """(rows − origin) @ x."""
        found = np.empty(len(self))
        for place, part in self.parts():
            found[place] = (part - origin) @ x
        return found


def _same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))
