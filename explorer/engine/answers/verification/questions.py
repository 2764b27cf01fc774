"""What a whole vocabulary is asked: a template, how it is answered, and the evidence that comes of it.

A prompt form is tokenised once; each token's prompt is the same ids with its own id in the slots, exactly the
ids that `build_prompt` gives. So all prompts of a question are equally long and share their beginning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
from jaxtyping import Int

from explorer.base.records.repeat_back import Chat, ReplyClass
from explorer.base.reply_classes import Subject, classify
from explorer.base.templates import Template
from explorer.engine.behaviour.prompts import build_prompt

if TYPE_CHECKING:
    from explorer.engine.models.vocabulary import Vocabulary

VERSION = 1
"""Of what evidence means; a new one makes old cache files stale."""
REPLY_CLASSES: tuple[ReplyClass, ...] = ("exact", "contains", "variant", "spelled", "loops", "empty", "other")
ENDED = -1
"""In `reply_ids`: nothing stands here any more, the reply ended with end of text before."""

Evidence = npt.NDArray[Any]
"""One row a token, fields of `Question.dtype`."""


@dataclass(frozen=True)
class Question:
    """A template asked of every token, greedily, or sampled a number of times."""

    template: Template
    tokens: int
    """Reply tokens at most; a reply may end before."""
    samples: int = 0
    """0: one greedy reply. More: so many sampled ones."""
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    chat: Chat = "auto"

    @cached_property
    def key(self) -> str:
        """Names the question and everything its evidence depends on, but the model: for file names."""
        template = msgspec.structs.replace(self.template, source="")  # where it was published changes no answer
        asked = [VERSION, template, self.tokens, self.samples, self.temperature, self.top_p, self.seed, self.chat]
        content = msgspec.json.encode(asked)
        return f"{self.template.name}-{hashlib.sha256(content).hexdigest()[:16]}"

    def through(self, chat: Chat) -> Question:
        """This question with the chat template or without; itself where its form is never put into one."""
        return self if self.template.raw_only else replace(self, chat=chat)

    @property
    def is_plain(self) -> bool:
        """Whether it is asked without a chat template, of every model."""
        return self.template.raw_only or self.chat == "never"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Greedy: the reply's ids (`ENDED` after its end) and the log-probability of the token at each of its
        places (NaN after the end; also the place where it ended counts). Sampled: the class of each reply."""
        if self.samples:
            return np.dtype([("token_id", "<i4"), ("classes", "u1", (self.samples,))])
        return np.dtype(
            [("token_id", "<i4"), ("reply_ids", "<i4", (self.tokens,)), ("logprobs", "<f4", (self.tokens,))]
        )


def unanswered(dtype: np.dtype[Any], token_ids: Int[np.ndarray, " n"]) -> Evidence:
    """Evidence of a question's `dtype` that says nothing: no reply, and NaN for each log-probability."""
    found = np.zeros(len(token_ids), dtype=dtype)
    found["token_id"] = token_ids
    if "reply_ids" in (dtype.names or ()):
        found["reply_ids"], found["logprobs"] = ENDED, np.nan
    return found


@dataclass(frozen=True)
class PromptForm:
    """The ids of a question's prompt, with a mark in each slot."""

    ids: Int[np.ndarray, " length"]
    slots: Int[np.ndarray, " slots"]
    """Positions of the slots, ascending."""

    @property
    def shared(self) -> tuple[int, ...]:
        """The ids before the first slot, the same for every token."""
        return tuple(self.ids[: self.slots[0]].tolist())

    def fill(self, token_ids: Sequence[int] | Int[np.ndarray, " n"]) -> Int[np.ndarray, "n length"]:
        """Each token's prompt."""
        filled = np.tile(self.ids, (len(token_ids), 1))
        filled[:, self.slots] = np.asarray(token_ids)[:, None]
        return filled


def prompt_form(vocabulary: Vocabulary, question: Question) -> PromptForm:
    """The form of `question` as `vocabulary`'s model reads it; raises `BehaviourError` as `build_prompt` does."""
    prompt = build_prompt(vocabulary, question.template, 0, question.chat)
    return PromptForm(np.array(prompt.ids, dtype=np.int64), np.array(prompt.slot_positions, dtype=np.int64))


def class_of(vocabulary: Vocabulary, question: Question, token_id: int, reply_ids: Sequence[int]) -> int:
    """The class of one reply, as an index into `REPLY_CLASSES`."""
    subject = Subject(token_id, vocabulary.token_bytes(token_id), token_id in vocabulary.special_ids)
    found = classify(reply_ids, vocabulary.decode_bytes(reply_ids), subject, question.template)
    return REPLY_CLASSES.index(found)
