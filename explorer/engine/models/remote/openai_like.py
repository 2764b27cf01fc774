"""Whatever speaks as OpenAI's API does: hosted APIs, Ollama, TGI, LM Studio, SGLang, vLLM, llama-server.

What it takes and tells is found by its answers: prompts as ids, as text or as questions for its own chat template;
tokens named by id, bytes or text; a prompt echoed with log-probabilities, or none at all. Only fields of OpenAI's own
API are sent, for some servers refuse others.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from jaxtyping import Float32

from explorer.base.records.models import Keyed, Same
from explorer.engine.models.abilities import Scored, Unasked
from explorer.engine.models.prediction import Choice
from explorer.engine.models.remote.backend import About, Backend, Likeliest, choose_model, wrong_tokenizer
from explorer.engine.models.remote.checks import BadAnswer, checked_logprob, read_json, whole_row
from explorer.engine.models.remote.client import Query, Refused
from explorer.engine.models.remote.loop import together
from explorer.engine.models.remote.openai_asking import Asking, Way
from explorer.engine.models.remote.openai_prompts import Unsendable
from explorer.engine.models.remote.openai_replies import Replies
from explorer.engine.models.remote.token_names import NONE, Named
from explorer.engine.models.vocabulary import Vocabulary


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class OpenAiLike(Backend):
    """Implements `Backend`."""

    kind = "openai"
    targets_by = "echo"
    bounds_scores = True
    _asking: Asking
    _replies: Replies

    def use_vocabulary(self, vocabulary: Vocabulary) -> None:
        """See `Backend`."""
        self._asking = Asking(self._asks, vocabulary, self._model)
        self._replies = Replies(self._asking)

    def do_as(self, known: Backend) -> None:
        """See `Backend`."""
        super().do_as(known)
        assert isinstance(known, OpenAiLike), "servers of one model are of one kind"
        self._asking.way, self._asking.model = known._asking.way, known._asking.model

    def prompts_of(self, texts: Sequence[str], vocabulary: Vocabulary) -> tuple[tuple[int, ...], ...]:
        """See `Backend`."""
        way = self._asking.way or Way("ids")
        if way.reads == "chat":
            return tuple(tuple(self._asking.chat.prompt(text)) for text in texts)
        if way.reads == "text":
            return tuple((*way.prefix, *vocabulary.encode(text, with_prefix=False)) for text in texts)
        return super().prompts_of(texts, vocabulary)

    async def about(self) -> About:
        """See `Backend`. A server that lists no models is asked for the one that is named."""
        try:
            found = read_json(await self._asks.ask(Query("/v1/models", most_bytes=1 << 24)), _Models).data
        except (Refused, BadAnswer):
            found = []
        if found or not self._model:
            self._model = choose_model([each.id for each in found], self._model)
        return About(model=self._model)

    async def check_tokens(self, vocabulary: Vocabulary, texts: Sequence[str]) -> Same:
        """See `Backend`; by how many tokens the texts are, and by what the likeliest ones are called."""
        self.reads = (await self._asking.find_way()).reads
        if self.reads == "ids":
            await self._asking.check_texts(texts)
        prompts = self.prompts_of(texts, vocabulary)
        count = await self._asking.count_to_ask(prompts[0])
        answers = [await self._asking.ask(prompt, 1, count) for prompt in prompts]
        self._check_names([named for answer in answers for place in answer.places for named in place.named])
        counted = [answer.prompt_tokens == len(prompt) for answer, prompt in zip(answers, prompts, strict=True)]
        return "sampled" if all(counted) else "unknown"

    def _check_names(self, named: Sequence[Named]) -> None:
        """Note how tokens are named; raises `ModelError` where the tokenizer has no tokens of such names."""
        keys: list[Keyed] = [_key_of(each) for each in named]
        self.keyed = next((key for key in ("text", "bytes", "id") if key in keys), "id")
        absent = [each.text for each in named if self._asking.names.find(each) == NONE]
        if len(absent) * 2 > len(named):
            raise wrong_tokenizer(f"it names {absent[0][:24]!r}, which is no token here")

    async def whole(self, prompt: Sequence[int]) -> Float32[np.ndarray, " vocab"]:
        """See `Backend`."""
        if not self.vocab_size or self.reads == "chat" or self.keyed != "id":
            raise BadAnswer("it does not name all tokens by id")
        place = await self._replies.place(prompt, self.vocab_size)
        named = place.named if place else ()
        ids = [self._asking.names.find(each) for each in named]
        logprobs = [checked_logprob(each.logprob) for each in named]
        if len(ids) != self.vocab_size:
            raise BadAnswer(f"it names {len(ids):,} of {self.vocab_size:,} tokens")
        return whole_row(ids, logprobs, self.vocab_size)

    async def likeliest(self, prompt: Sequence[int], count: int, temperature: float = 0.0) -> Likeliest:
        """See `Backend`."""
        place = await self._replies.place(prompt, count, temperature)
        return self._replies.told(place, count, temperature == 0)

    async def score(
        self, prompts: Sequence[Sequence[int]], targets: Sequence[int], places: int
    ) -> Sequence[Scored | Unasked]:
        """See `Backend`; at places where the target is neither named nor can be echoed, a bound."""
        pairs = zip(prompts, targets, strict=True)
        return await together(self._score(prompt, target, places) for prompt, target in pairs)

    async def _score(self, prompt: Sequence[int], target: int, places: int) -> Scored | Unasked:
        try:
            found = await self._replies.greedy(prompt, places, self.top)
        except Unsendable as error:
            return Unasked(error.why)
        ids: list[int] = []
        logprobs, exact = [], []
        for likeliest in found:
            first = int(likeliest.ids[0]) if likeliest.sure else likeliest.chosen
            if first < 0:
                return Unasked("its reply holds a token that cannot be told from others by its text")
            logprob, known = await self._own([*prompt, *ids], target, likeliest)
            ids.append(first)
            logprobs.append(logprob)
            exact.append(known)
        return Scored(tuple(ids), tuple(logprobs), tuple(exact))

    async def _own(self, prompt: Sequence[int], target: int, told: Likeliest) -> tuple[float, bool]:
        """The target's log-probability, and whether it is more than a bound."""
        if self.targets_by == "echo":
            try:
                return await self._replies.echo(prompt, target), True
            except Unsendable:
                pass
        for token_id, logprob in zip(told.ids.tolist(), told.logprobs.tolist(), strict=True):
            if token_id == target:
                return logprob, True
        return told.at_most, False

    async def target_logprob(self, prompt: Sequence[int], target: int) -> float:
        """See `Backend`; a target that is named among the likeliest is not meant."""
        return await self._replies.echo(prompt, target)

    async def sample(self, prompt: Sequence[int], choice: Choice, draw: float) -> tuple[int, float]:
        """See `Backend`."""
        return await self._replies.draw(prompt, choice, draw, self.top)


def _key_of(named: Named) -> Keyed:
    return "id" if named.id is not None else "bytes" if named.bytes else "text"
