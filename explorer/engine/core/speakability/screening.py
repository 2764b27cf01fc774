"""Along its own row, less the mean row, almost every token wins: found and proved for all of them by few products.

By the Cauchy–Schwarz inequality a row scores at most key = |row| · radius + bias on any x, and the token scores just
that on its own. So tokens are taken in order of their keys, and each looks only at those after it and a few before it.
The products are first taken over a few principal axes, with |rest of one| · |rest of the other| added for all the
others; what this does not settle is taken over more. The arithmetic is float32; a bound on all that it may be off by
is taken away before a lead counts.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from explorer.engine.core.speakability.geometry import Geometry
from explorer.engine.core.speakability.questions import Question

UNIT = 2.0**-24
"""Unit roundoff of float32."""
ROWS, COLUMNS = 512, 2048
"""Tiles whose scores stay in a core's cache: twice as fast as large ones."""
LARGEST = 2.0**50
"""Longer rows and points are not screened, for float32 would overflow."""
LOST = 2.0**-118
"""More than underflow takes away from a float32 product of rows, for every unit of their lengths."""
PART = 4096
"""Rows that are taken to float64 at a time."""
NEAR = 0.05
"""Rows whose key is less than the token's by this share of |row| · radius are not looked at: they lose by that much."""
WORK = 1.5e10
"""Multiplications between two yields: about a fifth of a second on one core."""

Settled = tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, " n"]]


