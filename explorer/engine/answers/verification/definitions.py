"""What a glitch token is, by each published definition: a named rule from evidence to a verdict.

Definitions differ by one to two orders of magnitude in how many tokens they call; so none is "the" definition,
and every verdict stands under its definition's name. All of them ask by id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from jaxtyping import Bool, Float

from explorer.base.plugins import find_plugins, problem
from explorer.base.records.repeat_back import Chat
from explorer.base.templates import SLOT, Template, find_template
from explorer.engine.answers.verification.judging import (
    Facts,
    Settled,
    Values,
    Verdicts,
    by_class,
    by_first_token,
    by_magikarp,
    by_rate,
    by_speakability,
    by_substring,
    by_threshold,
    rejected_by_magikarp,
    said_first,
)
from explorer.engine.answers.verification.questions import Question
from explorer.engine.core.knee import Knee, find_knee


@dataclass(frozen=True)
class Definition:
    """A named rule. `judge` gives a verdict and a value for each of the tokens in `Facts`."""

    name: str
    title: str
    """In a few words, for a column's head."""
    rule: str
    """The thresholds, in one sentence."""
    source: str
    value: str
    """What the number beside the verdict is."""
    questions: tuple[Question, ...]
    """What must be asked; none for rules on the weights alone."""
    judge: Callable[[Facts], tuple[Verdicts, Values]] = field(repr=False)
    settled: Callable[[Facts], Settled] | None = field(default=None, repr=False)
    """On which tokens the verdict is certain although some questions are `unanswered`: dearer ones need not be asked
    then, and the value is that of the prompts asked. None: every question is needed."""
    replies: Question | None = None
    """The question whose replies are counted by their class, where the rule looks at that."""

    def through(self, chat: Chat) -> Definition:
        """This definition, its questions asked with the chat template where there is one (`auto`) or without."""
        if chat == "auto":
            return self
        questions = {question.key: question.through(chat) for question in self.questions}

        def as_asked(facts: Facts) -> Facts:
            found = {key: facts.evidence.get(question.key) for key, question in questions.items()}
            known = {key: evidence for key, evidence in found.items() if evidence is not None}
            return replace(
                facts,
                evidence=known,
                reencodes=lambda question, token_id: facts.reencodes(question.through(chat), token_id),
            )

        judge, settled = self.judge, self.settled
        return replace(
            self,
            questions=tuple(questions.values()),
            judge=lambda facts: judge(as_asked(facts)),
            settled=None if settled is None else lambda facts: settled(as_asked(facts)),
            replies=None if self.replies is None else self.replies.through(chat),
        )


# ── the published forms ──────────────────────────────────────────────────────────────────────────────────

_RELEASED_FORM = Template(
    name="magikarp-101-repeats",
    question=find_template("magikarp-repeats").question.replace(SLOT * 50, SLOT * 101),
    window=3, raw_only=True, max_new_tokens=3,
    source="the code of 'Fishing for Magikarp': 50 pairs and one more",
)  # fmt: skip

SHOTS = Question(find_template("magikarp-20-shot"), 3)
DIALOGUE = Question(find_template("magikarp-dialogue"), 3)
REPEATS = Question(find_template("magikarp-repeats"), 3)
RELEASED_REPEATS = Question(_RELEASED_FORM, 3)
MINER = Question(find_template("glitchminer"), 1)
MINER_QUESTION = Question(find_template("glitchminer-question"), 1)
SUBSTRING = Question(find_template("substring"), 10)
PLAIN = Question(find_template("repeat-1"), 16)


# ── the definitions ──────────────────────────────────────────────────────────────────────────────────────

_FISHING = "Land & Bartolo, 'Fishing for Magikarp', arXiv 2405.05417"
_MINER_PAPER = "Wu et al., 'GlitchMiner', arXiv 2410.15052"
_MAGIKARP = (SHOTS, DIALOGUE, REPEATS)
_RELEASED = (SHOTS, DIALOGUE, RELEASED_REPEATS)
_STRICT = (MINER, DIALOGUE, MINER_QUESTION)
_MAGIKARP_RULE = (
    "greatest P(token) over three prompts and three greedy places: above 0.1 rejected, below 0.001 verified, weak "
    "between; inconclusive where no prompt's text is tokenised to the same ids"
)


def magikarp() -> Definition:
    """The verification of the paper: 20-shot device, 'edslfkj' dialogue and 50 repeats, the id put into the slots.

    The greatest P(token) over the prompts and three greedy reply places. Above 0.9 strongly and above 0.1 weakly
    rejected (both `rejected`; the value tells which), below 0.001 strongly verified (`verified`), between them weakly
    verified (`weak`); `inconclusive` where encoding fails: no prompt's text is tokenised to the ids the model read;
    and where a prompt does not fit the model's context, unless the others reject already: the maximum is not known.

    The released code differs. It writes 50 pairs of repeats and one more, 101 in all (`magikarp-released`). It
    calls encoding failed where the re-encoded text has the id nowhere; and it looks for tokens with such trouble
    only after the rejections, as here. It stops at the end of text, as here.
    """
    return Definition(
        "magikarp", "magikarp", _MAGIKARP_RULE, _FISHING, "greatest P(token)", _MAGIKARP,
        lambda facts: by_magikarp(facts, _MAGIKARP), lambda facts: rejected_by_magikarp(facts, _MAGIKARP),
    )  # fmt: skip


def magikarp_released() -> Definition:
    """`magikarp` with the 101 repeats that its released code writes."""
    return Definition(
        "magikarp-released", "magikarp, 101 repeats", _MAGIKARP_RULE + " (101 repeats)", _FISHING + ", its code",
        "greatest P(token)", _RELEASED,
        lambda facts: by_magikarp(facts, _RELEASED), lambda facts: rejected_by_magikarp(facts, _RELEASED),
    )  # fmt: skip


