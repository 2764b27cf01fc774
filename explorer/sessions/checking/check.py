"""Asking every request of a session again, of live models, and comparing the outcomes.

The models are loaded as the session loaded them, in the dtype recorded, from the same sources or from those
that a map names instead. What a session file asks for is not trusted with more than models: pickled
checkpoints are read only where the user allows that, whatever the file says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, get_args

from explorer.base.records.models import LoadModel, ModelInfo, ModelLoaded, UnloadModel
from explorer.base.records.record import Failure
from explorer.base.records.unions import AnyOutcome, Cancelled, Step
from explorer.pipe.client import Asker, is_of_stopped_engine
from explorer.sessions.checking.live import LiveModels, LivePair
from explorer.sessions.checking.naming import renamed
from explorer.sessions.file.known_places import Place
from explorer.specs.comparing.agreement import TOLERANCES, Agreement, Comparison, loosest
from explorer.specs.comparing.compare import compare
from explorer.specs.comparing.models import digest_difference
from explorer.specs.comparing.samples import is_same_run
from explorer.specs.registry import models_of, spec_of

CheckResult = Literal["agree", "differ", "cannot run", "nothing to run"]
CHECK_RESULTS: tuple[CheckResult, ...] = get_args(CheckResult)
COMPUTING = ("torch", "transformers", "numpy")
"""Libraries of which another version may give other last bits, and then other draws."""
MAP_HINT = "Name where the model is here: --model-map OLD=NEW."


@dataclass(frozen=True)
class CheckedStep:
    """One step and what became of it when it was asked again."""

    step: Step
    result: CheckResult
    said: str
    """The first difference, why it cannot run, or how it agrees where not by plain equality."""
    digests: str = ""
    """For a loaded model: which digests differ."""


class SessionChecker:
    """Asks the steps of one session again, in order."""

    def __init__(
        self,
        client: Asker,
        model_map: Mapping[str, str] | None = None,
        *,
        allow_pickle: bool = False,
        same_libraries: Callable[[], bool] = lambda: True,
        find_place: Callable[[ModelInfo], Place | None] = lambda info: None,
        known_server: Callable[[LoadModel], LoadModel | None] = lambda request: request,
    ) -> None:
        """`model_map`: a model's name or source in the session → the source to load instead. `same_libraries`:
        whether those that compute are of the versions of the session, so that a seed gives the same replies again; it
        is asked when the engine has answered, and so has said its versions. `find_place`: where on this machine a model
        with the recorded digests is. `known_server`: the load of a server as this machine knows it, None where it does
        not: then it is not asked."""
        self._live = LiveModels(client)
        self._map = dict(model_map or {})
        self._allow_pickle = allow_pickle
        self._same_libraries = same_libraries
        self._find_place = find_place
        self._known_server = known_server
        self._last = 0

    async def run(self, steps: Iterable[Step]) -> AsyncIterator[CheckedStep]:
        """Check each step in turn; stop iterating to stop."""
        for step in steps:
            yield await self.check(step)

    async def check(self, step: Step) -> CheckedStep:
        """Ask the step's request again and compare; a number out of order is said of any step."""
        found, expected = await self._check(step), self._last + 1
        self._last = step.number
        if step.number == expected:
            return found
        order = f"number: it is step {step.number} where step {expected} belongs; lines were changed, lost or added"
        return replace(found, result="differ", said="; ".join(filter(None, (order, found.said))))

    async def _check(self, step: Step) -> CheckedStep:
        request, outcome = step.request, step.outcome
        self._live.note_mark(request)
        if isinstance(outcome, Failure) and is_of_stopped_engine(outcome):
            return CheckedStep(step, "nothing to run", "the engine had stopped")
        if isinstance(request, LoadModel):
            return await self._check_load(step, request)
        if not spec_of(request).checked:
            if isinstance(outcome, Failure):  # a damaged line, most likely
                return CheckedStep(step, "cannot run", outcome.message)
            return CheckedStep(step, "nothing to run", "")
        if isinstance(outcome, Cancelled):
            return CheckedStep(step, "cannot run", "the user cancelled it")
        if missing := [name for name in models_of(request) if name not in self._live.pairs]:
            if isinstance(outcome, Failure):
                return CheckedStep(step, "agree", f"it failed when recorded; {missing[0]} is not loaded now")
            return CheckedStep(step, "cannot run", f"{missing[0]} is not loaded. {MAP_HINT}")
        return await self._check_answer(step)

    async def _check_answer(self, step: Step) -> CheckedStep:
        request, spec = step.request, spec_of(step.request)
        live = await spec.ask_again(renamed(request, self._live.names()), request, self._live)
        if failed := _unexpected_failure(step, live):
            return failed
        found = self._compare(step, live)
        if isinstance(request, UnloadModel) and not isinstance(live, Failure):
            self._live.pairs.pop(request.model)
        if not found.difference and isinstance(step.outcome, spec.outcome):
            closer = await spec.look_closer(request, step.outcome, self._live, found)
            found = Agreement(closer) if closer else found
        return _checked(step, found)

    def _compare(self, step: Step, live: AnyOutcome) -> Agreement:
        pairs = [self._live.pairs[name] for name in models_of(step.request) if name in self._live.pairs]
        dtypes = [compared_as(info) for pair in pairs for info in (pair.recorded, pair.live)]
        same_run = all(is_same_run(pair.recorded, pair.live) for pair in pairs)
        reproducible = same_run and self._same_libraries()
        comparison = Comparison(loosest(dtypes), names=self._live.names(), reproducible=reproducible)
        return compare(step.request, step.outcome, live, comparison)

    async def _check_load(self, step: Step, request: LoadModel) -> CheckedStep:
        recorded = step.outcome.info if isinstance(step.outcome, ModelLoaded) else None
        names = (request.source, *((recorded.name, recorded.source) if recorded else ()))
        source = next((self._map[name] for name in names if name in self._map), request.source)
        tokenizer = self._map.get(request.tokenizer, request.tokenizer)
        if "…" in source + tokenizer and recorded is not None and (place := self._find_place(recorded)) is not None:
            source, tokenizer = place.source, place.tokenizer
        if "…" in source and recorded is None:
            return CheckedStep(step, "agree", "it failed when recorded, and its folder is not known here")
        if "…" in source:
            return CheckedStep(step, "cannot run", f"the folder is not known here. {MAP_HINT}")
        dtype: Any = recorded.dtype if recorded is not None and recorded.dtype in TOLERANCES else request.dtype
        if "…" in tokenizer:
            return CheckedStep(step, "cannot run", f"the tokenizer's folder is not known here. {MAP_HINT}")
        day = (recorded.chat_day if recorded is not None else "") or request.chat_day or _day_of(step)
        again = LoadModel(
            source=source, dtype=dtype, allow_pickle=self._allow_pickle, tokenizer=tokenizer, chat_day=day
        )
        wanted = again if source in self._map.values() else self._known_server(again)
        if wanted is None:
            return CheckedStep(step, "cannot run", f"the server is not in the settings, so it is not asked. {MAP_HINT}")
        live = await self._live.ask(wanted)
        if failed := _unexpected_failure(step, live):
            return failed
        if recorded is None or not isinstance(live, ModelLoaded):
            return _checked(step, self._compare(step, live))
        self._live.pairs[recorded.name] = LivePair(recorded, live.info)
        return replace(_checked(step, self._compare(step, live)), digests=digest_difference(recorded, live.info))


