"""A map coloured by verdicts: those of the newest verification that is finished, and of which tokens it says nothing,
those of earlier ones; as the plots of a map learn one verification after the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import cast

import msgspec
import numpy as np
import numpy.typing as npt

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Progress
from explorer.base.records.verification import VERDICTS, ReadVerdicts, VerdictColumns, Verify
from explorer.engine.answers.maps.kept import Telling
from explorer.engine.answers.maps.source import Source
from explorer.engine.answers.verification.answer import cache_folder, read_verdicts
from explorer.engine.answers.verification.evidence_place import evidence_folder
from explorer.engine.answers.verification.finished import read_finished
from explorer.engine.answers.verification.plan import chosen_definitions
from explorer.engine.queue import Work
from explorer.specs.blocks import count
from explorer.specs.verification import describe, needs
from explorer.tables.map_classes import TokenClasses, ground_commonest
from explorer.tables.tested import TokenVerdicts, learn
from explorer.tables.verdicts import VerdictMatrix

_WORST_FIRST = tuple(map(VERDICTS.index, (
    "verified", "weak", "inconclusive: the controls fail too", "inconclusive", "rejected", "not asked",
)))  # fmt: skip


def verdict_classes(source: Source, definition: str) -> Telling[TokenClasses]:
    """The worst verdict of the definitions that ask the model (of all where none does), or that of one definition.

    Where no verification by that is finished: what is on disk with the usual options. Raises `UsageError` for a
    definition that there is not.
    """
    finished = _finished(source, definition)
    names = (definition,) if definition else _judging(finished[-1][1] if finished else ())
    known: dict[str, TokenVerdicts] = {}
    for request, _ in finished:
        with suppress(ExplorerError):  # of a filter by columns that are not here, say
            yield from _learn(source, request, names, known)
    if not finished:
        yield from _learn(source, _all_asked(source, definition), names, known)
    return ground_commonest(*_worst(source, list(known.values())), notes=(_note(finished, definition),))


def _finished(source: Source, definition: str) -> list[tuple[Verify, tuple[str, ...]]]:
    """The finished verifications with their definitions, the newest last; those by one definition, where one is named.
    One that this model cannot be asked any more (by a definition of a package that is gone, say) is left out."""
    if not source.model.info.weights_digest:
        return []
    found = []
    for kept in read_finished(evidence_folder(cache_folder(), source.model.info)):
        request = msgspec.structs.replace(kept, model=source.model.info.name)
        try:
            names = tuple(each.name for each in chosen_definitions(source.read, request))
        except ExplorerError:
            continue
        if not definition or definition in names:
            found.append((request, names))
    return found


def _all_asked(source: Source, definition: str) -> Verify:
    """All that was ever asked with the usual options, finished or not; of a model that cannot be asked its geometry."""
    ids = np.flatnonzero(~source.read.columns.is_padding)
    request = Verify(model=source.model.info.name, token_ids=tuple(ids.tolist()))
    names = ("geometric",) if needs(request).difference(source.model.info.abilities) else ()
    return msgspec.structs.replace(request, definitions=(definition,) if definition else names)


def _judging(names: Sequence[str]) -> tuple[str, ...]:
    """Those that ask the model, or all where none does; of no names none: the usual ones."""
    return tuple(name for name in names if not name.startswith("geometric:")) or tuple(names)


def _learn(source: Source, request: Verify, names: Sequence[str], known: dict[str, TokenVerdicts]) -> Telling[None]:
    """Take the verdicts of one verification by these definitions (none: by the usual ones that ask the model)."""
    work = read_verdicts(source.model, source.read, ReadVerdicts(of=request))
    matrix = VerdictMatrix((yield from _progress_of(work)))
    wanted = names or _judging([each.name for each in matrix.definitions])
    for place, each in enumerate(matrix.definitions):
        if each.name in wanted:
            known[each.name] = learn(known.get(each.name), matrix, place, source.read.columns.vocab_size)


def _progress_of(work: Work) -> Telling[VerdictColumns]:
    while True:
        try:
            part = next(work)
        except StopIteration as finished:
            return cast(VerdictColumns, finished.value)
        if isinstance(part, Progress):
            yield part


def _worst(source: Source, known: Sequence[TokenVerdicts]) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """The names of the verdicts, the worst first, and for each token which it has; `not asked` without any."""
    places = np.full(source.read.columns.vocab_size, len(_WORST_FIRST) - 1, dtype=np.int64)
    rank = np.argsort(_WORST_FIRST)
    for found in known:
        places = np.minimum(places, rank[found.verdicts])
    names = (VERDICTS[place].replace("inconclusive: the ", "") for place in _WORST_FIRST)
    return tuple(names), places


def _note(finished: Sequence[tuple[Verify, tuple[str, ...]]], definition: str) -> str:
    """Which verification is shown."""
    by = f" by {definition}" if definition else ""
    if not finished:
        return f"no verification{by} is finished: what was asked so far with the usual options"
    earlier = f"; {count(len(finished) - 1, 'earlier one')} for other tokens" if len(finished) > 1 else ""
    return f"newest finished verification{by}: {describe(finished[-1][0])}{earlier}"
