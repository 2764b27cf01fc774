"""How a server that speaks as OpenAI's API does takes prompts, and its replies to them.

Ids are sent where the answer shows that they were read, else text that only these ids can be, else a question for the
server's own chat template. Only fields of OpenAI's own API are sent, for some servers refuse others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from explorer.base.records.models import Reads
from explorer.engine.models.remote.backend import wrong_tokenizer
from explorer.engine.models.remote.checks import BadAnswer
from explorer.engine.models.remote.client import Asks, Query, Refused
from explorer.engine.models.remote.openai_answers import Answer, Place, read_answer
from explorer.engine.models.remote.openai_prompts import ChatShape, Unsendable, text_of
from explorer.engine.models.remote.token_names import Named, TokenNames
from explorer.engine.models.vocabulary import Vocabulary

_BYTES_OF_ID = 512
"""Of a token with its bytes, text and log-probability in an answer."""
_REPLY = 16
"""Tokens of a chat reply that are asked for at once, for it cannot be continued."""
_MOST_REPLIES = 256
_TEXT = "The capital of France is"


@dataclass(frozen=True)
class Way:
    """How it was found to take prompts."""

    reads: Reads
    length_key: str = "max_tokens"
    """OpenAI's newer models take but `max_completion_tokens`."""
    prefix: tuple[int, ...] = ()
    """What it puts before a text."""