def own_row_wins(
    geometry: Geometry,
    bias: Float64[np.ndarray, " vocab"] | None,
    reach: Float64[np.ndarray, " vocab"],
    token_ids: Int64[np.ndarray, " n"],
    table: Float[Tensor, "vocab rank"] | None = None,
) -> Generator[Settled, None, None]:
    """Yield tokens that win at `reach` times their own turned row, with proved lower bounds of their leads. Those never
    yielded may or may not win there. `table` is `geometry.table()`, which is made where it is not given."""
    count, rank = len(geometry), geometry.rank
    rivals = _Rivals.of(geometry, bias, reach) if rank else None
    if rivals is None:
        return
    order = rivals.order
    todo = rivals.places(token_ids)
    table = geometry.table() if table is None else table
    levels = sorted({level for level in (rank // 12, rank // 4) if level >= 8} | {rank})
    for level in levels:
        screen = _Screen(geometry, table, order, level, reach[order], rivals.shift[order])
        left: list[Int64[np.ndarray, " m"]] = []
        start = 0
        while start < len(todo):
            first = rivals.first_for(int(todo[start]))
            block = todo[start : start + screen.block(count - first)]
            start += len(block)
            leads = rivals.cap(screen.leads(block, first), block, first, screen.lost)
            won = leads > 0
            left.append(block[~won])
            yield order[block[won]], leads[won]
        todo = np.concatenate(left) if left else todo[:0]


@dataclass(frozen=True)
class _Rivals:
    """All tokens by their keys, and what those can score that a token does not look at."""

    norms: Float64[np.ndarray, " vocab"]
    shift: Float64[np.ndarray, " vocab"]
    sizes: Float64[np.ndarray, " vocab"]
    """Lengths of the points x."""
    size: float
    """Of all points with a bias; 1 without, where leads grow as the points do."""
    order: Int64[np.ndarray, " vocab"]
    """Token ids, smallest key first; as they are where no one order serves all tokens."""
    keys: Float64[np.ndarray, " vocab"]
    """In that order."""
    is_ordered: bool
    has_bias: bool

    @classmethod
    def of(
        cls, geometry: Geometry, bias: Float64[np.ndarray, " vocab"] | None, reach: Float64[np.ndarray, " vocab"]
    ) -> _Rivals | None:
        """None where float32 could overflow."""
        norms, count = geometry.norms, len(geometry.norms)
        shift = np.zeros(count) if bias is None else bias
        sizes = reach * norms
        size = float(sizes.max())
        if not max(size, float(norms.max()), float(np.abs(shift).max())) <= LARGEST:
            return None
        # Where x is not equally long for all tokens, the order of the rivals differs from token to token with a bias.
        ordered = bias is None or bool(size <= sizes[sizes > 0].min(initial=size) * (1 + 1e-9))
        size = size if bias is not None else 1.0
        keys = norms * size + shift
        order = np.argsort(keys, kind="stable") if ordered else np.arange(count)
        return cls(norms, shift, sizes, size, order, keys[order], ordered, bias is not None)

    def places(self, token_ids: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """Where tokens stand in the order, sorted."""
        place = np.empty(len(self.order), dtype=np.int64)
        place[self.order] = np.arange(len(self.order))
        return np.sort(place[token_ids])

    def first_for(self, own: int) -> int:
        """The first place whose token may beat the one at place `own`, or any after it."""
        if not self.is_ordered:
            return 0
        return int(np.searchsorted(self.keys[:own], self.keys[own] - NEAR * self.size * self.norms[self.order[own]]))

    def cap(
        self, leads: Float64[np.ndarray, " n"], block: Int64[np.ndarray, " n"], first: int, lost: float
    ) -> Float64[np.ndarray, " n"]:
        """The leads of the tokens at `block` over the rivals from `first` on, as leads over all rivals."""
        if not first:
            return leads
        # Rows left out score at most their key, of which the last is the largest. Lengths are off by what
        # turning lost, which is all of them where the rows hardly differ.
        keys = self.keys
        apart = keys[block] - keys[first - 1] - 1e-11 * np.abs(keys).max() - 4 * lost * self.size
        scale = 1.0 if self.has_bias else self.sizes[self.order[block]]
        return np.asarray(np.minimum(leads, apart * scale))


class _Screen:
    """Products over the first `level` axes, and a bound for the rest."""

    def __init__(
        self,
        geometry: Geometry,
        table: Float[Tensor, "vocab rank"],
        order: Int64[np.ndarray, " vocab"],
        level: int,
        reach: Float64[np.ndarray, " vocab"],
        shift: Float64[np.ndarray, " vocab"],
    ) -> None:
        """The rows of `geometry`, and of its `table`, are put into `order`, as `reach` and `shift` are."""
        self.level = level
        device = geometry.device
        places = torch.from_numpy(order).to(device)
        self.reach = torch.from_numpy(reach).to(device)
        self.shift = torch.from_numpy(shift).to(device)
        self.norms = torch.from_numpy(geometry.norms[order]).to(device)
        self.columns = table[places, :level]
        if level < geometry.rank:
            # Entries are off by a rounding to float32 at most, and so are their lengths.
            chunks = torch.tensor_split(table[:, level:], len(table) // PART + 1)
            parts = [torch.linalg.vector_norm(chunk.double(), dim=1) for chunk in chunks]
            rest = (torch.cat(parts) * (1 + 8 * UNIT)).float()
            self.columns = torch.cat([self.columns, rest[places, None]], dim=1)
        self.has_bias = bool(np.any(shift))
        self.shift32 = self.shift.float()
        width = self.columns.shape[1]
        # Casting either side, the product, the bias added and the score scaled.
        self.relative = (width + 12) * UNIT / (1 - (width + 12) * UNIT) + 4 * geometry.skew
        self.tallest = float(self.norms.max())
        self.lost, self.dropped = 1e-13 * geometry.largest, 2 * geometry.dropped**2
        self.largest_shift = float(self.shift.abs().max())

    def block(self, columns: int) -> int:
        """Rows to take at once against so many columns."""
        return max(16, min(ROWS, int(WORK / (columns * (self.level + 24)))))

    def leads(self, block: Int64[np.ndarray, " n"], first: int) -> Float64[np.ndarray, " n"]:
        """Proved lower bounds of the leads of the tokens at `block`, over all rows from `first` on."""
        rows = torch.from_numpy(block).to(self.norms.device)
        mine = self.columns[rows]
        if self.has_bias:
            mine = mine * self.reach[rows, None].float()
        highest = torch.full((len(rows),), -torch.inf, device=mine.device)
        for start in range(first, len(self.columns), COLUMNS):
            stop = min(start + COLUMNS, len(self.columns))
            scores = mine @ self.columns[start:stop].T
            if self.has_bias:
                scores += self.shift32[start:stop]
            inside = torch.nonzero((rows >= start) & (rows < stop))[:, 0]
            scores[inside, rows[inside] - start] = -torch.inf
            highest = torch.maximum(highest, scores.amax(dim=1))
        reach, norms = self.reach[rows], self.norms[rows]
        scale = torch.ones_like(reach) if self.has_bias else reach
        own = reach * norms.square() + (self.shift[rows] if self.has_bias else 0.0)
        off = self.relative * reach * norms * (norms + self.tallest) + reach * self.dropped
        # What turning lost of a row counts at the length of the others too: a token's own may be nothing but that.
        off = off + reach * self.lost * (3 * norms + self.tallest)
        off = off + 4 * UNIT * (self.largest_shift + self.shift[rows].abs() + reach * norms * self.tallest)
        off = off + LOST * (1 + reach) * (1 + norms) * (1 + self.tallest)
        leads: Float64[np.ndarray, " n"] = (own - highest.double() * scale - off).cpu().numpy()
        return leads


def reach(geometry: Geometry, question: Question) -> Float64[np.ndarray, " vocab"]:
    """By how much each turned row may be multiplied to be as long as is admissible."""
    if question.mode == "box":
        axes = torch.from_numpy(geometry.axes).to(geometry.device)
        parts = [(part @ axes.T).abs().amax(dim=1).cpu().numpy() for _, part in geometry.turned_parts()]
        sizes = np.concatenate(parts) * (1 + 1e-9)
    else:
        sizes = geometry.norms
    return np.asarray(np.where(geometry.norms > 0, question.radius * (1 - 2e-12) / np.maximum(sizes, 1e-300), 0.0))
