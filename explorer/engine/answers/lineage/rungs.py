"""The ladder of tests of one pair, each with its null, and why one did not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from explorer.base.records.lineage import FEWEST, FindLineage, LineagePair, Rung
from explorer.base.templates import Template
from explorer.engine.answers.lineage.asked import Answers, Matter, other_spelling
from explorer.engine.core.lineage import exact
from explorer.engine.core.lineage.exact import Matrix
from explorer.engine.core.lineage.similarity import STATISTICS, paired_r

Answered = Float32[np.ndarray, "tokens outputs"]
LEAK = 0.01
"""p of a gate's test below which the tokens leak."""
RESAMPLES = 2_000
OTHERS = ("target", "top-20", "agreement")
"""Statistics told beside the leading one."""
_RENAMED = "which token's answer is compared with which"
_SIGNS = "the sign of each token's difference"
_TELLS_NOTHING = "the answers tell nothing: they do not depend on the token"
_NEEDS_WHOLE = "it needs whole distributions, and only the likeliest tokens are told"
_NO_SPELLING = "too few tokens have another spelling"


@dataclass(frozen=True)
class Pair:
    """A candidate and a child with what they are compared on."""

    candidate: Answers
    child: Answers
    matter: Matter
    references: Sequence[Answers]

    @property
    def lead(self) -> str:
        """The statistic that leads: r, where whole distributions are told."""
        return "top-20" if self.candidate.bounded or self.child.bounded else "r"


@dataclass(frozen=True)
class Gate:
    """Whether the permutation of B1 is valid for these tokens."""

    passed: bool
    words: str
    may_lead: bool
    """Where it failed: whether the spelling-controlled rung may give a verdict."""


@dataclass(frozen=True)
class Tested:
    """A pair with all that was found of it."""

    pair: Pair
    gate: Gate
    rungs: tuple[Rung, ...]
    matrix: Matrix
    """Of the leading statistic, summed over prompts in units of the null."""
    own_r: Float64[np.ndarray, " known"]
    """Of each token; empty where whole distributions are not told."""

    def rung(self, name: str) -> Rung | None:
        """The rung of that name."""
        return next((rung for rung in self.rungs if rung.name == name), None)


def try_rungs(pair: Pair, request: FindLineage) -> Tested:
    """All rungs of one pair."""
    own = _own_r(pair, request)
    if len(pair.matter.tokens) < 2 or not len(pair.matter.candidate_outputs):
        lacking = "tokens to ask about" if len(pair.matter.tokens) < 2 else "outputs that both have"
        nothing = Gate(False, f"not run: no {lacking}", may_lead=False)
        return Tested(pair, nothing, (), np.zeros((0, 0)), own)
    gate_rungs = tuple(_gate_rungs(pair, request))
    gate = _judge_gate(pair, gate_rungs)
    lead = summed(pair.lead, pair, request)
    rungs = [_permutation(f"B1 {pair.lead}", lead, request, float(own.mean()) if len(own) else None)]
    rungs += [_permutation(f"B1 {name}", summed(name, pair, request), request) for name in OTHERS if name != pair.lead]
    rungs += [*gate_rungs, _spelling_controlled(pair, request), *_reference_controlled(pair, own, request)]
    return Tested(pair, gate, tuple(rungs), lead, own)


def summed(name: str, pair: Pair, request: FindLineage) -> Matrix:
    """A statistic over all prompts, each in units of its own null; one permutation then stands for all of them."""
    n = len(pair.matter.tokens)
    parts = (STATISTICS[name](*_rows(pair, template)) for template in request.templates)
    return sum((exact.standardise(part) for part in parts), np.zeros((n, n)))


