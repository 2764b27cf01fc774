"""SGLang's own /generate: ids in, ids out, log-probabilities by id, each prompt with targets of its own.

Fields as in its `GenerateReqInput` and as its answers' `meta_info`: [log-probability, id, text] each. Its numbers are
those before temperature only while all that it answers at once is greedy, so that nothing else is asked for numbers.
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
from explorer.engine.models.remote.backend import About, Backend, Likeliest, compare_ids, in_order, seed_of
from explorer.engine.models.remote.checks import SLACK, BadAnswer, checked_ids, checked_logprob, read_json, whole_row
from explorer.engine.models.remote.client import Query, Refused
from explorer.engine.models.vocabulary import Vocabulary

PROMPTS = 32
"""Of one request."""
_BYTES_OF_ID = 96
_NEUTRAL: dict[str, Any] = {
    "temperature": 0, "top_p": 1, "top_k": -1, "min_p": 0, "repetition_penalty": 1, "presence_penalty": 0,
    "frequency_penalty": 0, "ignore_eos": True,
}  # fmt: skip
"""Said in every request: else the model's own generation config decides."""

_Named = tuple[float | None, int, str | None]


class _Meta(msgspec.Struct):
    prompt_tokens: int
    input_token_logprobs: list[_Named] | None = None
    output_token_logprobs: list[_Named] | None = None
    output_top_logprobs: list[list[_Named] | None] | None = None
    output_token_ids_logprobs: list[list[_Named] | None] | None = None


class _Reply(msgspec.Struct):
    meta_info: _Meta


class _Info(msgspec.Struct):
    model_path: str
    tokenizer_path: str = ""


class _Server(msgspec.Struct):
    version: str = ""
    dtype: str = ""
    context_length: int | None = None


