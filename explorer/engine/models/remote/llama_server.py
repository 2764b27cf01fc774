"""llama.cpp's llama-server: its own /completion, which tells raw log-probabilities by id and bytes.

No log-probability comes for a chosen token whose bytes end in the middle of a letter, so a harmless token is always
forced by `logit_bias`, which changes the choice and not the numbers. Other targets are forced themselves: one request
then tells a target's log-probability and the likeliest id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from jaxtyping import Float32

from explorer.base.records.models import Same
from explorer.base.text import visible_bytes
from explorer.engine.models.abilities import Scored
from explorer.engine.models.errors import ModelError
from explorer.engine.models.prediction import Choice
from explorer.engine.models.remote.backend import (
    About,
    Backend,
    Likeliest,
    choose_model,
    in_order,
    seed_of,
    wrong_tokenizer,
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
from explorer.engine.models.remote.loop import together
from explorer.engine.models.vocabulary import Vocabulary

_FORCE = 100_000
_BEGINS = ((2, 0xE0, 0xC0), (3, 0xF0, 0xE0), (4, 0xF8, 0xF0))
"""Bytes of a letter, and which bits of its first byte say so."""
_BYTES_OF_ID = 512
"""Of an id with its bytes, text and log-probability in an answer: 95 were measured on average."""
_NEUTRAL: dict[str, Any] = {
    "n_predict": 1, "temperature": 0, "top_k": 0, "top_p": 1, "min_p": 0, "typical_p": 1, "repeat_penalty": 1,
    "presence_penalty": 0, "frequency_penalty": 0, "dry_multiplier": 0, "xtc_probability": 0, "mirostat": 0,
    "post_sampling_probs": False, "return_tokens": True, "cache_prompt": True,
    "response_fields": ["tokens", "completion_probabilities", "tokens_evaluated"],
}  # fmt: skip
"""Said in every request: else the server's own sampling decides."""


class Known(msgspec.Struct):
    """One id in an answer."""

    id: int
    logprob: float
    bytes: list[int] = []


class _Place(msgspec.Struct):
    id: int
    logprob: float
    top_logprobs: list[Known] = []


class _Answer(msgspec.Struct):
    tokens_evaluated: int
    tokens: list[int] = []
    completion_probabilities: list[_Place] = []


class _Meta(msgspec.Struct):
    n_vocab: int = 0
    n_ctx: int = 0
    n_embd: int = 0
    n_params: int = 0
    ftype: str = ""


class _Model(msgspec.Struct):
    id: str
    aliases: list[str] = []
    meta: _Meta | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


class _Settings(msgspec.Struct):
    n_ctx: int = 0


class _Props(msgspec.Struct):
    build_info: str = ""
    default_generation_settings: _Settings | None = None


class KnowsBytes(Protocol):
    """A vocabulary."""

    @property
    def eos_ids(self) -> frozenset[int]: ...

    def token_bytes(self, token_id: int) -> bytes:
        """The exact bytes of a token."""


