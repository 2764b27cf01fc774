"""The same requests in two sessions: two checkpoints, two machines, two dtypes. What differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from explorer.base.records.models import LoadModel, ModelInfo, ModelLoaded, UnloadModel
from explorer.base.records.plain import dump_json
from explorer.base.records.unions import Cancelled, Step
from explorer.sessions.checking.naming import renamed
from explorer.specs.comparing.agreement import Agreement, Comparison, loosest
from explorer.specs.comparing.compare import compare
from explorer.specs.comparing.models import digest_difference
from explorer.specs.registry import models_of, spec_of

_MODELS = (LoadModel, UnloadModel)
"""Compared model by model, not step by step."""


@dataclass(frozen=True)
class ModelPair:
    """One model of the first session and the one that stands for it in the second."""

    first: ModelInfo
    second: ModelInfo
    difference: str
    """Which digests differ, and dtype and device where they do; empty where it is the same model, run alike."""


@dataclass(frozen=True)
class StepPair:
    """One request and its two outcomes."""

    first: Step
    second: Step
    found: Agreement


@dataclass(frozen=True)
class Difference:
    """What two sessions have in common, and what not."""

    models: tuple[ModelPair, ...]
    pairs: tuple[StepPair, ...]
    only_first: tuple[Step, ...]
    only_second: tuple[Step, ...]

    @property
    def is_none(self) -> bool:
        """Whether both asked the same and were answered the same."""
        return not (self.only_first or self.only_second or any(pair.found.difference for pair in self.pairs))


def diff_sessions(first: Iterable[Step], second: Iterable[Step], names: Mapping[str, str] | None = None) -> Difference:
    """Pair the requests of two sessions and compare their outcomes.

    `names`: model in the first → model in the second. Where it names none, models of one name stand for each
    other, and those that only one session has in the order they were loaded. A request made several times
    is paired in order. Cancelled requests are left out.
    """
    ours, theirs = list(first), list(second)
    our_models, their_models = _models(ours), _models(theirs)
    chosen = dict(names or {}) or _pair_by_order(list(our_models), list(their_models))
    waiting: dict[bytes, list[Step]] = defaultdict(list)
    for step in _comparable(theirs):
        waiting[dump_json(step.request)].append(step)
    pairs: list[StepPair] = []
    only_first: list[Step] = []
    for step in _comparable(ours):
        same = waiting.get(dump_json(renamed(step.request, chosen)))
        if not same:
            only_first.append(step)
            continue
        other = same.pop(0)
        infos = [our_models.get(name) for name in models_of(step.request)]
        infos += [their_models.get(name) for name in models_of(other.request)]
        tolerance = loosest([info.dtype for info in infos if info is not None])
        found = compare(step.request, step.outcome, other.outcome, Comparison(tolerance, names=chosen))
        pairs.append(StepPair(step, other, found))
    left = sorted((step for steps in waiting.values() for step in steps), key=lambda step: step.number)
    return Difference(
        models=tuple(_model_pairs(our_models, their_models, chosen)),
        pairs=tuple(pairs),
        only_first=tuple(only_first),
        only_second=tuple(left),
    )


def _models(steps: Iterable[Step]) -> dict[str, ModelInfo]:
    return {step.outcome.info.name: step.outcome.info for step in steps if isinstance(step.outcome, ModelLoaded)}


def _comparable(steps: Iterable[Step]) -> Iterable[Step]:
    for step in steps:
        is_asked = spec_of(step.request).checked and not isinstance(step.request, _MODELS)
        if is_asked and not isinstance(step.outcome, Cancelled):
            yield step


def _pair_by_order(ours: list[str], theirs: list[str]) -> dict[str, str]:
    only_ours = [name for name in ours if name not in theirs]
    only_theirs = [name for name in theirs if name not in ours]
    return dict(zip(only_ours, only_theirs, strict=False))


def _model_pairs(
    ours: Mapping[str, ModelInfo], theirs: Mapping[str, ModelInfo], names: Mapping[str, str]
) -> Iterable[ModelPair]:
    for name, info in ours.items():
        other = theirs.get(names.get(name, name))
        if other is not None:
            digests = digest_difference(info, other)
            runs = [f"{what} {was} and {came}" for what, was, came in (
                ("dtype", info.dtype, other.dtype), ("device", info.device, other.device)
            ) if was != came]  # fmt: skip
            yield ModelPair(info, other, "; ".join(filter(None, (digests, *runs))))
