"""Whole vocabularies as columns: bytes, categories, indicators and flags of every token of a model."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from explorer.base.errors import ExplorerError
from explorer.base.plugins import find_plugins, problem
from explorer.base.records.record import Array, Progress
from explorer.base.records.token_lists import ListedToken
from explorer.base.records.tokens import CATEGORIES, INDICATORS
from explorer.base.records.vocabulary import (
    CHOSEN,
    TWIN,
    RankTokens,
    ReadVocabulary,
    UnusedReference,
    VocabularyColumns,
)
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.latest import Latest
from explorer.engine.answers.reference import judge_reference
from explorer.engine.control import Control
from explorer.engine.core.default_rule import choose_default
from explorer.engine.core.indicators import Column, Indicator, RawMatrices, indicator_parts
from explorer.engine.core.twins import find_twins, relative_step
from explorer.engine.data.published import published_ids
from explorer.engine.kept import fingerprint, recall, remember
from explorer.engine.models.abilities import HasVocabulary, HasWeights, has_weights
from explorer.engine.models.local import Held
from explorer.engine.models.out_of_memory import release_memory
from explorer.engine.models.vocabulary import Vocabulary
from explorer.engine.queue import Work
from explorer.tables.ranking import ranked, select
from explorer.tables.table import TokenColumns, set_aside
from explorer.zoo import ground_truth, zoo_names

UNSUSPECTED = (20.0, 80.0)
"""Percentiles of the default indicator between which a token may serve as a control."""
UNTRAINED_FLAGS = ("withheld", "under_trained", "published")
"""Flags of tokens that may not serve as controls."""
_KEPT = "columns"
KEPT = 8
"""Column sets kept in memory, the least recently used one given up first."""


def answer_read(engine: Holdings, request: ReadVocabulary, control: Control) -> Work:
    """The whole vocabulary as columns."""
    yield Progress(done=0, total=0, what=f"reading the vocabulary of {request.model}")
    read = yield from engine.vocabularies.read(engine.models.get(request.model), request.unused_ids)
    return read.sent


def answer_rank(engine: Holdings, request: RankTokens, control: Control) -> Work:
    """The tokens that a filter lets through, sorted."""
    read = yield from engine.vocabularies.read(engine.models.get(request.model), request.unused_ids)
    return ranked(read.columns, request, select(read.columns, request))


@dataclass(frozen=True)
class Read:
    """A vocabulary as it is sent and as it is asked questions."""

    sent: VocabularyColumns
    columns: TokenColumns


def unsuspected(read: Read) -> npt.NDArray[np.bool_]:
    """Tokens that are ordinary for sure, bool [vocab]: candidates in the middle of the default indicator (neither tail
    holds an ordinary token for sure) of which no list and no zoo card says that they were not trained.

    All candidates where the model has no indicators.
    """
    columns = read.columns
    chosen = columns.is_candidate & ~columns.is_reference
    for flag in UNTRAINED_FLAGS:
        chosen &= ~columns.flags.get(flag, np.zeros(columns.vocab_size, dtype=np.bool_))
    if read.sent.default_indicator:
        percentiles = columns.percentiles(read.sent.default_indicator)
        chosen &= (percentiles > UNSUSPECTED[0]) & (percentiles < UNSUSPECTED[1])
    return chosen


Reading = Generator[Progress, None, Read]
_Key = tuple[str, str, tuple[int, ...] | None, int]


class VocabularyReader:
    """Computes the columns of a model once for each choice of reference tokens. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: Latest[_Key, Read] = Latest(KEPT)
        self._lists: dict[str, dict[str, tuple[ListedToken, ...]]] = {}

    def read(self, model: HasVocabulary, unused_ids: tuple[int, ...] | None) -> Reading:
        """The columns of `model`, told as they are computed.

        Raises `ExplorerError` for a reference token's id that it does not have.
        """
        lists = self.lists(model)
        key = (model.info.name, model.info.weights_digest, unused_ids, hash(tuple(lists.items())))
        read = self._kept.get(key)
        if read is None:
            listed = [token.token_id for tokens in lists.values() for token in tokens]
            sent = yield from read_columns(model, unused_ids, listed)
            read = Read(sent, TokenColumns(sent))
        self._kept.hold(key, read)
        return read

    def lists(self, model: HasVocabulary) -> dict[str, tuple[ListedToken, ...]]:
        """The published lists that were matched with a model's tokenizer, by the name of their file."""
        return self._lists.get(model.info.tokenizer_digest, {})

    def use_list(self, model: HasVocabulary, name: str, tokens: tuple[ListedToken, ...]) -> None:
        """Flag these tokens as published, in every model with the tokenizer of this one."""
        with self._lock:
            self._lists[model.info.tokenizer_digest] = {**self.lists(model), name: tokens}

    def forget(self, name: str) -> None:
        """Give up the columns of a model that was unloaded."""
        self._kept.forget(name)


