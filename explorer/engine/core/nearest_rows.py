"""The nearest rows of every row of a matrix, exact, in full width: blocks of rows against blocks of rows.

A reduction to some principal components first finds a fifth of the true neighbours of token embeddings, and approximate
indexes cost as much as this at 50,000 rows (measured). Products in float32 propose a few candidates for each row, and
the distances of these, computed from differences, decide.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from explorer.engine.core.indicators import mean_row

_BLOCK = 2048
"""Rows of a block: one product of two blocks takes a tenth of a second."""
_RANKED = 64
"""Rows whose candidates' differences are held at once."""
_SPARE = 8
"""Candidates beyond those that are wanted: what float32 products may put in a wrong order."""

_SPARSE = 4
"""Better entries for each candidate up to which they are picked out; where there are more, a sort of all costs less."""

Prepare = Callable[[Float[Tensor, "n d_model"]], Float[Tensor, "n d_model"]]


@dataclass(frozen=True)
class NearestRows:
    """The nearest other rows of each row, nearest first; ties in no order."""

    rows: Int[Tensor, "vocab k"]
    """int32; −1 where a row does not count, or where there are not so many others."""
    distances: Float[Tensor, "vocab k"]
    """float32, Euclidean between the prepared rows; NaN likewise."""


def plain_rows(matrix: Float[Tensor, "vocab d_model"], counted: Bool[Tensor, " vocab"]) -> Prepare:
    """Rows without the mean, so that distances stay what they are and products lose few digits."""
    middle = mean_row(matrix, counted).float().to(matrix.device)
    return lambda rows: rows.to(torch.float32, copy=True).sub_(middle)


