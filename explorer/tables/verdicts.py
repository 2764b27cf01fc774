"""A verdict matrix as arrays: what the screen filters and draws, and what is exported. NumPy only; no engine needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from explorer.base.records.record import Array
from explorer.base.records.tokens import CATEGORIES, Category
from explorer.base.records.verification import (
    VERDICTS,
    DefinitionSummary,
    Verdict,
    VerdictCell,
    VerdictColumns,
    VerdictPart,
)
from explorer.base.records.vocabulary import VocabularyColumns
from explorer.base.text import decode
from explorer.tables.agreement import Curve, precision_recall_points, roc_points
from explorer.tables.table import TokenColumns

Agreement = Literal["all", "all agree", "disagree", "called"]
AGREEMENTS: tuple[Agreement, ...] = ("all", "all agree", "disagree", "called")
CALLED = (VERDICTS.index("verified"), VERDICTS.index("weak"))
UNDECIDED = VERDICTS.index("inconclusive")


class VerdictMatrix:
    """Tokens by definitions, read from `source`. A token is `called` where its verdict is verified or weak."""

    def __init__(self, source: VerdictColumns) -> None:
        self.model = source.model
        self.source = source.source
        self.definitions = source.definitions
        self.main_indicator = source.main_indicator
        self.token_ids: Int[np.ndarray, " n"] = source.token_ids.numpy()
        self.verdicts: UInt8[np.ndarray, "definitions n"] = source.verdicts.numpy().copy()
        self.values: Float[np.ndarray, "definitions n"] = source.values.numpy().copy()
        self.indicators = {name: column.numpy() for name, column in source.indicators.items()}
        self.flags = {name: flag.numpy() for name, flag in source.flags.items()}
        self._blob = source.token_bytes.data
        self._offsets = source.offsets.numpy()
        self._categories = source.categories.numpy()
        self._places = {definition.name: place for place, definition in enumerate(self.definitions)}

    def __len__(self) -> int:
        return len(self.token_ids)

    def token_bytes(self, place: int) -> bytes:
        """The exact bytes of the token in column `place`."""
        return self._blob[self._offsets[place] : self._offsets[place + 1]]

    def text(self, place: int) -> str:
        """Its text, U+FFFD for what is not UTF-8. Not for a screen: see `explorer.base.text.visible`."""
        return decode(self.token_bytes(place))

    def category(self, place: int) -> Category:
        """Its category."""
        return CATEGORIES[int(self._categories[place])]

    def cell(self, definition: str, place: int) -> VerdictCell:
        """One verdict with its number."""
        row = self._places[definition]
        value = self.values[row, place]
        verdict: Verdict = VERDICTS[int(self.verdicts[row, place])]
        # str() of a float32 is its shortest form.
        return VerdictCell(verdict=verdict, value=None if np.isnan(value) else float(str(value)))

    def take(self, part: VerdictPart) -> None:
        """Write the verdicts of a running sweep into the matrix; what it has no row or column for is left out."""
        wanted = part.token_ids.numpy()
        places = self._by_id[np.clip(wanted, 0, len(self._by_id) - 1)]
        known = (wanted < len(self._by_id)) & (places >= 0)
        for name, verdicts in part.verdicts.items():
            if name in self._places:
                self.verdicts[self._places[name], places[known]] = verdicts.numpy()[known]
                self.values[self._places[name], places[known]] = part.values[name].numpy()[known]

    @cached_property
    def _by_id(self) -> Int[np.ndarray, " ids"]:
        places = np.full(int(self.token_ids.max(initial=-1)) + 1, -1, dtype=np.int64)
        places[self.token_ids] = np.arange(len(self.token_ids))
        return places

    def called(self) -> Bool[np.ndarray, "definitions n"]:
        """Which tokens each definition calls."""
        called: Bool[np.ndarray, "definitions n"] = np.isin(self.verdicts, CALLED)
        return called

    def decided(self) -> Bool[np.ndarray, "definitions n"]:
        """On which tokens each definition has a verdict."""
        decided: Bool[np.ndarray, "definitions n"] = self.verdicts < UNDECIDED
        return decided

    def where(self, agreement: Agreement, definitions: tuple[str, ...] = ()) -> Bool[np.ndarray, " n"]:
        """Which tokens pass: `all agree` and `disagree` look at the definitions (empty: all) that have a verdict on the
        token, of which there must be two; `called` asks for one that calls it."""
        rows = [self._places[name] for name in definitions] or list(self._places.values())
        called, decided = self.called()[rows], self.decided()[rows]
        if agreement == "all":
            return np.ones(len(self), dtype=np.bool_)
        if agreement == "called":
            return _any(called)
        several: Bool[np.ndarray, " n"] = decided.sum(axis=0) >= 2
        mixed = _any(called) & _any(decided & ~called)
        passing: Bool[np.ndarray, " n"] = several & (mixed if agreement == "disagree" else ~mixed)
        return passing

    def roc(self, indicator: str, definition: str, *, low_is_suspicious: bool = True) -> Curve | None:
        """How well an indicator foretells the calls (`core.agreement.roc_points`); None where all or none is called."""
        found = self._scores(indicator, definition, low_is_suspicious)
        return None if found is None else roc_points(*found)

    def precision_recall(self, indicator: str, definition: str, *, low_is_suspicious: bool = True) -> Curve | None:
        """The same as recall (x) against precision (y)."""
        found = self._scores(indicator, definition, low_is_suspicious)
        return None if found is None else precision_recall_points(*found)

    def _scores(
        self, indicator: str, definition: str, low: bool
    ) -> tuple[Float[np.ndarray, " m"], Bool[np.ndarray, " m"]] | None:
        row, values = self._places[definition], self.indicators[indicator]
        usable = self.decided()[row] & np.isfinite(values)
        labels = self.called()[row, usable]
        if labels.all() or not labels.any():
            return None
        return (-values if low else values)[usable], labels


def _any(rows: Bool[np.ndarray, "definitions n"]) -> Bool[np.ndarray, " n"]:
    """True in any of the rows, token by token."""
    found: Bool[np.ndarray, " n"] = np.logical_or.reduce(rows, axis=0)
    return found


def matrix_of_tokens(
    columns: VocabularyColumns, source: str, token_ids: Sequence[int], tested: VerdictMatrix | None = None
) -> VerdictMatrix:
    """The tokens named, of a vocabulary, with the verdicts that `tested` has of them: to be exported."""
    ids = np.array(token_ids, dtype=np.int64)
    definitions = () if tested is None else tested.definitions
    verdicts = np.full((len(definitions), len(ids)), VERDICTS.index("not asked"), dtype=np.uint8)
    values = np.full(verdicts.shape, np.nan, dtype=np.float32)
    if tested is not None:
        _, here, there = np.intersect1d(ids, tested.token_ids, return_indices=True)
        verdicts[:, here], values[:, here] = tested.verdicts[:, there], tested.values[:, there]
    return VerdictMatrix(verdict_columns(TokenColumns(columns), source, ids, definitions, verdicts, values))


def verdict_columns(
    columns: TokenColumns,
    source: str,
    token_ids: Int[np.ndarray, " n"],
    definitions: tuple[DefinitionSummary, ...],
    verdicts: UInt8[np.ndarray, "definitions n"],
    values: Float32[np.ndarray, "definitions n"],
    main_indicator: str = "",
) -> VerdictColumns:
    """Verdicts on some tokens of a vocabulary with what the vocabulary has of those; `main_indicator`: the one by which
    they were chosen, where that is not the default one."""
    joined, offsets = Array.of_tokens([columns.token_bytes(int(token_id)) for token_id in token_ids])
    return VerdictColumns(
        model=columns.model,
        source=source,
        token_ids=Array.of(token_ids.astype(np.int32)),
        token_bytes=joined,
        offsets=offsets,
        categories=Array.of(columns.categories[token_ids]),
        indicators={name: Array.of(column[token_ids]) for name, column in columns.indicators.items()},
        flags={name: Array.of(flag[token_ids]) for name, flag in columns.flags.items()},
        definitions=definitions,
        verdicts=Array.of(verdicts),
        values=Array.of(values),
        default_indicator=columns.default_indicator,
        main_indicator=main_indicator or columns.default_indicator,
    )
