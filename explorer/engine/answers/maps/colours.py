"""The colours of a map: an axis with numbers, or classes of tokens."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import numpy.typing as npt

from explorer.base.errors import UsageError
from explorer.base.numbers import format_percent
from explorer.base.records.map_colours import CLASSINGS, MOST_CLASSES, VERDICT_BY, is_classing
from explorer.base.records.maps import ReadMap
from explorer.base.records.record import Array, Progress
from explorer.base.records.speakability import SPEAKABILITIES, ProveSpeakability, ReadCertificates, Speakability
from explorer.engine.answers.maps.axes import Column, axis_of
from explorer.engine.answers.maps.kept import Telling, tell
from explorer.engine.answers.maps.source import Source
from explorer.engine.answers.maps.verdicts import verdict_classes
from explorer.engine.answers.speakability.answer import read_certificates
from explorer.engine.answers.speakability.unembedding import Unembeddings
from explorer.engine.core.clusters import STEPS, Clusters, find_clusters
from explorer.engine.models.abilities import has_hidden
from explorer.tables.map_classes import TokenClasses, classes_of_columns, ground_commonest

HARD, NOT_PROVED = "hard to speak", "not proved"
OTHER_GROUPS, MAIN_GROUP = "no or another group", "main group"


class KeptClusters(msgspec.Struct, frozen=True):
    """The groups of a plane, see `explorer.engine.core.clusters`."""

    labels: Array
    """int32 [vocab]; −1: in none, or without a place."""
    apart: tuple[float, ...]
    sample: int


def numbers_of(source: Source, colour: str) -> Telling[Column | None]:
    """The numbers of an axis to colour by, float32 [vocab]; None where classes are the colour, or none is wanted."""
    if not colour or is_classing(colour):
        return None
    try:
        return (yield from axis_of(source, colour))[1]
    except UsageError as error:
        raise UsageError(str(error), hint=f"{error.hint} Or {', '.join(CLASSINGS)}.") from error


def classes_of(
    source: Source, unembeddings: Unembeddings, request: ReadMap, x: Column, y: Column
) -> Telling[TokenClasses | None]:
    """The classes to colour by; None where the colour is numbers, or none is wanted. `x` and `y`: float32 [vocab], NaN
    where a token has no place."""
    colour = request.colour
    if colour == "cluster":
        return (yield from _by_cluster(source, x, y, request.seed))
    if colour == "speakability":
        yield Progress(done=0, total=0, what=f"reading the proofs about {source.model.info.name}")
        return _by_speakability(source, unembeddings)
    if colour == "verdict" or colour.startswith(VERDICT_BY):
        return (yield from verdict_classes(source, colour.removeprefix("verdict").removeprefix(":")))
    return classes_of_columns(colour, source.read.columns)


def _by_speakability(source: Source, unembeddings: Unembeddings) -> TokenClasses:
    """What proofs on disk say, in the ball, with the bias and the final norm as `prove` asks by default."""
    names = (*SPEAKABILITIES, HARD, NOT_PROVED)
    places = np.full(source.read.columns.vocab_size, names.index(NOT_PROVED), dtype=np.int64)
    folded = has_hidden(source.model)
    for mode in ("own_direction", "ball"):
        of = ProveSpeakability(model=source.model.info.name, mode=mode, folded=folded)
        for row in read_certificates(source.model, ReadCertificates(of=of), kept=unembeddings).rows:
            itself = row.own_direction_winner.token_id == row.token.token_id
            found = _said(row.verdict, itself=itself, is_proof=mode == "ball")
            places[row.token.token_id] = names.index(found)
    return ground_commonest(names, places)


def _said(verdict: Speakability, *, itself: bool, is_proof: bool) -> str:
    """The class of a token: `hard to speak` where another one wins along its own row and nothing worse is proved."""
    if verdict == "unspeakable" or (verdict == "undecided" and is_proof):
        return verdict
    return "speakable" if itself else HARD


def _by_cluster(source: Source, x: Column, y: Column, seed: int) -> Telling[TokenClasses]:
    places = np.stack([x, y], axis=1).astype(np.float64)
    placed = np.flatnonzero(np.isfinite(places).all(axis=1))
    digest = hashlib.sha256(places[placed].tobytes()).hexdigest()

    def compute() -> Telling[KeptClusters]:
        work = find_clusters(places[placed], seed)
        found: Clusters = yield from tell(work, STEPS, "steps of the groups on the plane, a few seconds each")
        labels = np.full(len(x), -1, dtype=np.int32)
        labels[placed] = found.labels
        return KeptClusters(Array.of(labels), found.apart, found.sample)

    kept = yield from source.keeper.keep(source.model, source.space, KeptClusters, (digest, seed), compute)
    return _name_clusters(kept, placed)


def _name_clusters(kept: KeptClusters, placed: npt.NDArray[np.int64]) -> TokenClasses:
    """The groups that stand apart the most, each a class; the largest group, and all others together."""
    labels = kept.labels.numpy()
    sizes = np.bincount(labels[labels >= 0], minlength=max(1, len(kept.apart)))
    main = int(sizes.argmax())
    shown = [label for label in range(len(kept.apart)) if label != main][: MOST_CLASSES - 1]
    names = (*(f"group {place + 1}" for place in range(len(shown))), OTHER_GROUPS, MAIN_GROUP)
    places = np.full(len(labels), len(shown), dtype=np.int64)
    for place, label in enumerate(shown):
        places[labels == label] = place
    if kept.apart:
        places[labels == main] = len(shown) + 1
    nowhere = format_percent(float((labels[placed] < 0).mean())) if len(placed) else "0 %"
    note = f"{len(kept.apart)} groups on this plane (HDBSCAN); {nowhere} of the tokens are in none"
    if kept.sample < len(placed):
        note += f"; {kept.sample:,} tokens were grouped, the others are with the nearest of these"
    return ground_commonest(names, places, notes=(note,))