def centred_directions(matrix: Float[Tensor, "vocab d_model"], counted: Bool[Tensor, " vocab"]) -> Prepare:
    """Rows without the mean, at length 1: distances then grow with the centred cosine's. Raw rows have hubs: one token
    is among the nearest of a tenth of all others, and untrained ones are scattered among them (measured)."""
    plain = plain_rows(matrix, counted)

    def prepare(rows: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_model"]:
        return torch.nn.functional.normalize(plain(rows), dim=1)

    return prepare


def candidates_of(k: int, count: int) -> int:
    """How many candidates are held for each of `count` rows."""
    return min(k + _SPARE, max(1, count - 1))


def pairs_of_blocks(count: int) -> int:
    """How many products `find_nearest` makes for so many rows: what it yields counts up to it."""
    blocks = -(-count // _BLOCK)
    return blocks * (blocks + 1) // 2


@dataclass
class Compared:
    """How far a search is, between two products. One that was kept goes on as it would have."""

    done: int = 0
    """Products of two blocks; 0: it begins."""
    best: Candidates | None = None


@torch.no_grad()
def find_nearest(
    matrix: Float[Tensor, "vocab d_model"],
    counted: Bool[Tensor, " vocab"],
    k: int,
    prepare: Prepare,
    midway: Compared | None = None,
) -> Generator[int, None, NearestRows]:
    """The `k` nearest of the other counted rows, for each counted row; yields after each product of two blocks, each of
    which serves the rows of both. From where `midway` is, which is brought up to date with each product."""
    ids = counted.nonzero()[:, 0]
    count = len(ids)
    midway, kept = midway or Compared(), candidates_of(k, count)
    best = midway.best = midway.best or Candidates.none(count, kept, matrix.device)
    places = [slice(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]
    done = 0
    for at, one in enumerate(places):
        known = min(max(0, midway.done - done), len(places) - at)
        done += known
        if at + known == len(places):
            continue
        rows = prepare(matrix[ids[one].to(matrix.device)])
        for other in places[at + known :]:
            others = rows if other is one else prepare(matrix[ids[other].to(matrix.device)])
            closeness = rows @ others.T - _half_squares(rows)[:, None] - _half_squares(others)[None]
            if other is one:
                closeness.fill_diagonal_(-torch.inf)
            else:
                best.offer(other, closeness.T, one.start)
            best.offer(one, closeness, other.start)
            done += 1
            midway.done = done
            yield done
    return (yield from _rank(matrix, ids, best, min(k, kept), k, prepare, done))


def _half_squares(rows: Float[Tensor, "n d_model"]) -> Float[Tensor, " n"]:
    halves: Float[Tensor, " n"] = torch.linalg.vecdot(rows, rows) / 2
    return halves


@dataclass(frozen=True)
class Candidates:
    """The best candidates so far of each row, in no order."""

    closeness: Float[Tensor, "count kept"]
    """Minus half the squared distance."""
    places: Int[Tensor, "count kept"]

    @classmethod
    def none(cls, count: int, kept: int, device: torch.device) -> Candidates:
        """Before anything was compared."""
        places = torch.zeros(count, kept, dtype=torch.int32, device=device)
        return cls(torch.full((count, kept), -torch.inf, device=device), places)

    def offer(self, rows: slice, closeness: Float[Tensor, "n m"], first: int) -> None:
        """Take what is closer than the candidates of these rows; `first` is the place of the first column."""
        kept, known = self.closeness.shape[1], self.closeness[rows]
        row, column = _find_better(closeness, known.amin(dim=1))
        if len(row) > _SPARSE * known.numel():  # the first blocks: nearly everything is better than what there is
            found, at = closeness.contiguous().topk(min(kept, closeness.shape[1]), dim=1, sorted=False)
        elif len(row):
            found, at = _put_side_by_side(closeness, row, column)
        else:
            return
        all_closeness = torch.cat([known, found], dim=1)
        all_places = torch.cat([self.places[rows], at.int() + first], dim=1)
        self.closeness[rows], chosen = all_closeness.topk(kept, dim=1, sorted=False)
        self.places[rows] = all_places.gather(1, chosen)


def _find_better(
    closeness: Float[Tensor, "n m"], worst: Float[Tensor, " n"]
) -> tuple[Int[Tensor, " found"], Int[Tensor, " found"]]:
    """Rows and columns of what is closer than the worst candidate of its row, by row. A transposed matrix is walked as
    it lies in memory, which is several times as fast."""
    if closeness.is_contiguous():
        row, column = (closeness > worst[:, None]).nonzero(as_tuple=True)
        return row, column
    column, row = (worst[None] < closeness.T).nonzero(as_tuple=True)
    row, order = row.sort(stable=True)
    return row, column[order]


def _put_side_by_side(
    closeness: Float[Tensor, "n m"], row: Int[Tensor, " found"], column: Int[Tensor, " found"]
) -> tuple[Float[Tensor, "n most"], Int[Tensor, "n most"]]:
    """The chosen entries of each row from the left on, with their columns; minus infinity where a row has fewer."""
    counts = torch.bincount(row, minlength=len(closeness))
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    found = closeness.new_full((len(closeness), int(counts.max())), -torch.inf)
    at = torch.zeros_like(found, dtype=torch.int64)
    found[row, place], at[row, place] = closeness[row, column], column
    return found, at


def _rank(
    matrix: Float[Tensor, "vocab d_model"],
    ids: Int[Tensor, " count"],
    best: Candidates,
    found: int,
    k: int,
    prepare: Prepare,
    done: int,
) -> Generator[int, None, NearestRows]:
    """The candidates in the order of the distances that their differences give."""
    rows = torch.full((len(matrix), k), -1, dtype=torch.int32)
    distances = torch.full((len(matrix), k), torch.nan)
    for start in range(0, len(ids) if len(ids) > 1 else 0, _RANKED):
        some = slice(start, start + _RANKED)
        candidates = best.places[some].long()
        of = prepare(matrix[ids[some].to(matrix.device)])
        others = prepare(matrix[ids.to(matrix.device)[candidates.reshape(-1)]]).reshape(*candidates.shape, -1)
        apart = torch.linalg.vector_norm(others - of[:, None], dim=2)
        apart = torch.where(best.closeness[some].isneginf(), torch.inf, apart)
        nearest, order = apart.topk(found, dim=1, largest=False)
        known = nearest.isfinite().cpu()
        names = ids[candidates.gather(1, order).cpu()].int()
        rows[ids[some], :found] = torch.where(known, names, -1)
        distances[ids[some], :found] = torch.where(known, nearest.cpu(), torch.nan)
        if start % (16 * _RANKED) == 0:
            yield done
    return NearestRows(rows, distances)
