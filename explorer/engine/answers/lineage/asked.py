"""Which tokens a child and a candidate are asked about, which outputs count, and what both models say."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int64

from explorer.base.records.lineage import FEWEST, FindLineage
from explorer.base.records.record import Progress
from explorer.base.records.repeat_back import Chat
from explorer.base.records.vocabulary import TWIN
from explorer.base.templates import Template
from explorer.engine.answers.reference import LOOKS_TRAINED
from explorer.engine.answers.vocabulary import Read, unsuspected, zoo_name
from explorer.engine.behaviour.batching import rows_at_once
from explorer.engine.behaviour.prompts import check_context, fill_template
from explorer.engine.control import stop_if_cancelled
from explorer.engine.models.abilities import GeneratesReplies
from explorer.engine.models.hearing import heard_inside
from explorer.engine.models.prediction import Wanted
from explorer.tables.table import set_aside

SUSPECTED = 2_000
"""Tokens of a candidate that are looked through for some that the child has too."""

LOOK = 8_192
"""Tokens from one look to the next whether the request was cancelled."""
_ROWS = 16
"""Prompts at once: whole distributions are read of each, a quarter of a second on two cores for 50,000 tokens."""


@dataclass(frozen=True)
class Known:
    """A model, and what is known of its tokens."""

    name: str
    model: GeneratesReplies
    never: frozenset[int]
    """Tokens that its training never showed, as far as is known."""
    alike: frozenset[int]
    """Of these, tokens with identical rows: a model answers them alike, so that they tell nothing."""
    certain: bool
    """Whether that is known of every token (a zoo card), and not only suspected."""
    suspects: tuple[int, ...]
    """Ordinary tokens by an indicator, those that look least trained first."""
    unfit: frozenset[int]
    """Tokens that are no output to compare: never trained, special, padding."""
    ordinary: Bool[np.ndarray, " vocab"]
    """Tokens that are ordinary for sure."""

    @cached_property
    def telling(self) -> frozenset[int]:
        """Tokens that were never trained, and that the model does not answer alike."""
        return self.never - self.alike

    def find(self, token: bytes) -> int | None:
        """The id of a token by its exact bytes."""
        return self.model.vocabulary.find(token)


def know(name: str, model: GeneratesReplies, read: Read, indicator: str = "") -> Known:
    """What the zoo card, or else the reference tokens that look untrained, say of a model; `indicator` tells the
    suspects, the default one where none is named."""
    columns = read.columns
    withheld = columns.flags.get("withheld")
    certain = withheld is not None and zoo_name(model.info.source) is not None
    if withheld is not None and certain:
        never = frozenset(np.flatnonzero(withheld).tolist())
    else:
        never = frozenset(each.token_id for each in read.sent.unused if LOOKS_TRAINED not in each.reason)
    aside = np.flatnonzero(set_aside(columns.categories, read.sent.unused)).tolist()
    little = columns.flags.get("under_trained", np.zeros(columns.vocab_size, dtype=np.bool_))
    alike = frozenset(each.token_id for each in read.sent.unused if each.reason.startswith(TWIN))
    unfit = never | frozenset(aside) | frozenset(np.flatnonzero(little).tolist())
    return Known(name, model, never, alike, certain, _suspects(read, indicator), unfit, unsuspected(read))


def _suspects(read: Read, indicator: str) -> tuple[int, ...]:
    """The `SUSPECTED` candidates at the low end of an indicator; none where the model has none of that name."""
    columns = read.columns
    values = columns.indicators.get(indicator or read.sent.default_indicator)
    if values is None:
        return ()
    usable = columns.is_candidate & ~columns.is_reference
    values = np.where(usable, values, np.inf)
    order = np.argsort(values, kind="stable")[:SUSPECTED]
    return tuple(order[np.isfinite(values[order])].tolist())


@dataclass(frozen=True)
class Matter:
    """What one child and one candidate are compared on: the same tokens and outputs, as ids of each."""

    tokens: tuple[bytes, ...]
    candidate_tokens: tuple[int, ...]
    child_tokens: tuple[int, ...]
    candidate_outputs: Int64[np.ndarray, " outputs"]
    child_outputs: Int64[np.ndarray, " outputs"]


def choose_matter(candidate: Known, child: Known, request: FindLineage, named: Sequence[bytes]) -> Matter:
    """The tokens that were named, or by the seed some that neither was trained on, or, where an indicator was named or
    too few are known, those that look least trained in the candidate; each must be one token of both.

    Outputs are strings that are one token of both, without the tokens themselves and without any that was never
    trained: renaming those must not rename outputs.
    """
    shared = shared_tokens(candidate, child)
    if named:
        tokens = [token for token in dict.fromkeys(named) if token in shared]
    else:
        both = sorted(
            token for token, (one, other) in shared.items() if one in candidate.telling and untrained(child, other)
        )
        order = np.random.default_rng(request.seed).permutation(len(both))
        tokens = [both[place] for place in order[: request.count]]
        if request.indicator or len(both) < FEWEST:
            suspected = (candidate.model.vocabulary.token_bytes(each) for each in candidate.suspects)
            tokens = [token for token in suspected if token in shared][: request.count]
    places = [shared[token] for token in tokens]
    asked = {place[0] for place in places}
    outputs = [
        (one, other)
        for one, other in shared.values()
        if one not in candidate.unfit and other not in child.unfit and one not in asked
    ]
    pairs = np.array(sorted(outputs), dtype=np.int64).reshape(-1, 2)
    return Matter(
        tuple(tokens),
        tuple(one for one, _ in places),
        tuple(other for _, other in places),
        pairs[:, 0],
        pairs[:, 1],
    )


def untrained(model: Known, token_id: int) -> bool:
    """A model of which nothing is known is taken at its candidate's word: the null asks it of the candidate alone."""
    return not model.never or token_id in model.never


