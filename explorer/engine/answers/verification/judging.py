"""From what was answered to a verdict: one rule each, over a row of tokens at once. `definitions` names them.

A verdict is an index into `records.VERDICTS`; with it comes one number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int, UInt8

from explorer.base.records.speakability import Speakability
from explorer.base.records.verification import VERDICTS
from explorer.base.shares import wilson_interval
from explorer.engine.answers.verification.questions import ENDED, REPLY_CLASSES, Evidence, Question, class_of

if TYPE_CHECKING:
    from explorer.engine.models.vocabulary import Vocabulary

VERIFIED, WEAK, REJECTED, INCONCLUSIVE = range(4)
assert VERDICTS[:4] == ("verified", "weak", "rejected", "inconclusive")

Verdicts = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]
Settled = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Facts:
    """What a definition may look at, about a row of tokens."""

    vocabulary: Vocabulary
    token_ids: Int[np.ndarray, " n"]
    evidence: Mapping[str, Evidence]
    """By question key, a row each; a question that does not fit the model's context is not there."""
    indicators: Mapping[str, Float[np.ndarray, " vocab"]]
    """Every indicator of the whole vocabulary, by name."""
    reencodes: Callable[[Question, int], bool]
    """Whether the text of that question's prompt about that token is tokenised to the same ids."""

    speakable: Mapping[int, tuple[Speakability, float]] = field(default_factory=dict)
    """Whether a token is speakable and its margin, for the tokens that are settled."""
    _classes: dict[str, UInt8[np.ndarray, "n replies"]] = field(default_factory=dict)

    def answers(self, question: Question) -> Evidence | None:
        """The evidence of `question`; None where it was not asked."""
        return self.evidence.get(question.key)

    def classes(self, question: Question) -> UInt8[np.ndarray, "n replies"] | None:
        """The class of each reply to `question`, as indices into `REPLY_CLASSES`; None where it was not asked."""
        answers = self.answers(question)
        if answers is None:
            return None
        if question.samples:
            sampled: UInt8[np.ndarray, "n replies"] = answers["classes"]
            return sampled
        if question.key not in self._classes:
            found = [
                class_of(self.vocabulary, question, token_id, reply)
                for token_id, reply in zip(self.token_ids.tolist(), _replies(answers), strict=True)
            ]
            self._classes[question.key] = np.array(found, dtype=np.uint8).reshape(len(self.token_ids), 1)
        return self._classes[question.key]


def _best(facts: Facts, questions: tuple[Question, ...], positions: int | None = None) -> Float[np.ndarray, " n"]:
    """The greatest P(token) over the questions and their first `positions` reply places; NaN where none was asked."""
    best = np.full(len(facts.token_ids), np.nan)
    for question in questions:
        answers = facts.answers(question)
        if answers is not None:
            logprobs = answers["logprobs"][:, :positions].astype(np.float64)
            best = np.fmax(best, np.exp(np.fmax.reduce(logprobs, axis=1)))
    return best


def by_magikarp(facts: Facts, questions: tuple[Question, ...]) -> tuple[Verdicts, Values]:
    """Where a prompt is missing the maximum is unknown: what is there may be enough to reject, and no more."""
    best = _best(facts, questions)
    verdicts = np.full(len(best), INCONCLUSIVE, dtype=np.uint8)
    verdicts[best > 0.1] = REJECTED
    shortest_first = sorted(questions, key=lambda question: len(question.template.question))  # quickest to look at
    for place in np.flatnonzero((best <= 0.1) & _all_answered(facts, questions)):
        if any(facts.reencodes(question, int(facts.token_ids[place])) for question in shortest_first):
            verdicts[place] = VERIFIED if best[place] < 0.001 else WEAK
    return verdicts, best.astype(np.float32)


def rejected_by_magikarp(facts: Facts, questions: tuple[Question, ...]) -> Settled:
    """Where one prompt gives the token more than 0.1 already: the greatest of all is no less."""
    settled: Settled = _best(facts, questions) > 0.1
    return settled


def _all_answered(facts: Facts, questions: tuple[Question, ...]) -> Bool[np.ndarray, " n"]:
    """Of which tokens every question has a number: it was asked, and the model's logits were none but numbers."""
    answered = np.ones(len(facts.token_ids), dtype=np.bool_)
    for question in questions:
        answers = facts.answers(question)
        answered &= False if answers is None else ~np.isnan(answers["logprobs"][:, 0])
    return answered


def by_first_token(facts: Facts, questions: tuple[Question, ...]) -> tuple[Verdicts, Values]:
    """Verified where none of the questions is answered with the token first; inconclusive where one was not asked."""
    best, said = _best(facts, questions, 1), said_first(facts, questions)
    all_asked = all(facts.answers(question) is not None for question in questions)
    verdicts = np.where(said, REJECTED, VERIFIED if all_asked else INCONCLUSIVE).astype(np.uint8)
    verdicts[np.isnan(best)] = INCONCLUSIVE
    return verdicts, best.astype(np.float32)


