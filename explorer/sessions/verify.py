"""Asking every question of a session again, of live models, and comparing the answers.

The models are loaded as the session loaded them, in the dtype recorded, from the same sources or from those
that a map names instead. What a session file asks for is not trusted with more than models: pickled
checkpoints are read only where the user allows that, whatever the file says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec

from explorer.engine.client import Asker, is_of_stopped_engine
from explorer.errors import ExplorerError
from explorer.records import (
    AnyOutcome,
    AnyRequest,
    Cancelled,
    Failure,
    ListModels,
    LoadModel,
    MarkToken,
    ModelInfo,
    ModelLoaded,
    RankTokens,
    ReadRoster,
    ReadVocabulary,
    Step,
    UnloadModel,
    Verify,
    VocabularyColumns,
    WriteNote,
)
from explorer.sessions.compare import TOLERANCES, compare, digest_difference, loosest
from explorer.sessions.naming import models_of, renamed
from explorer.table import TokenColumns, ranked, select

Verdict = Literal["agree", "differ", "cannot run", "nothing to run"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
MAP_HINT = "Name where the model is here: --model-map OLD=NEW."

_NOT_ASKED = (MarkToken, WriteNote, ReadRoster, ListModels)
"""Answered without a model, or by what else this machine holds: nothing that could agree or differ."""


@dataclass(frozen=True)
class Checked:
    """One step and what became of it when it was asked again."""

    step: Step
    verdict: Verdict
    said: str
    """The first difference, why it cannot run, or how it agrees where not by plain equality."""
    digests: str = ""
    """For a loaded model: which digests differ."""


@dataclass(frozen=True)
class _Loaded:
    """A model of the session and the live one that stands for it."""

    recorded: ModelInfo
    live: ModelInfo


class Verifier:
    """Runs the steps of one session, in order."""

    def __init__(
        self, client: Asker, model_map: Mapping[str, str] | None = None, *, allow_pickle: bool = False
    ) -> None:
        """`model_map`: a model's name or source in the session → the source to load instead."""
        self._client = client
        self._map = dict(model_map or {})
        self._allow_pickle = allow_pickle
        self._models: dict[str, _Loaded] = {}
        self._marks: dict[str, set[int]] = defaultdict(set)

    async def run(self, steps: Iterable[Step]) -> AsyncIterator[Checked]:
        """Check each step in turn; stop iterating to stop."""
        for step in steps:
            yield await self.check(step)

    async def check(self, step: Step) -> Checked:
        """Ask the step's question again and compare."""
        request, outcome = step.request, step.outcome
        if isinstance(request, MarkToken):
            change = self._marks[request.model].add if request.marked else self._marks[request.model].discard
            change(request.token_id)
        if isinstance(outcome, Failure) and is_of_stopped_engine(outcome):
            return Checked(step, "nothing to run", "the engine had stopped")
        if isinstance(request, LoadModel):
            return await self._check_load(step, request)
        if isinstance(request, _NOT_ASKED):
            if isinstance(outcome, Failure):  # a damaged line, most likely
                return Checked(step, "cannot run", outcome.message)
            return Checked(step, "nothing to run", "")
        if isinstance(outcome, Cancelled):
            return Checked(step, "cannot run", "it was stopped by the user")
        if missing := [name for name in models_of(request) if name not in self._models]:
            if isinstance(outcome, Failure):
                return Checked(step, "agree", f"failed then; {missing[0]} is not loaded now")
            return Checked(step, "cannot run", f"{missing[0]} is not loaded. {MAP_HINT}")
        live = await self._ask(request)
        if isinstance(request, UnloadModel) and not isinstance(live, Failure):
            self._models.pop(request.model)
        return self._compared(step, live)

    def _compared(self, step: Step, live: AnyOutcome) -> Checked:
        if isinstance(live, Failure) and not isinstance(step.outcome, Failure):
            hint = "" if is_of_stopped_engine(live) else live.hint  # which is of the screen
            return Checked(step, "cannot run", " ".join(filter(None, (live.message, hint))))
        took_part = [self._models[name] for name in models_of(step.request) if name in self._models]
        dtypes = [info.dtype for loaded in took_part for info in (loaded.recorded, loaded.live)]
        found = compare(step.request, step.outcome, live, loosest(dtypes))
        if found.difference:
            return Checked(step, "differ", found.difference + (f" ({found.how})" if found.how else ""))
        return Checked(step, "agree", found.how)

    async def _check_load(self, step: Step, request: LoadModel) -> Checked:
        recorded = step.outcome.info if isinstance(step.outcome, ModelLoaded) else None
        names = (request.source, *((recorded.name, recorded.source) if recorded else ()))
        source = next((self._map[name] for name in names if name in self._map), request.source)
        if "…" in source and recorded is None:
            return Checked(step, "agree", "failed then, and its folder is not known here")
        if "…" in source:
            return Checked(step, "cannot run", f"the folder is not known here. {MAP_HINT}")
        dtype: Any = recorded.dtype if recorded is not None and recorded.dtype in TOLERANCES else request.dtype
        live = await self._answer(LoadModel(source=source, dtype=dtype, allow_pickle=self._allow_pickle))
        if recorded is None or not isinstance(live, ModelLoaded):
            return self._compared(step, live)
        self._models[recorded.name] = _Loaded(recorded, live.info)
        digests = digest_difference(ModelLoaded(info=recorded), live)
        return Checked(step, "differ" if digests else "agree", digests, digests)

    async def _ask(self, request: AnyRequest) -> AnyOutcome:
        live = renamed(request, {name: loaded.live.name for name, loaded in self._models.items()})
        if isinstance(request, RankTokens) and isinstance(live, RankTokens) and "marked" in request.filter:
            return await self._rank_marked(live, self._marks[request.model])
        if isinstance(live, Verify):  # what the engine has on disk may be the very answers to be checked
            live = msgspec.structs.replace(live, fresh=True)
        return await self._answer(live)

    async def _answer(self, request: AnyRequest) -> AnyOutcome:
        return (await self._client.submit(request).answer).outcome

    async def _rank_marked(self, request: RankTokens, marked: set[int]) -> AnyOutcome:
        """A view that depends on marks, which the engine does not know: made here from the columns."""
        columns = await self._answer(ReadVocabulary(model=request.model, unused_ids=request.unused_ids))
        if not isinstance(columns, VocabularyColumns):
            return columns
        try:
            table = TokenColumns(columns)
            return ranked(table, request, select(table, request, marked))
        except ExplorerError as error:
            return Failure(message=error.message, hint=error.hint)


def tally(checks: Iterable[Checked]) -> str:
    """'12 agree, 1 differs, 2 cannot run'."""
    counts = Counter(check.verdict for check in checks)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict]) or "no steps"
