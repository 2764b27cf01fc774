"""Work on maps that is stopped in the middle: how far it came is kept, and asked again it goes on from there.

Kept when it is stopped, and now and then in between, as the engine may be ended at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

import msgspec
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from explorer.base.records.record import Array
from explorer.engine.answers.maps.kept import Telling, tell
from explorer.engine.answers.maps.source import Source
from explorer.engine.core.landmarks import Placed, place_others
from explorer.engine.core.layout import FORMING, SETTLING, Midway, Phases, Points, lay_out, settle, steps_of
from explorer.engine.core.nearest_rows import (
    Candidates,
    Compared,
    NearestRows,
    Prepare,
    candidates_of,
    find_nearest,
    pairs_of_blocks,
)

T = TypeVar("T")

SAVE_EVERY = 60.0
"""Seconds of work that are lost at most where the engine is ended."""
MOST_KEPT = 4
"""Of each kind on the disk; half a graph of 262,144 tokens takes 48 MB."""


class KeptMidway(msgspec.Struct, frozen=True):
    """A layout between two steps, see `Midway`."""

    step: int
    points: Array
    """float32 [n, 2]"""
    speed: Array
    gain: Array
    span: float


class KeptCompared(msgspec.Struct, frozen=True):
    """A graph between two products, see `Compared`."""

    done: int
    closeness: Array
    """float32 [n, candidates]"""
    places: Array
    """int32 [n, candidates]"""


class KeptPlaced(msgspec.Struct, frozen=True):
    """Rows placed at their nearest landmarks, between two blocks, see `Placed`."""

    done: int
    places: Array
    """float32 [vocab, 2]"""


Walk = Callable[[Int[Tensor, "n k"], Points, Midway], Generator[int, None, Points]]


def lay_out_on(source: Source, facts: Sequence[object], nearest: Int[Tensor, "n k"], start: Points) -> Telling[Points]:
    """`lay_out` of the landmarks, from where it was stopped; `facts`: what `nearest` and `start` come from."""
    return _walk_on(source, tuple(facts), nearest, start, lay_out, FORMING, "steps of the landmarks' layout")


def settle_on(source: Source, facts: Sequence[object], nearest: Int[Tensor, "n k"], start: Points) -> Telling[Points]:
    """`settle`, likewise."""
    return _walk_on(source, tuple(facts), nearest, start, settle, SETTLING, "steps of the layout")


def _walk_on(
    source: Source,
    facts: tuple[object, ...],
    nearest: Int[Tensor, "n k"],
    start: Points,
    walk: Walk,
    phases: Phases,
    what: str,
) -> Telling[Points]:
    facts = (*facts, phases)
    kept = source.keeper.find(source.model, source.space, KeptMidway, facts)
    midway = Midway()
    if kept is not None and kept.points.shape == tuple(start.shape):
        points, speed, gain = (_tensor(part) for part in (kept.points, kept.speed, kept.gain))
        midway = Midway(kept.step, points, speed, gain, kept.span)

    def pack() -> KeptMidway:
        points, speed, gain = (Array.of(part.numpy()) for part in (midway.points, midway.speed, midway.gain))
        return KeptMidway(midway.step, points, speed, gain, midway.span)

    telling = tell(walk(nearest, start, midway), steps_of(phases), what, begun=midway.step)
    return (yield from _keep_midway(source, facts, KeptMidway, telling, pack))


def find_nearest_on(
    source: Source,
    matrix: Float[Tensor, "rows d_model"],
    counted: Bool[Tensor, " rows"],
    k: int,
    prepare: Prepare,
    whose: str,
    facts: Sequence[object] = (),
) -> Telling[NearestRows]:
    """`find_nearest` of these rows, from where it was stopped; `whose`: in words, of what; `facts`: which rows."""
    facts, count = (k, whose, *facts), int(counted.sum())
    kept = source.keeper.find(source.model, source.space, KeptCompared, facts)
    midway = Compared()
    if kept is not None and kept.closeness.shape == kept.places.shape == (count, candidates_of(k, count)):
        parts = (_tensor(part).to(matrix.device) for part in (kept.closeness, kept.places))
        midway = Compared(kept.done, Candidates(*parts))

    def pack() -> KeptCompared:
        best = midway.best or Candidates.none(0, 0, matrix.device)
        parts = (Array.of(part.cpu().numpy()) for part in (best.closeness, best.places))
        return KeptCompared(midway.done, *parts)

    work = find_nearest(matrix, counted, k, prepare, midway)
    telling = tell(work, pairs_of_blocks(count), f"blocks of {whose}", begun=midway.done)
    return (yield from _keep_midway(source, facts, KeptCompared, telling, pack))


def place_others_on(
    source: Source, facts: Sequence[object], landmarks: Int[Tensor, " n"], points: Points, prepare: Prepare
) -> Telling[Points]:
    """`place_others`, from where it was stopped; `facts`: what `landmarks` and `points` come from."""
    kept = source.keeper.find(source.model, source.space, KeptPlaced, facts)
    midway = Placed()
    if kept is not None and kept.places.shape == (len(source.matrix), 2):
        midway = Placed(kept.done, _tensor(kept.places))

    def pack() -> KeptPlaced:
        return KeptPlaced(midway.done, Array.of(midway.places.numpy()))

    work = place_others(source.matrix, source.counted, landmarks, points, prepare, midway)
    telling = tell(work, len(source.matrix), "tokens placed at their nearest landmarks", begun=midway.done)
    return (yield from _keep_midway(source, facts, KeptPlaced, telling, pack))


def _keep_midway(
    source: Source,
    facts: Sequence[object],
    kind: type[msgspec.Struct],
    telling: Telling[T],
    pack: Callable[[], msgspec.Struct],
) -> Telling[T]:
    """`telling`, with what `pack` gives kept where it is stopped, and dropped where it comes to its end."""
    place = source.model, source.space
    saved = time.monotonic()
    while True:
        try:
            part = next(telling)
        except StopIteration as finished:
            source.keeper.drop(*place, kind, facts)
            result: T = finished.value
            return result
        try:
            yield part
        except GeneratorExit:
            source.keeper.put(*place, facts, pack(), MOST_KEPT)
            raise
        if time.monotonic() - saved > SAVE_EVERY:
            source.keeper.put(*place, facts, pack(), MOST_KEPT)
            saved = time.monotonic()


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(array.numpy().copy())
