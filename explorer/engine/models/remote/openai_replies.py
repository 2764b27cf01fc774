"""Replies of a server that speaks as OpenAI's API does, read as what is told at each of their places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from explorer.engine.models.prediction import Choice
from explorer.engine.models.remote.backend import Likeliest, seed_of
from explorer.engine.models.remote.checks import SLACK, BadAnswer, checked_logprob
from explorer.engine.models.remote.openai_answers import Place
from explorer.engine.models.remote.openai_asking import Asking
from explorer.engine.models.remote.openai_prompts import Unsendable
from explorer.engine.models.remote.token_names import SEVERAL, ZERO


class Replies:
    """Reads what is asked by `asking`."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking

    async def _is_chat(self) -> bool:
        return (await self.asking.find_way()).reads == "chat"

    @property
    def end(self) -> Likeliest:
        """The end of a reply, where the server does not name it."""
        return _only(min(self.asking.vocabulary.eos_ids, default=SEVERAL))

    async def greedy(self, prompt: Sequence[int], places: int, top: int) -> list[Likeliest]:
        """What is told at each place of the greedy reply; the place where it ends is one."""
        if await self._is_chat():
            question = self.asking.chat.question_of(prompt)
            answer = await self.asking.chat_reply(question.text, places, top, fresh=True)
            if question.reply:
                raise Unsendable("a reply of its own cannot be continued")
        else:
            answer = await self.asking.ask(prompt, places, top)
        return [self.told(place, top) for place in self.asking.places_of(answer, places)]

    def told(self, place: Place | None, count: int, greedy: bool = True) -> Likeliest:
        """What is told at a place; raises `BadAnswer` where a token was chosen greedily that is not the likeliest."""
        if place is None:
            return self.end
        named = place.named or ((place.chosen,) if place.chosen.logprob is not None and count else ())
        chosen = self.asking.names.find(place.chosen)
        if not named:
            return _only(chosen)
        told = replace(self.asking.names.likeliest(named, count), chosen=chosen if greedy else SEVERAL)
        own = place.chosen.logprob
        if greedy and told.sure and own is not None and checked_logprob(own, ZERO) < told.logprobs[0] - SLACK:
            raise BadAnswer("the token that it chose is not the likeliest")
        return told

    async def place(self, prompt: Sequence[int], count: int, temperature: float = 0.0) -> Place | None:
        """What comes after `prompt`; None for the end of text where the server does not name it."""
        question = self.asking.chat.question_of(prompt) if await self._is_chat() else None
        if question is None or temperature > 0:
            if question is not None and question.reply:
                raise Unsendable("a reply cannot be drawn token by token")
            return self.asking.places_of(await self.asking.ask(prompt, 1, count, temperature=temperature), 1)[0]
        at = len(question.reply)
        answer = await self.asking.chat_reply(question.text, at + 1, count, fresh=at == 0)
        found = self.asking.places_of(answer, at + 1)
        before = [-1 if each is None else self.asking.names.find(each.chosen) for each in found[:at]]
        if len(found) <= at or before != list(question.reply):
            raise Unsendable("a reply that is not its own cannot be continued")
        return found[at]

    async def echo(self, prompt: Sequence[int], target: int) -> float:
        """The log-probability of the last token of `prompt` + `target`, which the server sends back as read."""
        if await self._is_chat():
            raise Unsendable("it does not send prompts back")
        sent = [*prompt, target]
        answer = await self.asking.ask(sent, 1, 1, echo=True)
        at = len(sent) - 1
        if not len(sent) <= len(answer.places) <= len(sent) + 1:
            raise BadAnswer(f"it sends back {len(answer.places)} of {len(sent)} tokens")
        own = answer.places[at].chosen
        if self.asking.names.find(own) not in (target, SEVERAL):
            raise BadAnswer(f"the log-probability of id {target} is missing")
        return checked_logprob(own.logprob, ZERO)

    async def draw(self, prompt: Sequence[int], choice: Choice, draw: float, top: int) -> tuple[int, float]:
        """See `Backend.sample`."""
        said = {"temperature": choice.temperature, "top_p": choice.top_p, "seed": seed_of(draw)}
        if await self._is_chat() and self.asking.chat.question_of(prompt).reply:
            raise Unsendable("a reply cannot be drawn token by token")
        place = self.asking.places_of(await self.asking.ask(prompt, 1, min(top, 1), **said), 1)[0]
        token_id = self.end.chosen if place is None else self.asking.names.find(place.chosen)
        if token_id < 0:
            raise Unsendable("the token that it drew cannot be told from others by its text")
        told = None if place is None else place.chosen.logprob
        return token_id, math.nan if told is None else checked_logprob(told, ZERO)


def _only(chosen: int) -> Likeliest:
    """What is known where no log-probability is told."""
    return Likeliest(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32), chosen=max(chosen, SEVERAL))