def compared_as(info: ModelInfo) -> str:
    """The dtype by whose tolerance a model's answers are compared. Servers run in what they do not tell, and with
    others' prompts beside: only one that says float32 is held to it."""
    if info.reach is None:
        return info.dtype
    return "float32" if "f32" in info.dtype.lower() else "bfloat16"


def _day_of(step: Step) -> str:
    """The date of a step, for sessions that do not tell what date chat templates wrote; empty where it has none."""
    try:
        return date.fromisoformat(step.at[:10]).isoformat()
    except ValueError:
        return ""


def _unexpected_failure(step: Step, live: AnyOutcome) -> CheckedStep | None:
    """The step as one that cannot run, where it failed now and had not failed."""
    if not isinstance(live, Failure) or isinstance(step.outcome, Failure):
        return None
    hint = "" if is_of_stopped_engine(live) else live.hint  # which is of the screen
    return CheckedStep(step, "cannot run", " ".join(filter(None, (live.message, hint))))


def _checked(step: Step, found: Agreement) -> CheckedStep:
    if not found.difference:
        return CheckedStep(step, "agree", found.how)
    return CheckedStep(step, "differ", found.difference + (f" ({found.how})" if found.how else ""))


def same_libraries(recorded: Mapping[str, str], live: Mapping[str, str]) -> bool:
    """Whether two engines are known to compute with libraries of the same versions."""
    return all(name in recorded and recorded[name] == live.get(name) for name in COMPUTING)


def tally(checks: Iterable[CheckedStep]) -> str:
    """'12 agree, 1 differ, 2 cannot run'."""
    counts = Counter(check.result for check in checks)
    return ", ".join(f"{counts[result]} {result}" for result in CHECK_RESULTS if counts[result]) or "no steps"