class LlamaServer(Backend):
    """Implements `Backend`."""

    kind = "llama"
    targets_by = "forced"
    _vocabulary: KnowsBytes | None = None
    _harmless = 0

    def use_vocabulary(self, vocabulary: Vocabulary) -> None:
        """See `Backend`; raises `ModelError` where it has no letter as a token of its own."""
        self.use_tokens(vocabulary, _find_harmless(vocabulary))

    def use_tokens(self, vocabulary: KnowsBytes, harmless: int) -> None:
        """Tell the server's tokens by `vocabulary`; `harmless`: an id that may always be forced."""
        self._vocabulary, self._harmless = vocabulary, harmless

    async def check_tokens(self, vocabulary: Vocabulary, texts: Sequence[str]) -> Same:
        """See `Backend`; by the bytes of every id."""
        for one in await self.table(self.prompts_of(texts[:1], vocabulary)[0]):
            mine = vocabulary.token_bytes(one.id) if one.id < vocabulary.tokenizer_size else b""
            theirs = bytes(each & 0xFF for each in one.bytes)
            if mine and theirs and mine != theirs and one.id not in vocabulary.special_ids:
                shown = f"{visible_bytes(theirs[:24])}, the tokenizer's {visible_bytes(mine[:24])}"
                raise wrong_tokenizer(f"its id {one.id} is {shown}")
        return "proved"

    async def about(self) -> About:
        """See `Backend`."""
        found = read_json(await self._asks.ask(Query("/v1/models")), _Models).data
        names = {name: each for each in found for name in (each.id, *each.aliases)}
        wanted = self._model if self._model in names else ""
        model = names[wanted] if wanted else names[choose_model([each.id for each in found], self._model)]
        self._model = model.id
        props = read_json(await self._asks.ask(Query("/props")), _Props)
        meta = model.meta or _Meta()
        own = props.default_generation_settings.n_ctx if props.default_generation_settings else 0
        return About(
            model=model.id, version=props.build_info, vocab_size=meta.n_vocab, context=own or meta.n_ctx,
            dtype=meta.ftype, n_parameters=meta.n_params, d_model=meta.n_embd,
        )  # fmt: skip

    async def whole(self, prompt: Sequence[int]) -> Float32[np.ndarray, " vocab"]:
        """See `Backend`."""
        return self._row(await self.table(prompt))

    async def table(self, prompt: Sequence[int]) -> list[Known]:
        """Every id with its bytes and its log-probability after `prompt`."""
        return (await self._place(prompt, self._harmless, self.vocab_size)).top_logprobs

    def _row(self, known: Sequence[Known]) -> Float32[np.ndarray, " vocab"]:
        return whole_row([each.id for each in known], [each.logprob for each in known], self.vocab_size)

    async def likeliest(self, prompt: Sequence[int], count: int, temperature: float = 0.0) -> Likeliest:
        """See `Backend`."""
        found = (await self._place(prompt, self._harmless, count, temperature=temperature)).top_logprobs
        checked_ids([each.id for each in found], self.vocab_size)
        return in_order([each.id for each in found], [checked_logprob(each.logprob) for each in found])

    async def score(self, prompts: Sequence[Sequence[int]], targets: Sequence[int], places: int) -> list[Scored]:
        """See `Backend`."""
        pairs = zip(prompts, targets, strict=True)
        return await together(self._score(list(prompt), target, places) for prompt, target in pairs)

    async def _score(self, prompt: list[int], target: int, places: int) -> Scored:
        """One prompt's reply, a request a place."""
        assert self._vocabulary is not None, "use_tokens() comes first"
        ids: list[int] = []
        own: list[float] = []
        while len(ids) < places and not (ids and ids[-1] in self._vocabulary.eos_ids):
            likeliest, logprob = await self._forced(prompt, target)
            ids.append(likeliest)
            own.append(logprob)
            prompt.append(likeliest)
        return Scored(tuple(ids), tuple(own))

    async def _forced(self, prompt: Sequence[int], target: int) -> tuple[int, float]:
        """The likeliest id after `prompt`, and the target's log-probability."""
        assert self._vocabulary is not None, "use_tokens() comes first"
        if not is_unfinished(self._vocabulary.token_bytes(target)):
            place = await self._place(prompt, target, 1)
            best = place.top_logprobs[0]
            checked_ids([best.id], self.vocab_size)
            if place.logprob > best.logprob + SLACK:
                raise BadAnswer("the id that it names first is not the likeliest")
            return best.id, checked_logprob(place.logprob)
        row = await self.whole(prompt)
        return int(row.argmax()), float(row[target])

    async def sample(self, prompt: Sequence[int], choice: Choice, draw: float) -> tuple[int, float]:
        """See `Backend`."""
        raise ModelError("llama-server tells whole distributions, so that nothing is drawn by it")

    async def _place(self, prompt: Sequence[int], forced: int, count: int, temperature: float = 0.0) -> _Place:
        """The numbers after `prompt`, with `count` of the likeliest, where `forced` is chosen."""
        body = {
            "prompt": list(prompt), **_NEUTRAL, "n_probs": count, "logit_bias": [[forced, _FORCE]],
            "temperature": temperature, "seed": seed_of(0.5),
        }  # fmt: skip
        query = Query("/completion", body, _BYTES_OF_ID * count + (1 << 16), len(prompt), 1)
        answer = read_json(await self._asks.ask(query), _Answer)
        if answer.tokens_evaluated != len(prompt):
            raise BadAnswer(f"the server read {answer.tokens_evaluated} ids where {len(prompt)} were sent")
        if len(answer.completion_probabilities) != 1 or answer.tokens != [forced]:
            raise BadAnswer(f"the log-probability of id {forced} is missing")
        (place,) = answer.completion_probabilities
        if place.id != forced or len(place.top_logprobs) != count:
            raise BadAnswer(f"it names {len(place.top_logprobs)} ids where {count} were asked for")
        return place


def is_unfinished(token: bytes) -> bool:
    """Whether llama-server takes the bytes to end in the middle of a letter, by `validate_utf8` in its utils.hpp: then
    it waits for the rest, and tells nothing."""
    ends = enumerate(reversed(token[-4:]), 1)
    return any(place < needed for place, byte in ends if (needed := _length_after(byte)))


def _length_after(byte: int) -> int:
    """How many bytes a letter has that begins with this one; 0 where none of several bytes does."""
    return next((length for length, mask, mark in _BEGINS if byte & mask == mark), 0)


def _find_harmless(vocabulary: Vocabulary) -> int:
    """An id whose bytes are one printable ASCII letter, best `a`."""
    letters = {vocabulary.token_bytes(token_id): token_id for token_id in range(min(vocabulary.size, 1 << 12), -1, -1)
               if token_id < vocabulary.size and token_id not in vocabulary.special_ids}  # fmt: skip
    plain = [token for token in letters if len(token) == 1 and 0x21 <= token[0] < 0x7F]
    if not plain:
        raise ModelError("the tokenizer has no letter as a token of its own, which llama-server is asked with")
    return letters[b"a"] if b"a" in letters else letters[min(plain)]
