"""vLLM's /v1/completions: ids in, ids out, log-probabilities by id.

`logprob_token_ids` (vLLM 0.32) tells those of chosen tokens. Unknown fields are ignored with status 200, so what an
answer holds tells what the server can, never the status or a version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float32

from explorer.base.records.models import Same
from explorer.engine.models.abilities import Scored
from explorer.engine.models.errors import ModelError
from explorer.engine.models.prediction import Choice
from explorer.engine.models.remote.backend import (
    About,
    Backend,
    Likeliest,
    choose_model,
    compare_ids,
    in_order,
    seed_of,
)
from explorer.engine.models.remote.checks import (
    SLACK,
    BadAnswer,
    checked_ids,
    checked_logprob,
    read_json,
    whole_row,
)
from explorer.engine.models.remote.client import Query
from explorer.engine.models.vocabulary import Vocabulary

PROMPTS = 32
"""Prompts of one request: 32 to 64 are quickest (measured), and vLLM takes at most 128 targets for all of them."""
_ZERO = -9998.0
"""−9999 stands for −inf."""
_BYTES_OF_ID = 64
"""Of an id and its log-probability in an answer: 36 were measured."""
_KEY = "token_id:"
_NEUTRAL: dict[str, Any] = {
    "temperature": 0, "top_p": 1, "top_k": -1, "min_p": 0, "repetition_penalty": 1, "presence_penalty": 0,
    "frequency_penalty": 0, "add_special_tokens": False, "ignore_eos": True, "return_token_ids": True,
    "return_tokens_as_token_ids": True,
}  # fmt: skip
"""Said in every request: else the model's own generation config decides."""

_Row = dict[str, float | None]


class _Places(msgspec.Struct):
    top_logprobs: list[_Row | None] | None = None


class _Choice(msgspec.Struct):
    index: int
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    logprobs: _Places | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]


class _Model(msgspec.Struct):
    id: str
    max_model_len: int | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


class _Version(msgspec.Struct):
    version: str = ""


