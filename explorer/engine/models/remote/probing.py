"""What a server tells, found by asking it: an answer is believed, a status or a version number is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from explorer.base.records.models import Reach, TargetsBy
from explorer.engine.models.errors import ModelError
from explorer.engine.models.remote.backend import About, Backend
from explorer.engine.models.remote.checks import BadAnswer, sum_off
from explorer.engine.models.remote.client import Refused
from explorer.engine.models.remote.loop import together
from explorer.engine.models.vocabulary import Vocabulary

TEXTS = ("The capital of France is", "def main():\n    return 0", "In 1984 she wrote: “Été, naïve, 東京”")
"""What prompts and comparisons are made of."""
_TOPS = (20, 5, 1)
_SAME = 1e-4
"""Nats within which numbers are the same."""
_FAR = 0.05
"""Nats within which two ways of asking for one number must agree, in any precision."""


@dataclass(frozen=True)
class Probed:
    """What asking found."""

    reach: Reach
    prompts: tuple[tuple[int, ...], ...]
    """Ids that the model may be asked again to tell whether it is the same."""


async def read_size(backend: Backend, about: About) -> int:
    """The vocabulary's size: what the server says, or how many log-probabilities come when all are asked for; 0 where
    it tells neither."""
    if about.vocab_size:
        return about.vocab_size
    try:
        return len(await backend.whole([0]))
    except (Refused, BadAnswer):
        return 0


async def has_id(backend: Backend, token_id: int) -> bool:
    """Whether the server reads this id."""
    try:
        await backend.score([[token_id]], [token_id], 1)
    except BadAnswer:
        return True  # it was read, and only its log-probability was not told
    except Refused:
        return False
    return True


async def probe(backend: Backend, about: About, vocabulary: Vocabulary) -> Probed:
    """Ask what the server can. Raises `ModelError` where its tokens are not those of `vocabulary`, or where it tells no
    log-probabilities by id."""
    same = await backend.check_tokens(vocabulary, TEXTS)
    prompts = backend.prompts_of(TEXTS, vocabulary)
    row = await _try_whole(backend, prompts[0])
    top = backend.vocab_size if row is not None else await _find_top(backend, prompts[0])
    backend.top = top
    if not top and not backend.bounds_scores:
        raise ModelError(
            "the server tells no log-probabilities", hint="Start vLLM with --max-logprobs -1; see docs/servers.md."
        )
    backend.targets_by = await _try_targets(backend, prompts[0], row, top)
    few = min(top, 5)
    found = Reach(
        kind=backend.kind, version=about.version, whole=row is not None, targets=backend.targets_by, top=top,
        raw=not few or await _is_raw(backend, prompts[0], few),
        same_in_batch=await _is_same_in_batch(backend, prompts, few), same_vocabulary=same,
        sum_off=0.0 if row is None else sum_off(row), reads=backend.reads, keyed=backend.keyed if top else "none",
    )  # fmt: skip
    return Probed(found, prompts)


async def _try_whole(backend: Backend, prompt: Sequence[int]) -> Float32[np.ndarray, " vocab"] | None:
    """All log-probabilities; None where the server refuses, or gives another number of them."""
    try:
        return await backend.whole(prompt)
    except (Refused, BadAnswer):
        return None


async def _find_top(backend: Backend, prompt: Sequence[int]) -> int:
    for count in _TOPS:
        try:
            found = await backend.likeliest(prompt, count)
        except (Refused, BadAnswer):
            continue
        if found.count:
            return found.count
    return 0


async def _try_targets(
    backend: Backend, prompt: Sequence[int], row: Float32[np.ndarray, " vocab"] | None, top: int
) -> TargetsBy:
    """Whether an id far from the likeliest is told where it is asked for, and told the same as among the others."""
    try:
        target, told = await _far_target(backend, prompt, row, top)
        asked = await backend.target_logprob(prompt, target)
    except (Refused, BadAnswer):
        return "none"
    return "none" if math.isfinite(told) and abs(asked - told) > _FAR else backend.targets_by


async def _far_target(
    backend: Backend, prompt: Sequence[int], row: Float32[np.ndarray, " vocab"] | None, top: int
) -> tuple[int, float]:
    """An id with its log-probability, as it is told among others; NaN where none is."""
    if row is not None:
        target = int(np.argsort(row)[len(row) // 3])
        return target, float(row[target])
    found = await backend.likeliest(prompt, top)
    return (int(found.ids[-1]), float(found.logprobs[-1])) if len(found.ids) else (0, math.nan)


async def _is_raw(backend: Backend, prompt: Sequence[int], count: int) -> bool:
    cold, warm = [await backend.likeliest(prompt, count, temperature) for temperature in (0.0, 0.5)]
    shared = np.intersect1d(cold.ids, warm.ids)
    found = [dict(zip(each.ids.tolist(), each.logprobs.tolist(), strict=True)) for each in (cold, warm)]
    return len(shared) > 0 and all(abs(found[0][each] - found[1][each]) <= _FAR for each in shared.tolist())


async def _is_same_in_batch(backend: Backend, prompts: Sequence[Sequence[int]], count: int) -> bool:
    alone = await backend.likeliest(prompts[0], count)
    beside = await together(backend.likeliest(prompt, count) for prompt in (*prompts, prompts[0]))
    return all(
        np.array_equal(alone.ids, each.ids) and bool(np.abs(alone.logprobs - each.logprobs).max(initial=0) <= _SAME)
        for each in (beside[0], beside[-1])
    )
