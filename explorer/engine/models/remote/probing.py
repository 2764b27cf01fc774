"""What a server tells, found by asking it: an answer is believed, a status or a version number is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32

from explorer.base.records.models import Reach
from explorer.base.text import visible_bytes
from explorer.engine.models.errors import ModelError
from explorer.engine.models.remote.backend import About, Backend
from explorer.engine.models.remote.checks import BadAnswer, sum_off
from explorer.engine.models.remote.client import Refused
from explorer.engine.models.remote.llama_server import Known, LlamaServer
from explorer.engine.models.remote.vllm import Vllm
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
    prompts = tuple(tuple(vocabulary.encode(text)) or (0,) for text in TEXTS)
    same = await _check_tokens(backend, vocabulary, prompts[0])
    row = await _try_whole(backend, prompts[0])
    top = backend.vocab_size if row is not None else await _find_top(backend, prompts[0])
    targets = await _try_targets(backend, prompts, row)
    if not top:
        raise ModelError(
            "the server tells no log-probabilities", hint="Start vLLM with --max-logprobs -1; see docs/servers.md."
        )
    few = min(top, 5)
    found = Reach(
        kind=backend.kind, version=about.version, whole=row is not None, targets=targets, top=top,
        raw=await _is_raw(backend, prompts[0], few), same_in_batch=await _is_same_in_batch(backend, prompts, few),
        same_vocabulary=same, sum_off=0.0 if row is None else sum_off(row),
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
        return len(found.ids)
    return 0


async def _try_targets(
    backend: Backend, prompts: Sequence[Sequence[int]], row: Float32[np.ndarray, " vocab"] | None
) -> Literal["request", "forced", "none"]:
    """Whether an id far from the likeliest is told where it is asked for, and told the same as among all."""
    target = 0 if row is None else int(np.argsort(row)[len(row) // 3])
    try:
        (scored,) = await backend.score([prompts[0]], [target], 1)
    except (Refused, BadAnswer):
        return "none"
    if row is not None and np.isfinite(row[target]) and abs(scored.logprobs[0] - float(row[target])) > _FAR:
        return "none"
    return "forced" if backend.kind == "llama" else "request"


async def _is_raw(backend: Backend, prompt: Sequence[int], count: int) -> bool:
    cold, warm = [await backend.likeliest(prompt, count, temperature) for temperature in (0.0, 0.5)]
    shared = np.intersect1d(cold.ids, warm.ids)
    found = [dict(zip(each.ids.tolist(), each.logprobs.tolist(), strict=True)) for each in (cold, warm)]
    return len(shared) > 0 and all(abs(found[0][each] - found[1][each]) <= _FAR for each in shared.tolist())


async def _is_same_in_batch(backend: Backend, prompts: Sequence[Sequence[int]], count: int) -> bool:
    alone = await backend.likeliest(prompts[0], count)
    beside = await asyncio.gather(*(backend.likeliest(prompt, count) for prompt in (*prompts, prompts[0])))
    return all(
        np.array_equal(alone.ids, each.ids) and bool(np.abs(alone.logprobs - each.logprobs).max(initial=0) <= _SAME)
        for each in (beside[0], beside[-1])
    )


async def _check_tokens(
    backend: Backend, vocabulary: Vocabulary, prompt: Sequence[int]
) -> Literal["proved", "sampled"]:
    """Refuse a tokenizer that is not the server's: by the bytes of every id, or by the ids of some texts."""
    if isinstance(backend, LlamaServer):
        _compare_bytes(await backend.table(prompt), vocabulary)
        return "proved"
    assert isinstance(backend, Vllm), "there are two kinds"
    ours = [vocabulary.encode(text, with_prefix=False) for text in TEXTS]
    for text, mine, theirs in zip(TEXTS, ours, await backend.encode(TEXTS), strict=True):
        if mine != theirs:
            raise _wrong(f"it reads {text.split()[0]!r}… as {theirs[:6]}, the tokenizer as {mine[:6]}")
    return "sampled"


def _compare_bytes(known: Sequence[Known], vocabulary: Vocabulary) -> None:
    for one in known:
        mine = vocabulary.token_bytes(one.id) if one.id < vocabulary.tokenizer_size else b""
        theirs = bytes(each & 0xFF for each in one.bytes)
        if mine and theirs and mine != theirs and one.id not in vocabulary.special_ids:
            shown = f"{visible_bytes(theirs[:24])}, the tokenizer's {visible_bytes(mine[:24])}"
            raise _wrong(f"its id {one.id} is {shown}")


def _wrong(how: str) -> ModelError:
    return ModelError(
        f"this tokenizer is not the one of the server's model: {how}",
        hint="Name the tokenizer of the model that is served, by --tokenizer or in the settings.",
    )
