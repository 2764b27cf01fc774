"""What a verification will test, by which definitions, and what it found, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from explorer.base.errors import ExplorerError, UsageError
from explorer.base.records.speakability import ProveSpeakability, ReadCertificates, Speakability
from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.verification import VERDICTS, Verify
from explorer.engine.answers.speakability.answer import cache_folder as proofs_folder
from explorer.engine.answers.speakability.answer import read_certificates
from explorer.engine.answers.verification.asking import Asker
from explorer.engine.answers.verification.controls import choose_controls, silence
from explorer.engine.answers.verification.definitions import (
    SPEAKABILITY,
    Definition,
    added_definitions,
    all_definitions,
)
from explorer.engine.answers.verification.evidence_place import evidence_folder
from explorer.engine.answers.verification.judging import Facts
from explorer.engine.answers.verification.questions import REPLY_CLASSES, Question
from explorer.engine.answers.verification.sweep import Slab
from explorer.engine.answers.vocabulary import Read, unsuspected
from explorer.engine.behaviour.prompts import build_prompt
from explorer.engine.models.abilities import HasVocabulary, has_hidden, weights_of
from explorer.engine.models.errors import PromptError
from explorer.tables.filters import parse_filter

SPECIAL = CATEGORIES.index("special")
NOT_ASKED = VERDICTS.index("not asked")
CALLED = (VERDICTS.index("verified"), VERDICTS.index("weak"))
SLOW = ("sampled", "magikarp-released", SPEAKABILITY)
"""Definitions that are only used when named: they take long, or need a run of `ProveSpeakability` first."""


MOST_CONTROLS = 1000
NOT_PROVED = "speakability: no token is proved yet; prove them first: glitch-explore prove --all SOURCE"


@dataclass(frozen=True)
class Plan:
    """A checked `Verify`."""

    request: Verify
    model: HasVocabulary
    read: Read
    definitions: tuple[Definition, ...]
    questions: tuple[Question, ...]
    """What is asked of each token: all that the definitions need and the model's context holds."""
    token_ids: Int[np.ndarray, " n"]
    """In the order in which they are tested: the most suspicious first, or as named."""
    indicator: str
    notes: tuple[str, ...]
    folder: Path
    """Where this model's evidence is."""
    speakable: dict[int, tuple[Speakability, float]] = field(default_factory=dict)
    control_ids: Int[np.ndarray, " controls"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Ordinary tokens that are asked the same, before the others."""

    def undecided(self, slab: Slab, question: Question) -> Bool[np.ndarray, " n"]:
        """Of which tokens `question` must be asked: those with a definition that needs it and is not settled yet."""
        if not self.request.cascade:
            return np.ones(len(slab.token_ids), dtype=np.bool_)
        facts = self._facts(slab)
        needed = np.zeros(len(slab.token_ids), dtype=np.bool_)
        for definition in self.definitions:
            if question.key in {one.key for one in definition.questions}:
                needed |= True if definition.settled is None else ~definition.settled(facts)
        return needed

    def settled(self, definition: Definition, slab: Slab) -> Bool[np.ndarray, " n"]:
        """Which tokens' verdicts are certain although a question is missing; none where all questions are wanted."""
        if not self.request.cascade or definition.settled is None:
            return np.zeros(len(slab.token_ids), dtype=np.bool_)
        return definition.settled(self._facts(slab))

    def judge(self, slab: Slab, definitions: Sequence[Definition] | None = None) -> Judged:
        """The verdicts on a slab by `definitions` (None: all of the plan's)."""
        found = [self._judge(slab, definition) for definition in definitions or self.definitions]
        verdicts, values, replies = (np.stack(rows) for rows in zip(*found, strict=True))
        return Judged(verdicts, values, replies)

    def _judge(
        self, slab: Slab, definition: Definition
    ) -> tuple[UInt8[np.ndarray, " n"], Float[np.ndarray, " n"], Int[np.ndarray, " 3"]]:
        """By one definition; `not asked` where a question that it needs was not answered."""
        known = [slab.has[question.key] for question in definition.questions if question.key in slab.has]
        if all(each.all() for each in known):
            facts = self._facts(slab)
            return *definition.judge(facts), _count_replies(facts, definition.replies)
        whole = Judged.nothing(1, len(slab.token_ids))
        which = self.settled(definition, slab) | np.logical_and.reduce(known)
        verdicts, values, replies = self._judge(slab.only(which), definition)
        whole.verdicts[0, which], whole.values[0, which] = verdicts, values
        return whole.verdicts[0], whole.values[0], replies

    def _facts(self, slab: Slab) -> Facts:
        vocabulary = self.model.vocabulary

        def reencodes(question: Question, token_id: int) -> bool:
            return build_prompt(vocabulary, question.template, token_id, question.chat).reencodes

        return Facts(vocabulary, slab.token_ids, slab.evidence, self.read.columns.indicators, reencodes, self.speakable)


def _count_replies(facts: Facts, question: Question | None) -> Int[np.ndarray, " 3"]:
    """How many replies are exact, exact or with the token in them, and how many there are."""
    classes = None if question is None else facts.classes(question)
    if classes is None:
        return np.zeros(3, dtype=np.int64)
    exact, contains = classes == REPLY_CLASSES.index("exact"), classes == REPLY_CLASSES.index("contains")
    return np.array([exact.sum(), (exact | contains).sum(), classes.size], dtype=np.int64)


@dataclass(frozen=True)
class Judged:
    """Verdicts and their numbers, definition by definition."""

    verdicts: UInt8[np.ndarray, "definitions n"]
    values: Float[np.ndarray, "definitions n"]
    replies: Int[np.ndarray, "definitions 3"]
    """Exact, exact or with the token in them, all: of the definitions that look at what replies say."""

    @classmethod
    def nothing(cls, definitions: int, tokens: int) -> Judged:
        """Nothing judged yet."""
        return cls(
            np.full((definitions, tokens), NOT_ASKED, dtype=np.uint8),
            np.full((definitions, tokens), np.nan, dtype=np.float32),
            np.zeros((definitions, 3), dtype=np.int64),
        )

    def against(self, failing: Sequence[bool]) -> Judged:
        """These with the calls of the definitions whose controls fail made inconclusive."""
        return replace(self, verdicts=silence(self.verdicts, self.called(), failing))

    def called(self) -> Bool[np.ndarray, "definitions n"]:
        """Which tokens each definition calls, verified or weak."""
        return np.isin(self.verdicts, CALLED)

    def decided(self) -> Bool[np.ndarray, "definitions n"]:
        """On which tokens each definition has a verdict."""
        return self.verdicts < VERDICTS.index("inconclusive")


def make_plan(model: HasVocabulary, read: Read, request: Verify, cache: Path, speaking: Path | None = None) -> Plan:
    """Check `request` and find what it asks for. `speaking`: where proofs are kept on disk.

    Raises `ExplorerError` where it makes no sense of this model.
    """
    if not 1 <= request.samples <= 255:
        raise UsageError(f"{request.samples} samples were asked for", hint="Ask for 1 to 255.")
    if not 0 <= request.controls <= MOST_CONTROLS:
        raise UsageError(f"{request.controls} controls were asked for", hint=f"Ask for 0 to {MOST_CONTROLS}.")
    indicator = request.indicator or read.sent.default_indicator
    if indicator not in read.columns.indicators and (indicator or request.token_ids is None):
        raise UsageError(
            f"{model.info.name} has no indicator {indicator!r}", hint=f"It has: {', '.join(read.columns.indicators)}."
        )
    definitions = tuple(definition.through(request.chat) for definition in chosen_definitions(read, request))
    questions, notes = _questions(model, definitions)
    notes += added_definitions()[1]
    speakable: dict[int, tuple[Speakability, float]] = {}
    if any(definition.name == SPEAKABILITY for definition in definitions):
        speakable = _speakable(model, speaking or proofs_folder())
        notes += () if speakable else (NOT_PROVED,)
    token_ids = _tokens(read, request, indicator)
    return Plan(
        request=request,
        model=model,
        read=read,
        definitions=definitions,
        questions=questions,
        token_ids=token_ids,
        indicator=indicator,
        notes=notes,
        folder=evidence_folder(cache, model.info) if questions else cache,
        speakable=speakable,
        control_ids=choose_controls(
            model.vocabulary, token_ids, request.controls if questions else 0, request.seed, unsuspected(read)
        ),
    )


def chosen_definitions(read: Read, request: Verify) -> tuple[Definition, ...]:
    """Those that `request` names. Raises `UsageError` for a name that is none."""
    default = f"geometric:{read.sent.default_indicator}"
    known = all_definitions(
        read.columns.indicators, read.columns.is_candidate, request.samples, request.seed, read.sent.default_indicator
    )
    if not request.definitions:
        return tuple(definition for name, definition in known.items() if name not in SLOW)
    chosen: dict[str, Definition] = {}
    for name in request.definitions:
        wanted = default if name == "geometric" else name
        if wanted == "all":
            chosen |= known
        elif wanted in known:
            chosen[wanted] = known[wanted]
        else:
            raise UsageError(f"no definition is called {name!r}", hint=f"There are: {', '.join(known)}, all.")
    return tuple(chosen.values())


def _questions(model: HasVocabulary, definitions: Sequence[Definition]) -> tuple[tuple[Question, ...], tuple[str, ...]]:
    """Each question once; those that cannot be asked of this model are left out and said."""
    wanted = {question.key: question for definition in definitions for question in definition.questions}
    fitting: list[Question] = []
    notes: list[str] = []
    failing: dict[str, list[str]] = {}
    for question in wanted.values():
        try:
            trouble = Asker(model, question).too_long()
        except PromptError as error:  # the chat template fails: what does not need it is asked all the same
            failing.setdefault(error.line, []).append(question.template.name)
            continue
        if trouble:
            notes.append(f"left out: {trouble}")
        else:
            fitting.append(question)
    notes += [f"left out: {', '.join(names)}: {why}" for why, names in failing.items()]
    return tuple(fitting), tuple(notes)


def _speakable(model: HasVocabulary, folder: Path) -> dict[int, tuple[Speakability, float]]:
    """What is on disk of the ball with the bias; of the raw rows where there is no final norm."""
    of = ProveSpeakability(model=model.info.name, mode="ball", bias=True, folded=has_hidden(model))
    rows = read_certificates(weights_of(model), ReadCertificates(of=of), folder).rows
    return {row.token.token_id: (row.verdict, row.margin) for row in rows}


def _tokens(read: Read, request: Verify, indicator: str) -> Int[np.ndarray, " n"]:
    columns = read.columns
    if request.token_ids is not None:
        ids = np.array(list(dict.fromkeys(request.token_ids)), dtype=np.int64)
        if len(ids) == 0 or ids.min() < 0 or ids.max() >= columns.vocab_size:
            raise ExplorerError(
                "no token was named" if len(ids) == 0 else "a token id is out of range",
                hint=f"Name ids from 0 to {columns.vocab_size - 1}.",
            )
        return ids
    values = columns.indicators[indicator]
    ids = np.flatnonzero(_chosen(read, request, values))
    if len(ids) == 0:
        raise ExplorerError("there is no token to test", hint=_NONE_LEFT)
    if request.random:
        ids = np.sort(np.random.default_rng(request.seed).choice(ids, min(request.random, len(ids)), replace=False))
    return ids[np.argsort(values[ids], kind="stable")].astype(np.int64)  # NaN last


_NONE_LEFT = "No token passes the filter, all are set aside (padding, special, reference), or none has a value."


def _chosen(read: Read, request: Verify, values: Float32[np.ndarray, " vocab"]) -> Bool[np.ndarray, " vocab"]:
    """Which tokens a request without ids is about.

    Padding never; special and reference tokens only where the filter names categories or the reference tokens; of a
    share, only the lowest candidates, which are of category `ok` ("Fishing for Magikarp" takes its 2 % of these too).
    """
    columns = read.columns
    given = parse_filter(request.where, columns.indicators)
    passing = given.mask(columns) & ~columns.is_padding
    if request.top_percent is None:
        return passing if given.names_kinds else passing & ~columns.set_aside
    if not 0 < request.top_percent <= 100:
        raise ExplorerError(f"{request.top_percent:g} % is not a share", hint="It must be above 0 and at most 100.")
    among = columns.is_candidate & np.isfinite(values)
    chosen: Bool[np.ndarray, " vocab"] = passing & lowest(values, among, request.top_percent)
    return chosen


def lowest(
    values: Float32[np.ndarray, " vocab"], among: Bool[np.ndarray, " vocab"], percent: float
) -> Bool[np.ndarray, " vocab"]:
    """The `percent` % of the tokens `among` that have the lowest values."""
    if not among.any():
        return among
    found: Bool[np.ndarray, " vocab"] = among & (values <= np.percentile(values[among], percent))
    return found
