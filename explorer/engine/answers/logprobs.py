"""Next-token log-probabilities of the same targets after the same prompt, in several models side by side.

Models with different tokenizers are aligned by string: a target is a text (or a token's exact bytes), and each
model scores it with its own ids. Where that takes several ids, the log-probabilities of each given those
before it are added up (the product rule, by teacher forcing).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.base.records.logprobs import LogprobCell, LogprobColumn, LogprobTable, ReadLogprobs, TopToken
from explorer.base.records.record import Progress
from explorer.base.records.unions import Cancelled
from explorer.base.templates import SLOT
from explorer.engine.answers.holdings import Holdings
from explorer.engine.behaviour.batching import never
from explorer.engine.behaviour.errors import BehaviourError
from explorer.engine.behaviour.prompts import (
    Prompt,
    check_context,
    check_encodable,
    check_token_id,
    fill_template,
    fill_text,
    same_token,
    spell,
)
from explorer.engine.behaviour.spellings import add_further, first_ids
from explorer.engine.control import Control
from explorer.engine.models.abilities import running
from explorer.engine.models.prediction import Wanted
from explorer.engine.queue import Work

if TYPE_CHECKING:
    from explorer.engine.models.abilities import Continuation, PredictsTokens
    from explorer.engine.models.vocabulary import Vocabulary


@dataclass(frozen=True)
class _Target:
    """A row of the table: a typed text, or a token of the model at place `home`."""

    text: str
    home: int | None = None
    token_id: int = -1
    token_bytes: bytes = b""

    def ids_in(self, place: int, vocabulary: Vocabulary) -> tuple[int, ...]:
        """How the model at `place` writes it; empty where it cannot."""
        if self.home is None:
            return tuple(vocabulary.encode_segment(self.text))
        if place == self.home:
            return (self.token_id,)
        same = same_token(vocabulary, self.token_id, self.token_bytes)
        return spell(vocabulary, self.token_bytes) if same is None else (same,)


@dataclass(frozen=True)
class _Asked:
    """A model with the prompt as it reads it."""

    place: int
    name: str
    model: PredictsTokens
    prompt: Prompt
    slot_as_text: bool


def answer(engine: Holdings, request: ReadLogprobs, control: Control) -> Work:
    """A table of log-probabilities across models. Raises `ExplorerError` as `read_logprobs` does."""
    models = [running(engine.models.get(name)) for name in request.models]
    return (yield from read_logprobs(models, request, control.cancelled))


def read_logprobs(
    models: Sequence[PredictsTokens], request: ReadLogprobs, cancelled: Callable[[], bool] = never
) -> Generator[Progress, None, LogprobTable | Cancelled]:
    """One column a model, in the order of `request.models` (`models` are those models).

    The rows are the token itself where it `token_is_target`, and the typed targets; then, where none is typed or
    `top_of` names a model, that model's (or the first's) `top_k` likeliest tokens that are not among them. A
    target that a model cannot write at all has no ids there and log-probability −inf. On cancellation the
    finished columns are returned. Raises `BehaviourError` where the request makes no sense (before a model
    runs, but for a likeliest token that does not fit another model's context) and `ModelError` where a model fails.
    """
    home = _check_request(request)
    asked = _ask(models, request)
    targets = [*_token_target(models, request), *(_Target(text) for text in dict.fromkeys(request.targets))]
    for each in asked:
        _check_fits(each, [target.ids_in(each.place, each.model.vocabulary) for target in targets])
    columns: list[LogprobColumn] = []
    started: dict[int, Continuation] = {}
    if home is not None:
        if cancelled():
            return _partial(targets, columns)
        started[home] = _start(asked[home])
        targets += _likeliest(asked[home], started[home], request.top_k, targets)
    for each in asked:
        if cancelled():
            return _partial(targets, columns)
        decoding = started.pop(each.place) if each.place in started else _start(each)
        column = _column(each, decoding, targets, request.top_k, cancelled)
        if column is None:
            return _partial(targets, columns)
        columns.append(column)
        yield Progress(done=len(columns), total=len(asked), what="models")
    return LogprobTable(targets=tuple(target.text for target in targets), columns=tuple(columns))


def _token_target(models: Sequence[PredictsTokens], request: ReadLogprobs) -> list[_Target]:
    if not request.token_is_target or request.token_id is None:
        return []
    vocabulary = models[0].vocabulary
    check_token_id(vocabulary, request.token_id)
    return [_Target(vocabulary.text(request.token_id), 0, request.token_id, vocabulary.token_bytes(request.token_id))]


def _check_request(request: ReadLogprobs) -> int | None:
    """The place of the model whose likeliest tokens are targets, None where none is; raises `BehaviourError`."""
    if not request.models:
        raise BehaviourError("no model was named", "Load a model and name it.")
    if "" in request.targets:
        raise BehaviourError("a target is empty", "Type the text whose probability you want.")
    for target in request.targets:
        check_encodable(target)
    if request.top_k < 0:
        raise BehaviourError(f"the top {request.top_k} tokens were asked for", "Ask for 0 or more.")
    if request.top_of and request.top_of not in request.models:
        raise BehaviourError(
            f"{request.top_of} is not among the models asked", f"It is one of: {', '.join(request.models)}."
        )
    if not request.targets and not request.top_k:
        raise BehaviourError("there is no target", "Type a target, or ask for the top 1 or more tokens.")
    if request.targets and not request.top_of:
        return None
    return request.models.index(request.top_of) if request.top_of else 0


def _ask(models: Sequence[PredictsTokens], request: ReadLogprobs) -> list[_Asked]:
    """Each model's prompt, known to fit. The slot's token is the first model's id, elsewhere that of its bytes."""
    template = request.template
    if template is not None and request.token_id is None:
        raise BehaviourError(f"template {template.name!r} needs a token", "Choose a token for its slot.")
    has_slot = template is not None or SLOT in request.prompt
    asked = []
    for place, (name, model) in enumerate(zip(request.models, models, strict=True)):
        slot_ids: tuple[int, ...] | None = None
        as_text = False
        if has_slot and request.token_id is not None:
            slot_ids, as_text = _slot_ids(models, place, name, request.token_id)
        if template is not None:
            prompt = fill_template(model.vocabulary, template, slot_ids or (), request.chat)
        else:
            prompt = fill_text(model.vocabulary, request.prompt, slot_ids)
        check_context(model, prompt, 0)
        asked.append(_Asked(place, name, model, prompt, as_text))
    return asked


def _slot_ids(models: Sequence[PredictsTokens], place: int, name: str, token_id: int) -> tuple[tuple[int, ...], bool]:
    """The ids for the slot in the model at `place`, and whether they only spell the first model's token."""
    first, vocabulary = models[0].vocabulary, models[place].vocabulary
    check_token_id(first, token_id)
    if place == 0:
        return (token_id,), False
    token_bytes = first.token_bytes(token_id)
    same = same_token(vocabulary, token_id, token_bytes)
    if same is not None:
        return (same,), False
    spelled = spell(vocabulary, token_bytes)
    if not spelled:
        raise BehaviourError(
            f"{name} has no way to write the bytes {token_bytes.hex() or '(none)'} of token {token_id:,}",
            "Leave that model out, or choose another token.",
        )
    return spelled, True


def _start(asked: _Asked) -> Continuation:
    """The model with the prompt read."""
    return asked.model.start([asked.prompt.ids])


def _likeliest(asked: _Asked, decoding: Continuation, count: int, typed: Sequence[_Target]) -> list[_Target]:
    """The `count` likeliest tokens of a model as targets, without those that were typed."""
    vocabulary = asked.model.vocabulary
    known = {target.ids_in(asked.place, vocabulary) for target in typed}
    return [
        _Target(vocabulary.text(token_id), asked.place, token_id, vocabulary.token_bytes(token_id))
        for token_id in decoding.read(Wanted(top=count)).top_ids[0].tolist()
        if (token_id,) not in known
    ]


def _column(
    asked: _Asked,
    decoding: Continuation,
    targets: Sequence[_Target],
    count: int,
    cancelled: Callable[[], bool],
) -> LogprobColumn | None:
    """One model's answer with its `count` likeliest tokens; None where the user stopped it."""
    vocabulary = asked.model.vocabulary
    spellings = [target.ids_in(asked.place, vocabulary) for target in targets]
    _check_fits(asked, spellings)
    first = np.array([[ids[0] for ids in spellings if ids]], dtype=np.int64)
    told = decoding.read(Wanted(targets=first, ranks=True, top=count, entropy=True))
    sums = first_ids(spellings, told)
    if not add_further(asked.model, asked.prompt.ids, spellings, sums, cancelled):
        return None
    cells = tuple(
        LogprobCell(
            target=target.text,
            target_ids=ids,
            logprob=total.logprob,
            rank=total.rank if len(ids) == 1 else None,
            bound="exact" if total.exact else "at_most",
        )
        for target, ids, total in zip(targets, spellings, sums, strict=True)
    )
    top = tuple(
        TopToken(token=vocabulary.ref(token_id), logprob=logprob)
        for token_id, logprob in zip(told.top_ids[0].tolist(), told.top_logprobs[0].tolist(), strict=True)
    )
    return LogprobColumn(
        model=asked.name,
        prompt_ids=asked.prompt.ids,
        prompt=asked.prompt.text,
        slot_as_text=asked.slot_as_text,
        reencodes=asked.prompt.reencodes,
        entropy=None if told.entropy is None else float(told.entropy[0]),
        cells=cells,
        top=top,
    )


def _check_fits(asked: _Asked, spellings: Sequence[tuple[int, ...]]) -> None:
    check_context(asked.model, asked.prompt, max((len(ids) - 1 for ids in spellings), default=0))


def _partial(targets: Sequence[_Target], columns: Sequence[LogprobColumn]) -> Cancelled:
    return Cancelled(partial=LogprobTable(targets=tuple(target.text for target in targets), columns=tuple(columns)))