def interval(own: Float64[np.ndarray, " tokens"], seed: int) -> tuple[float, float]:
    """95 % interval of the mean by resampling tokens."""
    generator = np.random.default_rng(seed)
    means = own[generator.integers(0, len(own), (RESAMPLES, len(own)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def closer(judged: Sequence[LineagePair], tested: dict[tuple[str, str], Tested], request: FindLineage) -> Iterator[str]:
    """Of two candidates that a child is related to, the nearer one, by the signs of the differences token by token."""
    for child in request.children:
        related = [each for each in judged if each.child == child and each.verdict == "related"]
        for place, one in enumerate(related):
            for other in related[place + 1 :]:
                first, second = (tested[child, each.candidate] for each in (one, other))
                if (
                    first.pair.matter.tokens != second.pair.matter.tokens
                    or not len(first.own_r) == len(second.own_r) > 0
                ):
                    continue
                apart = first.own_r - second.own_r
                p = min(1.0, 2 * min(exact.flip_signs(apart, request.seed), exact.flip_signs(-apart, request.seed)))
                near, far = (one, other) if apart.mean() > 0 else (other, one)
                said = "nearer than" if p <= request.alpha else "not told apart from"
                yield f"{child}: {near.candidate} is {said} {far.candidate} (p {p:.2g}, {len(apart)} tokens)"


def _rows(pair: Pair, template: Template) -> tuple[Answered, Answered]:
    """What the candidate and the child say after the same tokens, over the same outputs."""
    matter = pair.matter
    return (
        pair.candidate.rows(template, [(each,) for each in matter.candidate_tokens], matter.candidate_outputs),
        pair.child.rows(template, [(each,) for each in matter.child_tokens], matter.child_outputs),
    )


def _own_r(pair: Pair, request: FindLineage) -> Float64[np.ndarray, " tokens"]:
    if len(pair.matter.tokens) < 2 or not len(pair.matter.candidate_outputs) or pair.lead != "r":
        return np.zeros(0)
    each = [paired_r(*_rows(pair, template)) for template in request.templates]
    mean: Float64[np.ndarray, " tokens"] = np.mean(each, axis=0)
    return mean


def _permutation(name: str, matrix: Matrix, request: FindLineage, effect: float | None = None) -> Rung:
    """Permutation and matching of one matrix; the p of both by Bonferroni."""
    permuted, matched = exact.permute(matrix, request.seed), exact.match(matrix, request.seed)
    n = len(matrix)
    if permuted is None or matched is None:
        return Rung(
            name=name, null=_RENAMED, tokens=n, said="the answers tell nothing: they do not depend on the token"
        )
    return Rung(
        name=name,
        null=_RENAMED,
        p=exact.combine(permuted.p, matched.p),
        z=permuted.z,
        effect=effect,
        fixed=matched.fixed,
        tokens=n,
    )


# ── the gate ──────────────────────────────────────────────────────────────────────────────────────────────


def _gate_rungs(pair: Pair, request: FindLineage) -> Iterator[Rung]:
    """Self-spelling: does the candidate answer a token as it answers the same string written with other ids? And its
    answers against those of strangers: both must be independent if the tokens were never trained."""
    slots = _spelled(pair)
    places = [place for place, ids in enumerate(slots) if ids]
    if len(places) < FEWEST:
        yield Rung(
            name="gate: spelling", null=_RENAMED, tokens=len(places), said="too few tokens have another spelling"
        )
    else:
        matrix = np.zeros((len(places), len(places)))
        outputs = pair.matter.candidate_outputs
        for template in request.templates:
            own = pair.candidate.rows(template, [(pair.matter.candidate_tokens[place],) for place in places], outputs)
            written = pair.candidate.rows(template, [slots[place] for place in places], outputs)
            matrix += exact.standardise(STATISTICS[pair.lead](own, written))
        yield _permutation("gate: spelling", matrix, request)
    for reference in pair.references:
        stranger = _against(reference, pair)
        if stranger is not None:
            yield _permutation(f"gate: {reference.known.name}", summed(pair.lead, stranger, request), request)


def _against(reference: Answers, pair: Pair) -> Pair | None:
    """The reference in the child's place, on the same tokens; None where it lacks some of them."""
    ids = [reference.known.find(token) for token in pair.matter.tokens]
    vocabulary = pair.candidate.known.model.vocabulary
    outputs = [
        (int(one), found)
        for one in pair.matter.candidate_outputs
        if (found := reference.known.find(vocabulary.token_bytes(int(one)))) is not None
        and found not in reference.known.unfit
    ]
    if None in ids or not outputs:
        return None
    both = np.array(outputs, dtype=np.int64)
    found_ids = tuple(token_id for token_id in ids if token_id is not None)
    matter = Matter(pair.matter.tokens, pair.matter.candidate_tokens, found_ids, both[:, 0], both[:, 1])
    return Pair(pair.candidate, reference, matter, ())


def _judge_gate(pair: Pair, rungs: Sequence[Rung]) -> Gate:
    """The zoo card first, then strangers; spelling tells of leaks where nothing is certain."""
    known = pair.candidate.known
    trained = sum(token_id not in known.never for token_id in pair.matter.candidate_tokens)
    if known.certain and trained:
        words = f"failed: {trained} of {len(pair.matter.tokens)} tokens were trained (zoo card)"
        return Gate(False, words, may_lead=False)
    strangers = [rung for rung in rungs if rung.name != "gate: spelling" and rung.p is not None and rung.p <= LEAK]
    if strangers:
        worst = strangers[0]
        name = worst.name.removeprefix("gate: ")
        return Gate(False, f"failed: {name}, a stranger, answers alike (z {worst.z:.1f}, p {worst.p:.2g})", False)
    spelling = next(rung for rung in rungs if rung.name == "gate: spelling")
    if not known.certain and spelling.p is not None and spelling.p <= LEAK:
        words = f"failed: the tokens leak, id and spelling are answered alike (z {spelling.z:.1f}, p {spelling.p:.2g})"
        return Gate(False, words, may_lead=True)
    sure = "never trained (zoo card)" if known.certain else f"spelling p {spelling.p:.2g}" if spelling.p else ""
    if not sure:
        return Gate(False, "failed: nothing tells whether the tokens were never trained", may_lead=False)
    strange = len(rungs) - 1
    controls = f", {strange} stranger{'s' * (strange > 1)} independent" if strange else ""
    return Gate(True, f"passed: {sure}{controls}", may_lead=True)


def _spelled(pair: Pair) -> list[tuple[int, ...]]:
    return [other_spelling(pair.candidate.known, token_id) for token_id in pair.matter.candidate_tokens]


# ── rungs for tokens that leak ────────────────────────────────────────────────────────────────────────────


def _spelling_controlled(pair: Pair, request: FindLineage) -> Rung:
    """B2: is the child nearer to the candidate's answer to the token than to that to its spelling?"""
    slots = _spelled(pair)
    places = [place for place, ids in enumerate(slots) if ids]
    if pair.lead != "r":
        return Rung(name="B2 spelling", null=_SIGNS, said=_NEEDS_WHOLE)
    if len(places) < FEWEST:
        return Rung(name="B2 spelling", null=_SIGNS, tokens=len(places), said=_NO_SPELLING)
    matter = pair.matter
    differences = []
    for template in request.templates:
        child = pair.child.rows(template, [(matter.child_tokens[place],) for place in places], matter.child_outputs)
        by_id, by_spelling = (
            pair.candidate.rows(template, each, matter.candidate_outputs)
            for each in (
                [(matter.candidate_tokens[place],) for place in places],
                [slots[place] for place in places],
            )
        )
        differences.append(paired_r(by_id, child) - paired_r(by_spelling, child))
    mean = np.mean(differences, axis=0)
    p = exact.flip_signs(mean, request.seed)
    return Rung(name="B2 spelling", null=_SIGNS, p=p, effect=float(mean.mean()), tokens=len(places))


def _reference_controlled(pair: Pair, own: Float64[np.ndarray, " known"], request: FindLineage) -> Iterator[Rung]:
    """B3: is the child nearer to the candidate than to strangers that speak as well?"""
    for reference in pair.references if len(own) else ():
        swapped = _against(reference, Pair(pair.child, reference, _turned(pair.matter), ()))
        if swapped is None:
            continue
        each = [paired_r(*_rows(swapped, template)) for template in request.templates]
        apart = own - np.mean(each, axis=0)
        yield Rung(
            name=f"B3 {reference.known.name}",
            null=_SIGNS,
            p=exact.flip_signs(apart, request.seed),
            effect=float(apart.mean()),
            tokens=len(apart),
        )


def _turned(matter: Matter) -> Matter:
    """With the child in the candidate's place."""
    return Matter(matter.tokens, matter.child_tokens, matter.child_tokens, matter.child_outputs, matter.child_outputs)