def glitchminer() -> Definition:
    """Glitch where the model, in the middle of ` Sure, the string is: "«`, would not write the token next."""
    return Definition(
        "glitchminer", "GlitchMiner", "verified where the likeliest next token is not the token", _MINER_PAPER,
        "P(token)", (MINER,), lambda facts: by_first_token(facts, (MINER,)),
    )  # fmt: skip


def glitchminer_strict() -> Definition:
    """GlitchMiner's strict check: glitch only where all of three forms fail.

    The released code writes the dialogue through the model's chat template; here it is the plain form of
    "Fishing for Magikarp", which the others share.
    """
    return Definition(
        "glitchminer-strict", "GlitchMiner, strict", "verified where the likeliest next token is not the token in any "
        "of three forms", _MINER_PAPER, "greatest P(token)", _STRICT,
        lambda facts: by_first_token(facts, _STRICT), lambda facts: said_first(facts, _STRICT),
    )  # fmt: skip


def substring() -> Definition:
    """GlitchProber's: glitch where the string is not in ten greedy tokens.

    As in its released code, the case of letters does not count. Tokens that are not text by themselves are
    looked for by id.
    """
    return Definition(
        "substring", "substring", "verified where the string is absent from ten greedy tokens",
        "Zhang et al., 'GlitchProber', arXiv 2408.04905", "greatest P(token)", (SUBSTRING,),
        lambda facts: by_substring(facts, SUBSTRING),
    )  # fmt: skip


def plain() -> Definition:
    """The explorer's own: 'Please can you repeat back the string …', answered greedily, by the class of the reply."""
    return Definition(
        "plain", "plain question", "rejected where the reply is or contains the token, weak where it is a variant or "
        "spelled out, else verified", "the classes of replies are our own; the question: Rumbelow & Watkins, 2023",
        "greatest P(token)", (PLAIN,), lambda facts: by_class(facts, PLAIN), replies=PLAIN,
    )  # fmt: skip


def sampled(samples: int, seed: int) -> Definition:
    """The plain question `samples` times at temperature 0.7 and top-p 0.95, by the Wilson interval of exact replies."""
    question = Question(PLAIN.template, PLAIN.tokens, samples, temperature=0.7, top_p=0.95, seed=seed)
    return Definition(
        "sampled", f"{samples} samples", f"of {samples} replies at T 0.7, top-p 0.95: verified where none is exact, "
        "weak where few are and the 95 % Wilson interval is below one half, rejected where it is above, "
        "else inconclusive",
        "E. B. Wilson, JASA 22, 1927", "share of exact replies", (question,), lambda facts: by_rate(facts, question),
        replies=question,
    )  # fmt: skip


SPEAKABILITY = "speakability"


def speakability() -> Definition:
    """Glitch where it is proved that no x the final norm can deliver makes the token the argmax."""
    return Definition(
        SPEAKABILITY, "unspeakable", "verified where it is proved unspeakable (ball, with bias, final norm folded), "
        "rejected where an x at which it wins is known, inconclusive where undecided or not proved yet",
        "after 'A mechanistic explanation for SolidGoldMagikarp-like tokens in GPT2'", "margin of the proof", (),
        by_speakability,
    )  # fmt: skip


KNEE_INDICATORS = (
    "input_norm", "unused_cosine_distance", "unused_cosine_distance_centred", "unused_cosine_distance_no_pc1",
    "unused_l2_distance",
)  # fmt: skip
"""Indicators whose low values are suspicious in every model; the side of the others depends on how it was trained."""


def geometric(indicator: str, knee: Knee) -> Definition:
    """An indicator below its knee, where that lies in this model (`core.knee`)."""
    return Definition(
        f"geometric:{indicator}", indicator, f"verified where {indicator} is below {knee.threshold:.4g}: {knee.rule}",
        "indicators of 'Fishing for Magikarp'; the knee is our own", indicator, (),
        lambda facts: by_threshold(facts, indicator, knee.threshold),
    )  # fmt: skip


def all_definitions(
    indicators: Mapping[str, Float[np.ndarray, " vocab"]],
    counted: Bool[np.ndarray, " vocab"],
    samples: int = 8,
    seed: int = 0,
    default: str = "",
) -> dict[str, Definition]:
    """Every definition by name, in column order; the geometric ones of the indicators that the model has.

    `counted`: the tokens among which a knee is looked for, ordinary text. `default`: the indicator that the model's
    table is sorted by, which has a definition too.
    """
    found = [magikarp(), magikarp_released(), glitchminer(), glitchminer_strict(), substring(), plain()]
    found += [sampled(samples, seed), speakability()]
    for name in dict.fromkeys((*KNEE_INDICATORS, default)):
        if name in indicators:
            column = indicators[name]
            found.append(geometric(name, find_knee(column[counted & np.isfinite(column)].astype(np.float64))))
    ours = {definition.name: definition for definition in found}
    return ours | {definition.name: definition for definition in added_definitions()[0] if definition.name not in ours}


@cache
def added_definitions() -> tuple[tuple[Definition, ...], tuple[str, ...]]:
    """The definitions of other packages, and what was wrong with those left out, one line each."""
    found = find_plugins("definitions")
    definitions, problems = [], list(found.problems)
    for offered in found.offered:
        if isinstance(offered.thing, Definition):
            definitions.append(offered.thing)
        else:
            wrong = TypeError(f"{type(offered.thing).__name__} is not a Definition")
            problems.append(problem(offered.name, offered.package, wrong))
    return tuple(definitions), tuple(problems)
