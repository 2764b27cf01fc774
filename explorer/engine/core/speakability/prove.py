"""Verdicts with proofs for tokens of a vocabulary, the quick ones first.

0. Of a few tokens, the checker itself says which win along their own centred rows: nothing is prepared for those.
1. Rows that are the same to the last bit shadow each other.
2. Almost every other token wins along its own centred row (`screening`).
3. Points that won in an easier question (`hints`) are tried.
4. The rest by cutting planes, many tokens at a time so that scoring all rows is one matrix product (`hull`, `bounded`).
5. What those give up is put to a linear program (`linear_program`).

A search only proposes; what decides is `checker.Checker`, except in step 2, whose arithmetic carries its own bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float64
from threadpoolctl import ThreadpoolController
from torch import Tensor

from explorer.engine.core.speakability.biases import Biases
from explorer.engine.core.speakability.bounded import BoundedSearch, Scaled
from explorer.engine.core.speakability.checked import SettledTokens, check_proposals, check_weights, check_witnesses
from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.geometry import Geometry, Ground, prepared, twins
from explorer.engine.core.speakability.hull import HullSearch, Whitened
from explorer.engine.core.speakability.linear_program import Rivals, proposed
from explorer.engine.core.speakability.proposals import Proposal, Search
from explorer.engine.core.speakability.questions import Question, RowWitness, Settled, Weights, Witness
from explorer.engine.core.speakability.rows import Rows
from explorer.engine.core.speakability.screening import own_row_wins, reach

POOL = 48
"""Searches that share a matrix product."""
CHECKED_TOGETHER = 32
FEW = 16
"""Up to so many tokens are first tried along their own rows by the checker, which needs nothing prepared."""
WIDE = 2048
"""Up to this width one token's search is done on one thread: NumPy's threads and torch's would wait for each other,
which doubles the time on two cores."""

T = TypeVar("T")


def prove(
    rows: Rows | Float[np.ndarray, "vocab d_model"],
    bias: Float[np.ndarray, " vocab"] | None,
    question: Question,
    token_ids: Sequence[int] | None = None,
    *,
    shift: Float[np.ndarray, " d_model"] | None = None,
    hints: Mapping[int, Float64[np.ndarray, " d_model"]] | None = None,
    device: torch.device | str = "cpu",
    ground: Ground | None = None,
) -> Generator[SettledTokens, None, None]:
    """Yield lists of verdicts (some empty, so that a caller may stop) until each of `token_ids` has one.

    Where the question counts the bias, row j scores w_j·(x + shift) + bias_j. `token_ids` None means all; leave out
    what is settled to resume a run. `hints` are directions in which a token may win, say its witnesses in the cone.
    What is worked out about the rows is put into `ground`, and taken from it where it is there.
    Where numbers are too large or too small for proofs, nothing is decided. Raises `ValueError` where they are not
    finite.
    """
    ground = Ground() if ground is None else ground
    checker = Checker(rows, bias, question, shift, ground.frames)
    asked = np.arange(len(checker.rows)) if token_ids is None else np.unique(np.asarray(token_ids, dtype=np.int64))
    if len(asked) and not (asked[0] >= 0 and asked[-1] < len(checker.rows)):
        raise ValueError(f"there are ids outside 0 to {len(checker.rows) - 1}")
    left = dict.fromkeys(asked.tolist())
    if not checker.in_range:
        yield [Settled(token_id, "undecided", np.inf, None) for token_id in left]
        return
    for verdicts in _steps(checker, left, hints or {}, torch.device(device), ground):
        for verdict in verdicts:
            del left[verdict.token_id]
        yield verdicts


def _steps(
    checker: Checker,
    left: dict[int, None],
    hints: Mapping[int, Float64[np.ndarray, " d_model"]],
    device: torch.device,
    ground: Ground,
) -> Generator[SettledTokens, None, None]:
    """The order of work. `left` loses what has been yielded before the next step begins."""
    are_few = len(left) <= FEW
    if len(checker.rows) == 1 and left:
        yield [Settled(0, "speakable", np.inf, Witness(np.zeros(checker.rows.shape[1])))]
    elif are_few:
        yield _own_rows_checked(checker, list(left))
    if not left:
        return
    twin = twins(checker.rows, checker.bias)
    shadowed = [(token_id, Weights(np.array([twin[token_id]]), np.ones(1))) for token_id in left if token_id in twin]
    yield [Settled(token_id, "unspeakable", checker.bound(token_id, proof), proof) for token_id, proof in shadowed]
    mean_zero = checker.question.mean_zero
    if mean_zero not in ground.geometries:
        work = prepared(checker.rows, mean_zero=mean_zero, device=device)
        ground.geometries[mean_zero] = yield from _waiting(work)
    geometry = ground.geometries[mean_zero]
    biases = Biases.of(checker, geometry)
    if geometry.rank == 0:
        yield _without_differences(checker, biases, list(left))
        return
    table = None if are_few and device.type == "cpu" else geometry.table()
    if not are_few:
        yield from _own_rows_screened(checker, geometry, biases, list(left), table)
    tried = [(token_id, Witness(biases.extend(hints[token_id]))) for token_id in left if token_id in hints]
    for start in range(0, len(tried), CHECKED_TOGETHER):
        yield check_witnesses(checker, tried[start : start + CHECKED_TOGETHER])
    yield from _searched(checker, geometry, biases, list(left), table)


def _own_rows_checked(checker: Checker, token_ids: Sequence[int]) -> SettledTokens:
    if not token_ids:
        return []
    leads = checker.margins(token_ids, np.array([checker.row_witness(token_id) for token_id in token_ids]))
    return [
        Settled(token_id, "speakable", float(lead), RowWitness())
        for token_id, lead in zip(token_ids, leads, strict=True)
        if lead > 0
    ]


def _own_rows_screened(
    checker: Checker, geometry: Geometry, biases: Biases, token_ids: list[int], table: Tensor | None
) -> Generator[SettledTokens, None, None]:
    reaches = reach(geometry, checker.question)
    for won, leads in own_row_wins(geometry, biases.total, reaches, np.array(token_ids, dtype=np.int64), table):
        yield [
            Settled(int(token_id), "speakable", float(lead), RowWitness())
            for token_id, lead in zip(won, leads, strict=True)
        ]


def _without_differences(checker: Checker, biases: Biases, token_ids: Sequence[int]) -> SettledTokens:
    """Where no admissible x tells rows apart: only the bias does."""
    level = biases.total if biases.total is not None else np.zeros(len(checker.rows))
    verdicts: SettledTokens = []
    for token_id in token_ids:
        rival = int(np.argmax(np.where(np.arange(len(level)) == token_id, -np.inf, level)))
        nowhere, shadow = Witness(np.zeros(checker.rows.shape[1])), Weights(np.array([rival]), np.ones(1))
        won, bound = check_witnesses(checker, [(token_id, nowhere)]), checker.bound(token_id, shadow)
        lost = Settled(token_id, "unspeakable" if bound <= 0 else "undecided", bound, shadow if bound <= 0 else None)
        verdicts += won or [lost]
    return verdicts


def _waiting(work: Generator[None, None, T]) -> Generator[SettledTokens, None, T]:
    try:
        while True:
            next(work)
            yield []
    except StopIteration as done:
        finished: T = done.value
        return finished


def _searched(
    checker: Checker, geometry: Geometry, biases: Biases, token_ids: list[int], table: Tensor | None
) -> Generator[SettledTokens, None, None]:
    """Run the searches in a pool; verdicts come as they are proved. `table` None: rows are read where they are stored,
    which takes no memory, and longer."""
    if not token_ids:
        return
    begin, scale, shift = _searches(checker.question, geometry, biases)
    blas = ThreadpoolController().select(user_api="blas")
    limit = partial(blas.limit, limits=1 if geometry.rank <= WIDE else None)
    waiting = iter(token_ids)
    program = _Program(checker, biases)
    pool: list[Search] = []
    held: list[tuple[Search, Proposal]] = []
    while True:
        pool += [begin(token_id) for token_id in islice(waiting, max(0, POOL - len(pool)))]
        if not pool and not held:
            return
        if pool:
            scores = _scores(geometry, np.array([search.direction for search in pool]) / scale, table)
            if shift is not None:
                scores += shift
            made = yield from _advanced(pool, scores, limit)
            held += [(search, proposal) for search, proposal in zip(pool, made, strict=True) if proposal is not None]
            pool = [search for search, proposal in zip(pool, made, strict=True) if proposal is None]
        verdicts: SettledTokens = []
        if any(isinstance(claim, Weights) and claim.centre for _, made in held for claim in made.claims):
            yield from _waiting(checker.prepare())
        if len(held) >= CHECKED_TOGETHER or not pool:
            verdicts, refused = check_proposals(checker, held)
            pool += refused
            held = []
        given_up = [verdict for verdict in verdicts if verdict.answer == "undecided"]
        yield [verdict for verdict in verdicts if verdict.answer != "undecided"]
        for verdict in given_up:
            yield from program.settle(verdict)


def _advanced(
    pool: Sequence[Search], scores: Float[np.ndarray, "n vocab"], limit: Callable[[], AbstractContextManager[Any]]
) -> Generator[SettledTokens, None, list[Proposal | None]]:
    """What each search makes of its scores: a proposal, or None where it goes on. `limit`: how many threads."""
    made: list[Proposal | None] = []
    for search, row in zip(pool, scores, strict=True):
        with limit():
            made.append(search.advance(row))
        yield []
    return made


def _scores(
    geometry: Geometry, directions: Float64[np.ndarray, "n rank"], table: Tensor | None
) -> Float[np.ndarray, "n vocab"]:
    """All turned rows along these directions: in float32 by the table, or of the rows as they are stored."""
    if table is None:
        return geometry.scores(directions)
    return np.asarray((torch.from_numpy(directions).to(table) @ table.T).cpu().numpy())


def _searches(
    question: Question, geometry: Geometry, biases: Biases
) -> tuple[Callable[[int], Search], float | Float64[np.ndarray, " rank"], Float64[np.ndarray, " vocab"] | None]:
    """How to begin a search, what its directions are divided by to be scored on turned rows, and what is added to the
    scores."""
    if biases.linear:
        lengths = geometry.whitened
        view = Whitened(geometry, float(np.median(lengths)) or 1.0, float(lengths.max()), biases.extend)
        return lambda token_id: HullSearch(view, token_id), geometry.deviations, None
    scale = float(geometry.norms.mean()) or 1.0
    assert biases.total is not None
    scaled = Scaled(geometry, question, scale, biases.total / (question.radius * scale))
    return lambda token_id: BoundedSearch(scaled, token_id), scale, scaled.bias


class _Program:
    """The last resort for tokens that their searches gave up; what all of them need is worked out once."""

    def __init__(self, checker: Checker, biases: Biases) -> None:
        self._checker, self._biases = checker, biases

    @cached_property
    def _near(self) -> Checker:
        """Of the same rows, but for |x| at most 1."""
        return Checker(self._checker.rows, None, Question("ball", 1.0, mean_zero=self._checker.question.mean_zero))

    def settle(self, given_up: Settled) -> Generator[SettledTokens, None, None]:
        """What a linear program proposes about the token, or else what was known of it."""
        checker, token_id = self._checker, given_up.token_id
        rivals = Rivals.of(checker.rows, self._biases.total, token_id, mean_zero=checker.question.mean_zero)
        claims = yield from _waiting(proposed(rivals, checker.question))
        points = [(token_id, claim) for claim in claims if isinstance(claim, Witness)]
        if points and (won := check_witnesses(checker, points)):
            yield won
            return
        found = check_weights(checker, token_id, claims)
        if np.isinf(found.margin) and checker.question.mode == "cone":
            # Weights whose sum does not quite vanish bound no lead in the cone, but they do near by.
            found = replace(found, margin=check_weights(self._near, token_id, claims).margin)
        yield [min(found, given_up, key=lambda verdict: verdict.margin)]
