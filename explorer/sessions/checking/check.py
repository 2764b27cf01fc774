"""Asking every question of a session again, of live models, and comparing the answers.

The models are loaded as the session loaded them, in the dtype recorded, from the same sources or from those
that a map names instead. What a session file asks for is not trusted with more than models: pickled
checkpoints are read only where the user allows that, whatever the file says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.records.models import ListModels, LoadModel, ModelInfo, ModelLoaded, ReadRoster, UnloadModel
from explorer.base.records.notes import MarkToken, WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled, Step
from explorer.base.records.verification import Verify
from explorer.base.records.vocabulary import RankTokens, ReadVocabulary, VocabularyColumns
from explorer.pipe.client import Asker, is_of_stopped_engine
from explorer.sessions.checking.naming import models_of, renamed
from explorer.specs.comparing.compare import TOLERANCES, Circumstances, compare, digest_difference, loosest
from explorer.specs.comparing.samples import contradiction, is_same_run
from explorer.tables.table import TokenColumns, ranked, select

Verdict = Literal["agree", "differ", "cannot run", "nothing to run"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
COMPUTING = ("torch", "transformers", "numpy")
"""Libraries of which another version may give other last bits, and then other draws."""
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
    by_test: bool = False
    """Whether nothing but counts of sampled replies was compared."""


@dataclass(frozen=True)
class _Loaded:
    """A model of the session and the live one that stands for it."""

    recorded: ModelInfo
    live: ModelInfo


class Verifier:
    """Runs the steps of one session, in order."""

    def __init__(
        self,
        client: Asker,
        model_map: Mapping[str, str] | None = None,
        *,
        allow_pickle: bool = False,
        same_libraries: Callable[[], bool] = lambda: True,
    ) -> None:
        """`model_map`: a model's name or source in the session → the source to load instead. `same_libraries`:
        whether those that compute are of the versions of the session, so that a seed gives the same replies again; it
        is asked when the engine has answered, and so has said its versions."""
        self._client = client
        self._map = dict(model_map or {})
        self._allow_pickle = allow_pickle
        self._same_libraries = same_libraries
        self._models: dict[str, _Loaded] = {}
        self._last = 0
        self._marks: dict[str, set[int]] = defaultdict(set)

    async def run(self, steps: Iterable[Step]) -> AsyncIterator[Checked]:
        """Check each step in turn; stop iterating to stop."""
        for step in steps:
            yield await self.check(step)

    async def check(self, step: Step) -> Checked:
        """Ask the step's question again and compare; a number out of order is said of any step."""
        found, expected = await self._check(step), self._last + 1
        self._last = step.number
        if step.number == expected:
            return found
        order = f"number: it is step {step.number} where step {expected} belongs; lines were changed, lost or added"
        return replace(found, verdict="differ", said="; ".join(filter(None, (order, found.said))))

    async def _check(self, step: Step) -> Checked:
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
        found = self._compared(step, live)
        if isinstance(request, UnloadModel) and not isinstance(live, Failure):
            self._models.pop(request.model)
        return found if found.verdict != "agree" else await self._look_closer(found)

    def _compared(self, step: Step, live: AnyOutcome) -> Checked:
        if isinstance(live, Failure) and not isinstance(step.outcome, Failure):
            hint = "" if is_of_stopped_engine(live) else live.hint  # which is of the screen
            return Checked(step, "cannot run", " ".join(filter(None, (live.message, hint))))
        took_part = [self._models[name] for name in models_of(step.request) if name in self._models]
        dtypes = [info.dtype for loaded in took_part for info in (loaded.recorded, loaded.live)]
        same_run = all(is_same_run(loaded.recorded, loaded.live) for loaded in took_part)
        circumstances = Circumstances(names=self._names(), reproducible=same_run and self._same_libraries())
        found = compare(step.request, step.outcome, live, loosest(dtypes), circumstances)
        if found.difference:
            return Checked(step, "differ", found.difference + (f" ({found.how})" if found.how else ""))
        return Checked(step, "agree", found.how, by_test=found.by_test)

    async def _look_closer(self, found: Checked) -> Checked:
        """What no live answer can be held against, by itself: proofs, and replies that only their counts speak for."""
        match found.step.request, found.step.outcome:
            case ProveSpeakability() as request, SpeakabilityResult() as recorded:
                difference = await self._failing_proofs(request, recorded)
            case RepeatBack() as request, RepeatBackResult() as recorded if found.by_test:
                difference = await self._contradiction(request, recorded)
            case _:
                difference = ""
        return replace(found, verdict="differ", said=difference) if difference else found

    async def _failing_proofs(self, request: ProveSpeakability, recorded: SpeakabilityResult) -> str:
        """Which of the recorded proofs the checker refuses, of the live model's numbers."""
        rows = tuple(row for row in recorded.rows if _can_be_checked(row, request))
        if not rows:
            return ""
        live = msgspec.structs.replace(request, model=self._models[request.model].live.name)
        known = await self._answer(ReadCertificates(of=msgspec.structs.replace(live, token_ids=())))
        if not isinstance(known, Certificates):
            return f"the proofs cannot be checked: {getattr(known, 'message', 'stopped')}"
        checked = await self._answer(CheckCertificates(
            model=live.model, mode=live.mode, bias=live.bias, folded=live.folded, digest=known.digest, rows=rows
        ))  # fmt: skip
        if not isinstance(checked, CertificatesChecked):
            return f"the proofs cannot be checked: {getattr(checked, 'message', 'stopped')}"
        refused = ", ".join(map(str, checked.refused))
        return f"rows: the recorded proof or margin does not hold for token {refused}" if refused else ""

    async def _contradiction(self, request: RepeatBack, recorded: RepeatBackResult) -> str:
        loaded = self._models[request.model]
        if loaded.recorded.tokenizer_digest != loaded.live.tokenizer_digest:
            return ""  # the recorded ids stand for other tokens here
        columns = await self._answer(ReadVocabulary(model=loaded.live.name))
        if not isinstance(columns, VocabularyColumns):
            return f"the vocabulary cannot be read: {getattr(columns, 'message', 'stopped')}"
        return contradiction(request, recorded, TokenColumns(columns))

    def _names(self) -> dict[str, str]:
        return {name: loaded.live.name for name, loaded in self._models.items()}

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
        return replace(self._compared(step, live), digests=digest_difference(recorded, live.info))

    async def _ask(self, request: AnyRequest) -> AnyOutcome:
        live = renamed(request, self._names())
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


def same_libraries(recorded: Mapping[str, str], live: Mapping[str, str]) -> bool:
    """Whether two engines are known to compute with libraries of the same versions."""
    return all(name in recorded and recorded[name] == live.get(name) for name in COMPUTING)


def _can_be_checked(row: SpeakabilityRow, request: ProveSpeakability) -> bool:
    """Whether there is a claim that can be checked: a proof, or what own directions and undecided rows say. Lists of
    whole vocabularies leave the witnesses' numbers out."""
    return row.certificate is not None or row.verdict == "undecided" or request.mode == "own_direction"


def tally(checks: Iterable[Checked]) -> str:
    """'12 agree, 1 differs, 2 cannot run'."""
    counts = Counter(check.verdict for check in checks)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict]) or "no steps"