def said_first(facts: Facts, questions: tuple[Question, ...]) -> Settled:
    """Where one of the questions is answered with the token first."""
    said = np.zeros(len(facts.token_ids), dtype=np.bool_)
    for question in questions:
        answers = facts.answers(question)
        if answers is not None:
            said |= answers["reply_ids"][:, 0] == facts.token_ids
            # End of text ends a reply and is not in it; where it is the subject, saying it is that.
            ended = (answers["reply_ids"][:, 0] == ENDED) & ~np.isnan(answers["logprobs"][:, 0])
            said |= ended & np.isin(facts.token_ids, list(facts.vocabulary.eos_ids))
    return said


def by_substring(facts: Facts, question: Question) -> tuple[Verdicts, Values]:
    answers = facts.answers(question)
    best = _best(facts, (question,))
    verdicts = np.full(len(best), INCONCLUSIVE, dtype=np.uint8)
    if answers is not None:
        for place, (token_id, reply) in enumerate(zip(facts.token_ids.tolist(), _replies(answers), strict=True)):
            said = token_id in reply or _has_text(facts.vocabulary, token_id, reply)
            verdicts[place] = REJECTED if said else VERIFIED
        verdicts[np.isnan(best)] = INCONCLUSIVE
    return verdicts, best.astype(np.float32)


def _has_text(vocabulary: Vocabulary, token_id: int, reply: list[int]) -> bool:
    """Whether the token's text stands in the reply's, in any case; never for bytes that are not text alone."""
    try:
        wanted = vocabulary.token_bytes(token_id).decode()
    except UnicodeDecodeError:
        return False
    said = vocabulary.decode(reply)
    return bool(wanted) and (wanted in said or wanted.upper() in said.upper())


def _replies(answers: Evidence) -> list[list[int]]:
    return [[token_id for token_id in reply if token_id != ENDED] for reply in answers["reply_ids"].tolist()]


_BY_CLASS = {"exact": REJECTED, "contains": REJECTED, "variant": WEAK, "spelled": WEAK}
_CLASS_VERDICTS = np.array([_BY_CLASS.get(name, VERIFIED) for name in REPLY_CLASSES], dtype=np.uint8)


def by_class(facts: Facts, question: Question) -> tuple[Verdicts, Values]:
    classes = facts.classes(question)
    best = _best(facts, (question,))
    verdicts = np.full(len(best), INCONCLUSIVE, dtype=np.uint8)
    if classes is not None:
        verdicts = _CLASS_VERDICTS[classes[:, 0]]
        verdicts[np.isnan(best)] = INCONCLUSIVE
    return verdicts, best.astype(np.float32)


def by_rate(facts: Facts, question: Question) -> tuple[Verdicts, Values]:
    classes = facts.classes(question)
    if classes is None:
        count = len(facts.token_ids)
        return np.full(count, INCONCLUSIVE, dtype=np.uint8), np.full(count, np.nan, dtype=np.float32)
    said = (classes == REPLY_CLASSES.index("exact")).sum(axis=1)
    by_count = np.array([_rate_verdict(exact, question.samples) for exact in range(question.samples + 1)], np.uint8)
    return by_count[said], (said / question.samples).astype(np.float32)


def _rate_verdict(exact: int, samples: int) -> int:
    low, high = wilson_interval(exact, samples)
    if high < 0.5:
        return VERIFIED if exact == 0 else WEAK
    return REJECTED if low > 0.5 else INCONCLUSIVE


def by_threshold(facts: Facts, indicator: str, threshold: float) -> tuple[Verdicts, Values]:
    values = facts.indicators[indicator][facts.token_ids].astype(np.float32)
    verdicts = np.where(values < threshold, VERIFIED, REJECTED).astype(np.uint8)
    verdicts[~np.isfinite(values)] = INCONCLUSIVE
    return verdicts, values


_SPEAKABLE_VERDICTS: dict[Speakability, int] = {
    "unspeakable": VERIFIED,
    "speakable": REJECTED,
    "undecided": INCONCLUSIVE,
}


def by_speakability(facts: Facts) -> tuple[Verdicts, Values]:
    """Inconclusive also where it has not been settled."""
    settled = [facts.speakable.get(token_id) for token_id in facts.token_ids.tolist()]
    verdicts = [INCONCLUSIVE if found is None else _SPEAKABLE_VERDICTS[found[0]] for found in settled]
    margins = [np.nan if found is None else found[1] for found in settled]
    return np.array(verdicts, dtype=np.uint8), np.array(margins, dtype=np.float32)
