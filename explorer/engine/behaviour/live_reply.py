"""One reply while it grows: its ids, when it stops, and what the model thought of the subject on the way."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, NamedTuple

from explorer.base.records.repeat_back import Finish, Reply, ReplyPart
from explorer.base.reply_classes import Subject, classify, is_closed, loop_period
from explorer.engine.behaviour.prompts import Prompt
from explorer.engine.core.sampling import draws_of

if TYPE_CHECKING:
    from explorer.base.templates import Template
    from explorer.engine.models.vocabulary import Vocabulary

LOOP_TOKENS = 12
"""A reply is cut short only when its repetitions cover this many tokens: 'ha ha ha' may still go somewhere."""


class _Best(NamedTuple):
    """The greatest log-probability of the subject so far, and where it was."""

    logprob: float
    rank: int | None
    position: int
    exact: bool


class LiveReply:
    """A sample of one subject's reply, fed one id at a time until `finish` is set."""

    def __init__(
        self, vocabulary: Vocabulary, template: Template, subject: Subject, prompt: Prompt, sample: int, seed: int
    ) -> None:
        self.subject = subject
        self.prompt = prompt
        self.sample = sample
        self.draws = draws_of(seed, sample)
        self.finish: Finish | None = None
        self._vocabulary = vocabulary
        self._template = template
        self._ids: list[int] = []
        self._bytes = b""
        self._logprobs: list[float] = []
        self._best: _Best | None = None
        self._positions_seen = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def note_subject(self, logprob: float, rank: int | None, *, exact: bool = True) -> None:
        """Note what the model gives the subject's id at the position about to be filled."""
        position = self._positions_seen
        self._positions_seen += 1
        if self._template.window and position >= self._template.window:
            return
        if self._best is None or logprob > self._best.logprob:
            self._best = _Best(logprob, rank, position, exact)

    def take(self, token_id: int, logprob: float, max_new_tokens: int) -> ReplyPart | None:
        """Append the chosen id and set `finish` where the reply ends; None for an end-of-text id.

        End of text ends the reply and is no part of it, even where it is the subject: saying it and stopping
        are one act.
        """
        if token_id in self._vocabulary.eos_ids:
            self.finish = "eos"
            return None
        token_bytes = self._vocabulary.token_bytes(token_id)
        self._ids.append(token_id)
        self._bytes += token_bytes
        self._logprobs.append(logprob)
        if is_closed(self._ids, self._bytes, self.subject, self._template.closing):
            self.finish = "closing"
        elif loop_period(self._ids, least=LOOP_TOKENS) is not None:
            self.finish = "loop"
        elif len(self._ids) >= max_new_tokens:
            self.finish = "length"
        # A character may be spread over several tokens: it is shown with the one that completes it.
        text = self._decoder.decode(token_bytes, final=self.finish is not None)
        return ReplyPart(
            subject=self.subject.token_id, sample=self.sample, token_id=token_id, text=text, logprob=logprob
        )

    def reply(self) -> Reply:
        """What came, as a record; an unfinished reply counts as cancelled, and never as exact."""
        finish = self.finish or "cancelled"
        outcome = classify(self._ids, self._bytes, self.subject, self._template)
        if finish == "cancelled" and outcome == "exact":
            outcome = "contains"  # the token was said; whether nothing else would follow is not known
        best = self._best
        return Reply(
            sample=self.sample,
            reply_ids=tuple(self._ids),
            reply=self._bytes.decode("utf-8", "replace"),
            outcome=outcome,
            finish=finish,
            token_logprob=None if best is None else best.logprob,
            token_rank=None if best is None else best.rank,
            token_position=None if best is None else best.position,
            logprobs=tuple(self._logprobs),
            token_bound="exact" if best is None or best.exact else "at_most",
        )