class Asking:
    """Asks one server for replies."""

    def __init__(self, asks: Asks, vocabulary: Vocabulary, model: str) -> None:
        self._asks, self.vocabulary, self.model = asks, vocabulary, model
        self.names = TokenNames(vocabulary)
        self.way: Way | None = None
        """None until it was found."""
        self._finding = asyncio.Lock()
        self._replies: dict[tuple[str, int], Answer] = {}
        """Chat replies by question, and by how many of the likeliest were asked for."""

    @cached_property
    def chat(self) -> ChatShape:
        """What the chat template writes around a question; raises `Unsendable` without one."""
        return ChatShape(self.vocabulary)

    async def find_way(self) -> Way:
        """How prompts are taken: as ids where the answer shows that they were read, else as text, else as questions."""
        async with self._finding:
            if self.way is None:
                self.way = await self._try_ways()
        return self.way

    async def _try_ways(self) -> Way:
        bare, full = self.vocabulary.encode(_TEXT, with_prefix=False), self.vocabulary.encode(_TEXT)
        written: Answer | None = None
        try:
            written = await self.check_text(_TEXT)
            by_ids = await self._send("/v1/completions", {"prompt": full, **_said(1, 1)}, 2)
            if by_ids.prompt_ids == tuple(full) or by_ids.prompt_tokens == len(full):
                return Way("ids")
        except (Refused, BadAnswer):
            pass
        if written is not None:
            return Way("text", prefix=() if written.prompt_tokens == len(bare) else self.vocabulary.prefix_ids)
        assert self.chat, "it raises without a template"
        return await self._try_chat()

    async def check_texts(self, texts: Sequence[str]) -> None:
        """Ids are read as they are sent, so that only a text shows how the server's tokenizer reads."""
        for text in texts:
            try:
                await self.check_text(text)
            except (Refused, BadAnswer):
                return  # it takes ids alone

    async def count_to_ask(self, prompt: Sequence[int]) -> int:
        """How many of the likeliest it can be asked for, at most 5: some refuse to be asked for more than they tell."""
        for count in (5, 1):
            try:
                await self.ask(prompt, 1, count)
            except Refused:
                continue
            return count
        return 0

    async def check_text(self, text: str) -> Answer:
        """A reply to a text; raises `ModelError` where the server reads it as another number of tokens, or others."""
        answer = await self._send("/v1/completions", {"prompt": text, **_said(1, 1)}, 2)
        bare, full = self.vocabulary.encode(text, with_prefix=False), self.vocabulary.encode(text)
        if answer.prompt_tokens and answer.prompt_tokens not in (len(bare), len(full)):
            raise wrong_tokenizer(f"it reads {text!r} as {answer.prompt_tokens} tokens, the tokenizer {len(full)}")
        if answer.prompt_ids is not None and list(answer.prompt_ids) not in (bare, full):
            raise wrong_tokenizer(f"it reads {text!r} as other ids")
        return answer

    async def _try_chat(self) -> Way:
        """By which name a chat server is told how long the reply may be."""
        for last, key in enumerate(("max_tokens", "max_completion_tokens")):
            way = Way("chat", key)
            try:
                await self._send("/v1/chat/completions", _chat_body(way, _TEXT, 1, 0), 2)
            except Refused:
                if last:
                    raise
            else:
                return way
        raise AssertionError("the last way returns or raises")

    async def ask(self, prompt: Sequence[int], places: int, count: int, **said: Any) -> Answer:
        """The reply to a prompt, which the server is seen to have read as these ids, as far as it tells."""
        way = await self.find_way()
        most = places + (len(prompt) if said.get("echo") else 0)
        if way.reads == "chat":
            question = self.chat.question_of(prompt)
            body = _chat_body(way, question.text, places, count) | said
            return await self._send("/v1/chat/completions", body, most * (count + 1), len(prompt), places)
        sent = list(prompt) if way.reads == "ids" else text_of(self.vocabulary, prompt, way.prefix)
        body = {"prompt": sent, **_said(places, count), **said}
        answer = await self._send("/v1/completions", body, most * (count + 1), len(prompt), places)
        if answer.prompt_tokens and answer.prompt_tokens != len(prompt):
            raise BadAnswer(f"the server read {answer.prompt_tokens} tokens where {len(prompt)} were sent")
        if answer.prompt_ids is not None and answer.prompt_ids != tuple(prompt):
            raise BadAnswer("the server read other ids than were sent")
        return answer

    async def _send(self, path: str, body: Mapping[str, Any], tokens: int, read: int = 0, places: int = 1) -> Answer:
        query = Query(path, {"model": self.model, **body}, _BYTES_OF_ID * tokens + (1 << 18), read, places)
        return read_answer(await self._asks.ask(query))

    async def chat_reply(self, question: str, places: int, count: int, *, fresh: bool) -> Answer:
        """The greedy reply to a question, with `count` of the likeliest at each place; asked once for all of its
        places, and anew where it is to be `fresh`: another model may answer by now."""
        known = None if fresh else self._replies.get((question, count))
        length = len(self.places_of(known, 1 << 20)) if known else 0
        if known is None or (length < places and not known.ended):
            known = await self.ask(self.chat.prompt(question), max(places, _REPLY, 2 * length), count)
            if len(self._replies) >= _MOST_REPLIES:
                self._replies.clear()
            self._replies[question, count] = known
        return known

    def places_of(self, answer: Answer, places: int) -> list[Place | None]:
        """At most so many places; None for the end of text where the server does not name it."""
        found: list[Place | None] = list(answer.places)
        if not found:
            if "\ufffd" in answer.text:
                raise Unsendable("it tells a reply's text alone, and that is no whole letters")
            ids = self.vocabulary.encode_segment(answer.text)
            found = [Place(Named("", None, None, token_id), ()) for token_id in ids]
        elif answer.tokens > len(found) + answer.ended:
            raise Unsendable("it tells nothing of a token that ends inside a letter")
        ends = found and found[-1] is not None and self.names.find(found[-1].chosen) in self.vocabulary.eos_ids
        if answer.ended and len(found) < places and not ends:
            found.append(None)
        if not found:
            raise Unsendable("it tells nothing of the token that it chose")
        return found[:places]


def _said(places: int, count: int) -> dict[str, Any]:
    return {"max_tokens": places, "temperature": 0.0, "top_p": 1.0} | ({"logprobs": count} if count else {})


def _chat_body(way: Way, question: str, places: int, count: int) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": question}], way.length_key: places, "temperature": 0.0}
    return body | ({"logprobs": True, "top_logprobs": count} if count else {})