class Vllm(Backend):
    """Implements `Backend`."""

    kind = "vllm"

    async def about(self) -> About:
        """See `Backend`."""
        found = read_json(await self._asks.ask(Query("/v1/models")), _Models).data
        model = choose_model([each.id for each in found], self._model)
        self._model = model
        version = read_json(await self._asks.ask(Query("/version")), _Version).version
        context = next(each.max_model_len for each in found if each.id == model)
        return About(model=model, version=version, context=context or 0)

    async def whole(self, prompt: Sequence[int]) -> Float32[np.ndarray, " vocab"]:
        """See `Backend`; where the vocabulary's size is not known yet, the number of ids that came counts."""
        size = self.vocab_size or 1 << 19
        (choice,) = await self._complete([prompt], 1, _BYTES_OF_ID * size, logprobs=-1)
        ids, logprobs = _numbers(_places(choice, 1)[0])
        return whole_row(ids, logprobs, self.vocab_size or len(ids))

    async def likeliest(self, prompt: Sequence[int], count: int, temperature: float = 0.0) -> Likeliest:
        """See `Backend`. vLLM adds the chosen id where it is not one of the likeliest: that is left out."""
        said = {"logprobs": count, "temperature": temperature, "seed": 0}
        (choice,) = await self._complete([prompt], 1, _BYTES_OF_ID * (count + 1), **said)
        ids, logprobs = _numbers(_places(choice, 1)[0])
        checked_ids(ids, self.vocab_size or 1 << 31)
        found = in_order(ids, logprobs)
        return Likeliest(found.ids[:count], found.logprobs[:count])

    async def score(self, prompts: Sequence[Sequence[int]], targets: Sequence[int], places: int) -> list[Scored]:
        """See `Backend`. The targets of all prompts are asked for in one list, and each prompt's own is read."""
        wanted = sorted(set(targets))
        most = _BYTES_OF_ID * len(prompts) * places * (len(wanted) + 1)
        choices = await self._complete(prompts, places, most, logprobs=0, logprob_token_ids=wanted)
        return [self._scored(choice, target, places) for choice, target in zip(choices, targets, strict=True)]

    def _scored(self, choice: _Choice, target: int, places: int) -> Scored:
        rows, ids = _places(choice, places), choice.token_ids or []
        checked_ids(ids, self.vocab_size or 1 << 31)
        own = []
        for row, token_id in zip(rows, ids, strict=True):
            if f"{_KEY}{target}" not in row or f"{_KEY}{token_id}" not in row:
                raise BadAnswer(f"the log-probability of id {target} is missing")
            values = {key: checked_logprob(value, _ZERO) for key, value in row.items()}
            if max(values.values()) > values[f"{_KEY}{token_id}"] + SLACK:
                raise BadAnswer("the id that it chose is not the likeliest; start vLLM with --generation-config vllm")
            own.append(values[f"{_KEY}{target}"])
        return Scored(tuple(ids), tuple(own))

    async def sample(self, prompt: Sequence[int], choice: Choice, draw: float) -> tuple[int, float]:
        """See `Backend`."""
        said = {"temperature": choice.temperature, "top_p": choice.top_p, "seed": seed_of(draw), "logprobs": 0}
        (answer,) = await self._complete([prompt], 1, 0, **said)
        token_id = (answer.token_ids or [-1])[0]
        checked_ids([token_id], self.vocab_size)
        return token_id, checked_logprob(_places(answer, 1)[0].get(f"{_KEY}{token_id}"), _ZERO)

    def parts(self, count: int) -> int:
        """See `Backend`."""
        return PROMPTS

    async def check_tokens(self, vocabulary: Vocabulary, texts: Sequence[str]) -> Same:
        """See `Backend`; by the ids of the texts."""
        for text, theirs in zip(texts, await self.encode(texts), strict=True):
            compare_ids(text, theirs, vocabulary.encode(text, with_prefix=False))
        return "sampled"

    async def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids that the server's tokenizer makes of texts, without a prefix; raises `BadAnswer` as answers do."""
        choices = await self._complete(texts, 1, 0)
        return [choice.prompt_token_ids or [] for choice in choices]

    async def _complete(
        self, prompts: Sequence[Sequence[int]] | Sequence[str], places: int, most: int, **said: Any
    ) -> list[_Choice]:
        """One choice a prompt, in order, each about the ids that were sent."""
        sent = [each if isinstance(each, str) else list(each) for each in prompts]
        body = {"model": self._model, "prompt": sent, "max_tokens": places, **_NEUTRAL, **said}
        length = sum(len(each) for each in sent)
        size = most + 64 * length + 4096 * len(sent) + (1 << 16)
        content = await self._asks.ask(Query("/v1/completions", body, size, length, places * len(sent)))
        choices = sorted(read_json(content, _Answer).choices, key=lambda choice: choice.index)
        if [choice.index for choice in choices] != list(range(len(sent))):
            raise BadAnswer(f"it answers {len(choices)} of {len(sent)} prompts")
        for choice, prompt in zip(choices, sent, strict=True):
            if choice.prompt_token_ids is None or choice.token_ids is None:
                raise ModelError("the server does not say which ids it read", hint="It needs vLLM 0.10.2 or newer.")
            if not isinstance(prompt, str) and choice.prompt_token_ids != prompt:
                raise BadAnswer("the server read other ids than were sent")
        return choices


def _places(choice: _Choice, places: int) -> list[_Row]:
    """The log-probabilities at each place of a reply; raises `BadAnswer` where a place is missing."""
    rows = (choice.logprobs.top_logprobs if choice.logprobs else None) or []
    found = [row for row in rows if row is not None]
    if not len(found) == len(rows) == len(choice.token_ids or ()) == places:
        raise BadAnswer(f"it holds log-probabilities of {len(found)} of {places} places")
    return found


def _numbers(row: _Row) -> tuple[list[int], list[float]]:
    """A place's ids with their log-probabilities."""
    try:
        ids = [int(key.removeprefix(_KEY)) for key in row if key.startswith(_KEY)]
    except ValueError:
        ids = []
    if len(ids) != len(row):
        raise BadAnswer("its log-probabilities are not told by id")
    return ids, [checked_logprob(value, _ZERO) for value in row.values()]