def reference_tokens(model: HasVocabulary, unused_ids: tuple[int, ...] | None) -> tuple[UnusedReference, ...]:
    """The reference tokens: those chosen, or found by their bytes, name, padding, or rows that have twins."""
    vocabulary = model.vocabulary
    if unused_ids is None:
        found = dict(vocabulary.known_unused())
        twins = _twins(model) if has_weights(model) else {}
        found |= {token_id: f"{TWIN} of {twin}" for token_id, twin in twins.items() if token_id not in found}
        return tuple(UnusedReference(token_id=token_id, reason=found[token_id]) for token_id in sorted(found))
    for token_id in unused_ids:
        if not 0 <= token_id < vocabulary.size:
            raise ExplorerError(
                f"the reference token id {token_id} is not in 0 … {vocabulary.size - 1}",
                hint="Correct the list of ids.",
            )
    return tuple(UnusedReference(token_id=token_id, reason=CHOSEN) for token_id in unused_ids)


def _twins(model: HasWeights) -> dict[int, int]:
    """Of the matrix that reference tokens are measured in; none without an output head, where nothing is measured."""
    output = model.embeddings().output
    if output is None:
        return {}
    return find_twins(output, relative_step(output.dtype, quantised=bool(model.info.quantisation)))


def read_columns(
    model: HasVocabulary, unused_ids: tuple[int, ...] | None, listed: Sequence[int] = ()
) -> Generator[Progress, None, VocabularyColumns]:
    """Everything `VocabularyColumns` holds, the indicators on the raw weights where they are here; what was computed of
    the same files before is taken from the disk. `listed`: tokens that published lists name, besides those that come
    with the program."""
    key = _kept_as(model, unused_ids)
    columns = recall(_KEPT, key, VocabularyColumns) if key else None
    if columns is None:
        columns = yield from _compute_columns(model, unused_ids)
        if key:
            remember(_KEPT, key, columns)
    flags = _flags(model.info.source, model.info.vocab_size, listed)
    return msgspec.structs.replace(
        columns, model=model.info.name, flags={flag: Array.of(column) for flag, column in flags.items()}
    )


def _kept_as(model: HasVocabulary, unused_ids: tuple[int, ...] | None) -> str:
    """The key of a model's columns on disk; empty where they are not kept: also while other packages add indicators,
    which may be changed at any time."""
    found = find_plugins("indicators")
    if not isinstance(model, Held) or not model.kept_as or found.offered or found.problems:
        return ""
    return fingerprint((), (model.kept_as, unused_ids))


def _compute_columns(
    model: HasVocabulary, unused_ids: tuple[int, ...] | None
) -> Generator[Progress, None, VocabularyColumns]:
    """The columns, without flags."""
    info = model.info
    yield Progress(done=0, total=0, what=f"categories of {info.name}")
    vocabulary = model.vocabulary
    categories = vocabulary.categories
    release_memory()  # before the matrix is read: what encoding left behind and its pages would be held together
    yield Progress(done=0, total=0, what=f"reference tokens of {info.name}")
    unused = reference_tokens(model, unused_ids)
    computed = Computed(unused=unused)
    if has_weights(model):
        computed = yield from compute_indicators(model, unused)
    blob, offsets = vocabulary.blob()
    return VocabularyColumns(
        model=info.name,
        token_bytes=Array.of(blob),
        offsets=Array.of(offsets),
        categories=Array.of(categories),
        indicators={indicator: Array.of(column) for indicator, column in computed.values.items()},
        default_indicator=computed.default,
        default_rule=computed.rule,
        unused=computed.unused,
        notes=computed.notes,
    )


