"""What maps are made of, computed once for each matrix: in memory while the engine runs, and on disk."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar, cast

import msgspec

from explorer.base.records.neighbours import Space
from explorer.base.records.record import Progress
from explorer.engine.answers.latest import Latest
from explorer.engine.kept import fingerprint, forget, recall, remember
from explorer.engine.models.abilities import HasWeights
from explorer.engine.models.local import Held

T = TypeVar("T")
Kind = TypeVar("Kind", bound=msgspec.Struct)
Telling = Generator[Progress, None, T]

KEPT = 12
"""Results kept in memory, the least recently used one given up first; the largest takes 24 MB at 262,144 tokens."""
FORMAT = 2
"""Raised when something is computed in another way, so that what is on disk is not taken for it."""
_Key = tuple[str, str, Space, str, tuple[object, ...]]


class MapKeeper:
    """Gives what was computed of a matrix, or has it computed. May be used from any thread."""

    def __init__(self) -> None:
        self._kept: Latest[_Key, msgspec.Struct] = Latest(KEPT)

    def keep(
        self,
        model: HasWeights,
        space: Space,
        kind: type[Kind],
        facts: Sequence[object],
        compute: Callable[[], Telling[Kind]],
    ) -> Telling[Kind]:
        """What `compute` gives for this matrix and these `facts`: from memory, else from the disk, else computed."""
        found = self.find(model, space, kind, facts)
        if found is None:
            found = yield from compute()
            self.put(model, space, facts, found)
        return found

    def find(self, model: HasWeights, space: Space, kind: type[Kind], facts: Sequence[object]) -> Kind | None:
        """What is kept of this kind: in memory, else on the disk."""
        key = _key_of(model, space, kind, facts)
        found = cast("Kind | None", self._kept.get(key))
        if found is None and (on_disk := _disk_key(model, space, facts)):
            found = recall(_folder(kind), on_disk, kind)
        if found is not None:
            self._kept.hold(key, found)
        return found

    def put(
        self,
        model: HasWeights,
        space: Space,
        facts: Sequence[object],
        thing: msgspec.Struct,
        most: int | None = None,
    ) -> None:
        """Keep `thing`; on the disk, `most` of its kind, or as many as of other kinds."""
        if on_disk := _disk_key(model, space, facts):
            remember(_folder(type(thing)), on_disk, thing, most)
        self._kept.hold(_key_of(model, space, type(thing), facts), thing)

    def drop(self, model: HasWeights, space: Space, kind: type[msgspec.Struct], facts: Sequence[object]) -> None:
        """Keep it no longer."""
        self._kept.drop(_key_of(model, space, kind, facts))
        if on_disk := _disk_key(model, space, facts):
            forget(_folder(kind), on_disk)

    def forget(self, name: str) -> None:
        """Give up what was computed of a model that was unloaded."""
        self._kept.forget(name)


def tell(work: Generator[int, None, T], total: int, what: str, begun: int = 0) -> Telling[T]:
    """The result of `work`, with what it yields as progress; `begun`: how much was done before it was stopped."""
    what += f", resumed at {begun:,}" if begun else ""
    while True:
        try:
            done = next(work)
        except StopIteration as finished:
            return cast(T, finished.value)
        yield Progress(done=done, total=total, what=what, reused=begun)


def _key_of(model: HasWeights, space: Space, kind: type[msgspec.Struct], facts: Sequence[object]) -> _Key:
    return model.info.name, model.info.weights_digest, space, kind.__name__, tuple(facts)


def _folder(kind: type[msgspec.Struct]) -> str:
    return f"maps/{kind.__name__.lower()}"


def _disk_key(model: HasWeights, space: Space, facts: Sequence[object]) -> str:
    """Empty where nothing of this model is kept on disk: small ones are measured in a moment."""
    if not isinstance(model, Held) or not model.kept_as:
        return ""
    return fingerprint((), (model.kept_as, FORMAT, "input" if model.embeddings().tied else space, *facts))