class Sglang(Backend):
    """Implements `Backend`."""

    kind = "sglang"

    async def about(self) -> About:
        """See `Backend`."""
        served = read_json(await self._asks.ask(Query("/get_model_info")), _Info).model_path
        if self._model and self._model not in (served, served.rstrip("/").rsplit("/", 1)[-1]):
            raise ModelError(f"the server does not serve {self._model}", hint=f"It serves {served}.")
        try:
            told = read_json(await self._asks.ask(Query("/get_server_info")), _Server)
        except (Refused, BadAnswer):
            told = _Server()
        return About(model=served, version=told.version, context=told.context_length or 0, dtype=told.dtype)

    async def check_tokens(self, vocabulary: Vocabulary, texts: Sequence[str]) -> Same:
        """See `Backend`; by the ids of the texts, as far as the server reads no prefix before them."""
        body = {"text": list(texts), "logprob_start_len": 0, "return_logprob": True}
        for text, meta in zip(texts, await self._generate(body, texts, 1, 1 << 16), strict=True):
            theirs = [token_id for _, token_id, _ in meta.input_token_logprobs or ()]
            if not theirs:
                raise BadAnswer("the server does not say which ids it read")
            prefixed = len(theirs) > len(vocabulary.encode(text, with_prefix=False))
            compare_ids(text, theirs, vocabulary.encode(text, with_prefix=prefixed))
        return "sampled"

    async def whole(self, prompt: Sequence[int]) -> Float32[np.ndarray, " vocab"]:
        """See `Backend`."""
        if not self.vocab_size:
            raise BadAnswer("how many ids it has is not known")
        ids, logprobs = _numbers(await self._top(prompt, self.vocab_size, 0.0))
        return whole_row(ids, logprobs, self.vocab_size)

    async def likeliest(self, prompt: Sequence[int], count: int, temperature: float = 0.0) -> Likeliest:
        """See `Backend`."""
        ids, logprobs = _numbers(await self._top(prompt, count, temperature))
        checked_ids(ids, self.vocab_size or 1 << 31)
        found = in_order(ids, logprobs)
        return Likeliest(found.ids[:count], found.logprobs[:count])

    async def _top(self, prompt: Sequence[int], count: int, temperature: float) -> Sequence[_Named]:
        said = {"input_ids": [list(prompt)], "return_logprob": True, "logprob_start_len": -1, "top_logprobs_num": count}
        (meta,) = await self._generate(said, [prompt], 1, _BYTES_OF_ID * count, temperature=temperature)
        return _row(meta.output_top_logprobs, 0)

    async def score(self, prompts: Sequence[Sequence[int]], targets: Sequence[int], places: int) -> list[Scored]:
        """See `Backend`. Each prompt has its own target."""
        said = {
            "input_ids": [list(prompt) for prompt in prompts], "token_ids_logprob": [[each] for each in targets],
            "return_logprob": True, "logprob_start_len": -1, "top_logprobs_num": 0,
        }  # fmt: skip
        found = await self._generate(said, prompts, places, _BYTES_OF_ID * 4 * places * len(prompts))
        return [self._scored(meta, target, places) for meta, target in zip(found, targets, strict=True)]

    def _scored(self, meta: _Meta, target: int, places: int) -> Scored:
        ids, greatest = _numbers(meta.output_token_logprobs or ())
        checked_ids(ids, self.vocab_size or 1 << 31)
        if len(ids) != places:
            raise BadAnswer(f"it holds log-probabilities of {len(ids)} of {places} places")
        own = []
        for place, most in enumerate(greatest):
            named = dict(zip(*_numbers(_row(meta.output_token_ids_logprobs, place)), strict=True))
            if target not in named:
                raise BadAnswer(f"the log-probability of id {target} is missing")
            if named[target] > most + SLACK:
                raise BadAnswer("the id that it chose is not the likeliest")
            own.append(named[target])
        return Scored(tuple(ids), tuple(own))

    async def sample(self, prompt: Sequence[int], choice: Choice, draw: float) -> tuple[int, float]:
        """See `Backend`."""
        drawn = {"temperature": choice.temperature, "top_p": choice.top_p, "sampling_seed": seed_of(draw)}
        said = {"input_ids": [list(prompt)], "return_logprob": True, "logprob_start_len": -1}
        (meta,) = await self._generate(said, [prompt], 1, 0, **drawn)
        ids, logprobs = _numbers(meta.output_token_logprobs or ())
        if len(ids) != 1:
            raise BadAnswer("it drew no id")
        checked_ids(ids, self.vocab_size)
        return ids[0], logprobs[0]

    def parts(self, count: int) -> int:
        """See `Backend`."""
        return PROMPTS

    async def _generate(
        self, body: dict[str, Any], prompts: Sequence[Sequence[int]] | Sequence[str], places: int, most: int,
        **drawn: Any,
    ) -> list[_Meta]:  # fmt: skip
        """What is told of each prompt, in order; each about as many ids as were sent."""
        whole = {**body, "sampling_params": {"max_new_tokens": places, **_NEUTRAL, **drawn}}
        tokens = sum(map(len, prompts))
        query = Query("/generate", whole, most + 64 * tokens + 4096 * len(prompts) + (1 << 16), tokens,
                      places * len(prompts))  # fmt: skip
        found = [each.meta_info for each in read_json(await self._asks.ask(query), list[_Reply])]
        if len(found) != len(prompts):
            raise BadAnswer(f"it answers {len(found)} of {len(prompts)} prompts")
        for meta, prompt in zip(found, prompts, strict=True):
            if not isinstance(prompt, str) and meta.prompt_tokens != len(prompt):
                raise BadAnswer(f"the server read {meta.prompt_tokens} ids where {len(prompt)} were sent")
        return found


def _row(rows: Sequence[Sequence[_Named] | None] | None, place: int) -> Sequence[_Named]:
    row = rows[place] if rows and place < len(rows) else None
    if not row:
        raise BadAnswer("it tells nothing of a place")
    return row


def _numbers(row: Sequence[_Named]) -> tuple[list[int], list[float]]:
    """Ids with their log-probabilities."""
    return [token_id for _, token_id, _ in row], [checked_logprob(logprob) for logprob, _, _ in row]
