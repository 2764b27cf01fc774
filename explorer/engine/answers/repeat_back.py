"""Asking a model to say a token, many times at once, and streaming what it says.

A generator that yields each token of each reply as the model produces it and returns the result. It looks at a
plain `cancelled` before every call of the model and then returns what there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from explorer.base.errors import UsageError
from explorer.base.records.record import Progress
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, TokenReplies
from explorer.base.records.unions import AnyPart, Cancelled
from explorer.base.reply_classes import Subject
from explorer.base.shares import wilson_interval
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.vocabulary import unsuspected
from explorer.engine.behaviour.batching import never, rows_at_once
from explorer.engine.behaviour.controls import draw_controls
from explorer.engine.behaviour.live_reply import LiveReply
from explorer.engine.behaviour.prompts import Prompt, build_prompt, check_context
from explorer.engine.control import Control
from explorer.engine.models.abilities import running
from explorer.engine.models.prediction import UNKNOWN, Choice, Wanted
from explorer.engine.queue import Work

if TYPE_CHECKING:
    from explorer.engine.models.abilities import Continuation, GeneratesReplies
    from explorer.engine.models.vocabulary import Vocabulary


@dataclass(frozen=True)
class Asked:
    """One token, the prompt that asks for it, and the replies begun so far."""

    subject: Subject
    prompt: Prompt
    replies: list[LiveReply] = field(default_factory=list)


def answer(engine: Holdings, request: RepeatBack, control: Control) -> Work:
    """Every reply of a model that is asked for one token. Raises `ExplorerError` as `repeat_back` does."""
    model = running(engine.models.get(request.model))
    trained = None
    if request.controls:
        trained = unsuspected((yield from engine.vocabularies.read(model, None)))
    return (yield from repeat_back(model, request, control.cancelled, trained))


def repeat_back(
    model: GeneratesReplies,
    request: RepeatBack,
    cancelled: Callable[[], bool] = never,
    trained: npt.NDArray[np.bool_] | None = None,
) -> Generator[AnyPart, None, RepeatBackResult | Cancelled]:
    """Ask `model` for the request's token, then for its controls; return every reply with its class.

    Greedy decoding (temperature 0) gives one reply whatever `samples` says: more would be copies, and an
    interval made of copies would lie. On cancellation the replies not begun are left out and the
    unfinished ones say so. `trained` [vocab] tells which tokens may be controls. Raises `UsageError` or
    `BehaviourError` before the model runs where the request makes no sense, `ModelError` where the model fails.
    """
    check_request(request)
    asked = _ask(model, request, trained)
    samples = request.samples if request.temperature > 0 else 1
    waiting = _samples_in_order(model.vocabulary, request, asked, samples)
    batch = rows_at_once(max(len(each.prompt.ids) for each in asked) + _length(request))
    done = 0
    while rows := list(islice(waiting, batch)):
        if cancelled():
            return Cancelled(partial=_result(model.vocabulary, request, asked))
        for probe, reply in rows:
            probe.replies.append(reply)
        completed = yield from _run_batch(model, request, [reply for _, reply in rows], cancelled)
        if not completed:
            return Cancelled(partial=_result(model.vocabulary, request, asked))
        done += len(rows)
        yield Progress(done=done, total=samples * len(asked), what="replies")
    return _result(model.vocabulary, request, asked)


def check_request(request: RepeatBack) -> None:
    """Raise `UsageError` for numbers that ask for nothing sensible, whatever the model."""
    if request.samples < 1:
        raise UsageError(f"{request.samples} samples were asked for", "Ask for 1 or more.")
    if not 0 <= request.temperature < math.inf:
        raise UsageError(f"temperature {request.temperature:g} is not possible", "Use 0 (greedy) or more.")
    if not 0 < request.top_p <= 1:
        raise UsageError(f"top-p {request.top_p:g} is not possible", "Use more than 0 and at most 1.")
    if _length(request) < 1:
        raise UsageError(f"a reply of {_length(request)} tokens was asked for", "Ask for 1 or more.")
    if request.controls < 0:
        raise UsageError(f"{request.controls} controls were asked for", "Ask for 0 or more.")


def _length(request: RepeatBack) -> int:
    return request.template.max_new_tokens if request.max_new_tokens is None else request.max_new_tokens


def _ask(model: GeneratesReplies, request: RepeatBack, trained: npt.NDArray[np.bool_] | None) -> list[Asked]:
    """The prompts of the subject and of its controls, in that order, all known to fit."""
    vocabulary = model.vocabulary
    prompts = {request.token_id: build_prompt(vocabulary, request.template, request.token_id, request.chat)}
    for control in draw_controls(vocabulary, request.token_id, request.controls, request.seed, trained):
        prompts[control] = build_prompt(vocabulary, request.template, control, request.chat)
    for prompt in prompts.values():
        check_context(model, prompt, _length(request))
    return [
        Asked(Subject(token_id, vocabulary.token_bytes(token_id), token_id in vocabulary.special_ids), prompt)
        for token_id, prompt in prompts.items()
    ]


def _samples_in_order(
    vocabulary: Vocabulary, request: RepeatBack, asked: Sequence[Asked], samples: int
) -> Iterator[tuple[Asked, LiveReply]]:
    """Every reply to be generated: all samples of the subject, then those of each control. Made when needed."""
    for probe in asked:
        for sample in range(samples):
            yield (
                probe,
                LiveReply(vocabulary, request.template, probe.subject, probe.prompt, sample, request.seed),
            )


def _run_batch(
    model: GeneratesReplies, request: RepeatBack, rows: Sequence[LiveReply], cancelled: Callable[[], bool]
) -> Generator[AnyPart, None, bool]:
    """Continue all `rows` until each has finished (True) or the user stops (False)."""
    decoding = model.start([row.prompt.ids for row in rows])
    next_ids = [0] * len(rows)  # a finished row is fed its last id; nobody reads what comes of it
    while True:
        live = [index for index, row in enumerate(rows) if row.finish is None]
        chosen, logprobs = _choose(decoding, live, [rows[index] for index in live], request)
        for index, token_id, logprob in zip(live, chosen, logprobs, strict=True):
            next_ids[index] = token_id
            part = rows[index].take(token_id, logprob, _length(request))
            if part is not None:
                yield part
        if all(row.finish is not None for row in rows):
            return True
        if cancelled():
            return False
        decoding.push(next_ids)


def _choose(
    decoding: Continuation, places: Sequence[int], live: Sequence[LiveReply], request: RepeatBack
) -> tuple[list[int], list[float]]:
    """The next id of each live row with its log-probability at temperature 1; each row notes its subject's."""
    draws = [row.draws.random() for row in live] if request.temperature > 0 else []
    told = decoding.read(
        Wanted(
            rows=places,
            targets=np.array([[row.subject.token_id] for row in live], dtype=np.int64),
            ranks=True,
            choice=Choice(request.temperature, request.top_p, draws),
        )
    )
    assert told.chosen is not None, "a choice was wanted"
    assert told.chosen_logprobs is not None
    for row, logprob, exact, rank in zip(
        live, told.logprobs[:, 0].tolist(), told.exact[:, 0].tolist(), told.ranks[:, 0].tolist(), strict=True
    ):
        row.note_subject(logprob, None if rank == UNKNOWN else rank, exact=exact)
    return told.chosen.tolist(), told.chosen_logprobs.tolist()


def _result(vocabulary: Vocabulary, request: RepeatBack, asked: Sequence[Asked]) -> RepeatBackResult:
    probe, *controls = (_probe(vocabulary, each) for each in asked)
    return RepeatBackResult(model=request.model, template=request.template.name, probe=probe, controls=tuple(controls))


def _probe(vocabulary: Vocabulary, asked: Asked) -> TokenReplies:
    """The replies as a record; the share of exact ones is taken over the finished replies."""
    replies = tuple(live.reply() for live in asked.replies)
    exact = sum(reply.outcome == "exact" for reply in replies)
    finished = sum(reply.finish != "cancelled" for reply in replies)
    return TokenReplies(
        token=vocabulary.ref(asked.subject.token_id),
        prompt_ids=asked.prompt.ids,
        prompt=asked.prompt.text,
        slot_positions=asked.prompt.slot_positions,
        reencodes=asked.prompt.reencodes,
        replies=replies,
        exact=exact,
        interval=wilson_interval(exact, finished),
    )