def shared_tokens(candidate: Known, child: Known) -> dict[bytes, tuple[int, int]]:
    """Each token that both have, by its bytes, as ids of the candidate and of the child."""
    one, other = candidate.model.vocabulary, child.model.vocabulary
    same = candidate.model.info.tokenizer_digest == child.model.info.tokenizer_digest
    size = min(one.size, one.tokenizer_size)
    shared: dict[bytes, tuple[int, int]] = {}
    for token_id in range(size):
        if token_id % LOOK == 0:
            stop_if_cancelled()
        token = one.token_bytes(token_id)
        found = token_id if same and token_id < other.size else other.find(token)
        if token and found is not None:
            shared.setdefault(token, (token_id, found))
    return shared


@dataclass
class Told:
    """What one model said in one format."""

    rows: dict[tuple[Template, tuple[int, ...]], Float32[np.ndarray, " vocab"]] = field(default_factory=dict)
    """By template and the ids in the slot."""
    bounded: bool = False
    """Whether some log-probabilities are only known to be at most so much."""


@dataclass
class Answers:
    """What one model says after prompts with tokens in their slot: asked once, whatever it is compared with."""

    known: Known
    chat: Chat
    told: Told = field(default_factory=Told)

    @property
    def bounded(self) -> bool:
        """Whether some log-probabilities are only known to be at most so much."""
        return self.told.bounded

    def ask(self, template: Template, slots: Sequence[tuple[int, ...]]) -> None:
        """Ask about what has not been asked."""
        new = [slot for slot in dict.fromkeys(slots) if (template, slot) not in self.told.rows]
        model = self.known.model
        prompts = [fill_template(model.vocabulary, template, slot, self.chat) for slot in new]
        for prompt in prompts:
            check_context(model, prompt, 1)
        rows = min(_ROWS, rows_at_once(max((len(prompt.ids) for prompt in prompts), default=1)))
        every = np.arange(model.info.vocab_size, dtype=np.int64)
        for first in range(0, len(new), rows):
            some = prompts[first : first + rows]
            stop_if_cancelled()
            targets = np.tile(every, (len(some), 1))
            with heard_inside(model):
                told = model.start([prompt.ids for prompt in some]).read(Wanted(targets=targets))
            self.told.bounded |= not bool(told.exact.all())
            for slot, logprobs, exact in zip(new[first : first + rows], told.logprobs, told.exact, strict=True):
                self.told.rows[template, slot] = np.where(exact, logprobs, np.float32(-np.inf))

    def rows(
        self, template: Template, slots: Sequence[tuple[int, ...]], outputs: Int64[np.ndarray, " outputs"]
    ) -> Float32[np.ndarray, "tokens outputs"]:
        """The log-probabilities of `outputs` after each slot. Whoever compares them comes by here for each prompt."""
        stop_if_cancelled()
        return np.stack([self.told.rows[template, slot][outputs] for slot in slots])


def ask_all(
    wanted: Sequence[tuple[Answers, Sequence[tuple[int, ...]]]], templates: Sequence[Template]
) -> Generator[Progress, None, None]:
    """Ask every model about its slots in every template; tells each prompt, after which the caller may stop."""
    done, total = 0, len(wanted) * len(templates)
    for answers, slots in wanted:
        for template in templates:
            answers.ask(template, slots)
            done += 1
            yield Progress(done=done, total=total, what=f"prompts of {answers.known.name}")


def other_spelling(known: Known, token_id: int) -> tuple[int, ...]:
    """Other ids that write the same bytes: the two parts of which the token is merged, or of which it can be put
    together; empty where there are none."""
    vocabulary = known.model.vocabulary
    if (parents := vocabulary.merge_parents(token_id)) is not None:
        return parents
    token = vocabulary.token_bytes(token_id)
    for cut in range(len(token) - 1, 0, -1):
        parts = vocabulary.find(token[:cut]), vocabulary.find(token[cut:])
        if parts[0] is not None and parts[1] is not None:
            return parts[0], parts[1]
    return ()
