"""Answers of /v1/completions and /v1/chat/completions, in whatever of their shapes, read as places of a reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from explorer.engine.models.remote.checks import BadAnswer, read_json
from explorer.engine.models.remote.token_names import Named

_KEY = "token_id:"


class _Token(msgspec.Struct):
    token: str = ""
    id: int | None = None
    bytes: list[int] | None = None
    logprob: float | None = None

    def named(self) -> Named:
        told = None if self.bytes is None else bytes(each & 0xFF for each in self.bytes)
        return Named(self.token, self.logprob, told, self.id)


class _Place(_Token):
    top_logprobs: list[_Token] = []


class _Logprobs(msgspec.Struct):
    content: list[_Place] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float | None] | None] | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    text: str | None = None
    message: _Message | None = None
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None
    prompt_token_ids: list[int] | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Answer(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


@dataclass(frozen=True)
class Place:
    """One place of a reply."""

    chosen: Named
    """The token that stands there."""
    named: tuple[Named, ...]
    """The likeliest ones, with the chosen one where that is among what is told."""


@dataclass(frozen=True)
class Answer:
    """One reply."""

    text: str
    places: tuple[Place, ...]
    """Empty where no log-probabilities are told."""
    ended: bool
    """Whether it ends by itself, and not because it is long enough."""
    prompt_tokens: int
    """How many tokens the server read; 0 where it does not say."""
    tokens: int
    """How many it wrote; 0 where it does not say."""
    prompt_ids: tuple[int, ...] | None
    """The ids that it read, where it says."""


def read_answer(content: bytes) -> Answer:
    """The reply in an answer; raises `BadAnswer` where it is none."""
    answer = read_json(content, _Answer)
    if len(answer.choices) != 1:
        raise BadAnswer(f"it holds {len(answer.choices)} replies to one prompt")
    (choice,) = answer.choices
    text = choice.text if choice.message is None else choice.message.content or ""
    if text is None:
        raise BadAnswer("it holds no reply")
    ids = None if choice.prompt_token_ids is None else tuple(choice.prompt_token_ids)
    usage = answer.usage or _Usage()
    ended = choice.finish_reason == "stop"
    return Answer(text, _places(choice.logprobs), ended, usage.prompt_tokens, usage.completion_tokens, ids)


def _places(told: _Logprobs | None) -> tuple[Place, ...]:
    if told is None:
        return ()
    if told.content is not None:
        return tuple(_place_of_list(each) for each in told.content)
    tokens, logprobs, tops = told.tokens or [], told.token_logprobs or [], told.top_logprobs or []
    if len(tokens) != len(logprobs) or (tops and len(tops) != len(tokens)):
        raise BadAnswer("it holds more tokens than log-probabilities")
    rows = tops or [None] * len(tokens)
    return tuple(_place_of_row(*each) for each in zip(tokens, logprobs, rows, strict=True))


def _place_of_list(place: _Place) -> Place:
    chosen = place.named()
    named = [each.named() for each in place.top_logprobs]
    return Place(chosen, tuple(named))


def _place_of_row(token: str, logprob: float | None, row: Mapping[str, float | None] | None) -> Place:
    return Place(_keyed(token, logprob), tuple(_keyed(*each) for each in (row or {}).items()))


def _keyed(key: str, logprob: float | None) -> Named:
    token_id = key.removeprefix(_KEY)
    known = key.startswith(_KEY) and token_id.isdecimal() and len(token_id) < 10
    return Named("", logprob, None, int(token_id)) if known else Named(key, logprob)