@dataclass(frozen=True)
class Computed:
    """The indicators of a model; none where its weights are not here."""

    unused: tuple[UnusedReference, ...]
    """The reference tokens, with a word about those that look trained."""
    values: dict[str, Column] = field(default_factory=dict)
    default: str = ""
    rule: str = "there are no weights here to compute indicators of"
    notes: tuple[str, ...] = ()


def compute_indicators(model: HasWeights, unused: tuple[UnusedReference, ...]) -> Generator[Progress, None, Computed]:
    """All indicators of a model, ours and those of other packages; tells each as it is computed."""
    embeddings, vocabulary = model.embeddings(), model.vocabulary
    candidates = vocabulary.categories == CATEGORIES.index("ok")
    candidates &= ~set_aside(vocabulary.categories, unused)
    reference = judge_reference(embeddings.output, unused, candidates)
    values: dict[str, Column] = {}
    for part in indicator_parts(embeddings, reference.token_ids, vocabulary.tokenizer_size, reference.centre):
        if part is not None:
            values[part[0]] = part[1]
        yield Progress(done=len(values), total=0, what=f"indicators of {model.info.name}")
    added, problems = added_columns(embeddings, reference.token_ids, vocabulary)
    chosen = choose_default(
        values, candidates, tied=embeddings.tied, against=reference.words, weakness=reference.weakness
    )
    notes = (*model.notes, *problems, *reference.notes, *chosen.notes)
    return Computed(reference.tokens, values | added, chosen.indicator, chosen.rule, notes)


def added_columns(
    embeddings: RawMatrices, unused_ids: Sequence[int], vocabulary: Vocabulary
) -> tuple[dict[str, Column], tuple[str, ...]]:
    """The indicators of other packages, and what was wrong with those left out, one line each."""
    found = find_plugins("indicators")
    columns: dict[str, Column] = {}
    problems = list(found.problems)
    for offered in found.offered:
        try:
            columns[offered.thing.name] = _checked_column(offered.thing, embeddings, unused_ids, vocabulary)
        except Exception as error:  # another package's code: whatever is wrong with it must not end the request
            problems.append(problem(offered.name, offered.package, error))
    return columns, tuple(problems)


def _checked_column(
    indicator: Indicator, embeddings: RawMatrices, unused_ids: Sequence[int], vocabulary: Vocabulary
) -> Column:
    if not isinstance(indicator, Indicator) or indicator.name in INDICATORS or not indicator.name.isidentifier():
        raise TypeError("it is not an Indicator with a name of its own, in letters, digits and _")
    column = np.asarray(indicator.compute(embeddings, unused_ids, vocabulary.tokenizer_size), dtype=np.float32)
    if column.shape != (vocabulary.size,):
        raise ValueError(f"it gave {column.shape} numbers where {vocabulary.size} were needed")
    return column


def zoo_name(source: str) -> str | None:
    """The zoo's name of the model of this source, if it is one of the zoo."""
    name = source.removeprefix("weights:").removeprefix("zoo:")
    return name if source.removeprefix("weights:").startswith("zoo:") and name in zoo_names() else None


def _flags(source: str, size: int, listed: Sequence[int]) -> dict[str, npt.NDArray[np.bool_]]:
    flagged: dict[str, list[int]] = {}
    if published := published_ids(source).union(listed):
        flagged["published"] = sorted(published)
    if (name := zoo_name(source)) is not None:
        truth = ground_truth(name)
        flagged["withheld"] = [entry["token_id"] for entry in truth["withheld"]]
        flagged["under_trained"] = [token_id for tier in truth["under_trained"].values() for token_id in tier]
    columns = {}
    for flag, ids in flagged.items():
        columns[flag] = np.zeros(size, dtype=np.bool_)
        columns[flag][[token_id for token_id in ids if token_id < size]] = True
    return columns
