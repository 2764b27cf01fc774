"""Where two children of one base fell into two of its attractors; only for children that each are related to it by the
exact test, since a stranger's favourites can be attractors too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Int64

from explorer.base.records.lineage import FEWEST, FindLineage, LineagePair
from explorer.base.records.lineage_children import Bifurcation, Branch, Fork
from explorer.engine.answers.lineage.asked import Answers
from explorer.engine.answers.lineage.rungs import Tested
from explorer.engine.core.lineage.attractors import Bifurcated, Prompt, bifurcate

FORKS = 8
"""Cells that are told of two children, those first in which both are surest."""


@dataclass(frozen=True)
class Triple:
    """A base and two children with what all three have: tokens, and outputs, as ids of each."""

    models: tuple[Answers, Answers, Answers]
    tokens: tuple[tuple[int, ...], ...]
    outputs: tuple[Int64[np.ndarray, " outputs"], ...]

    def wanted(self) -> Iterator[tuple[Answers, list[tuple[int, ...]]]]:
        """What each must have been asked about."""
        for model, tokens in zip(self.models, self.tokens, strict=True):
            yield model, [(token_id,) for token_id in tokens]

    def prompts(self, request: FindLineage) -> list[Prompt]:
        """What each says in every prompt."""
        each = [
            [
                model.rows(template, slots, outputs)
                for (model, slots), outputs in zip(self.wanted(), self.outputs, strict=True)
            ]
            for template in request.templates
        ]
        return [(base, first, second) for base, first, second in each]


def plan_bifurcations(
    pairs: Sequence[LineagePair], tested: Mapping[tuple[str, str], Tested], request: FindLineage
) -> Iterator[Bifurcation | Triple]:
    """For every two children what is to be asked with each base that both passed the exact test with, or why not."""
    passed = {
        (pair.child, pair.candidate) for pair in pairs if pair.verdict == "related" and pair.rung.startswith("B1")
    }
    for children in combinations(dict.fromkeys(pair.child for pair in pairs), 2):
        bases = [base for base in request.bases if all((child, base) in passed for child in children)]
        if not bases:
            said = f"not asked: {children[0]} and {children[1]} are not both related to one base by the exact test"
            yield Bifurcation(base="", children=children, said=said)
        for base in bases:
            triple = _triple(tested[children[0], base], tested[children[1], base])
            problem = _problem(triple)
            yield Bifurcation(base=base, children=children, said=problem) if problem else triple


def find_bifurcation(triple: Triple, request: FindLineage) -> Bifurcation:
    """How often the children parted, once all has been asked."""
    prompts = triple.prompts(request)
    found = bifurcate(prompts, request.seed)
    base, first, second = (model.known.name for model in triple.models)
    return Bifurcation(
        base=base,
        children=(first, second),
        cells=found.apart.size,
        attractors=found.attractors,
        same=found.same,
        apart=int(found.apart.sum()),
        null=found.null,
        p=found.p,
        forks=tuple(_forks(triple, prompts, found, request)),
    )


def _triple(first: Tested, second: Tested) -> Triple:
    """The first child's tokens, as far as the second has them: the null asks only that the base never saw them."""
    one, other = first.pair, second.pair
    found = [other.child.known.find(token) for token in one.matter.tokens]
    places = [place for place, token_id in enumerate(found) if token_id is not None]
    base, ours, theirs = np.intersect1d(
        one.matter.candidate_outputs, other.matter.candidate_outputs, assume_unique=True, return_indices=True
    )
    return Triple(
        (one.candidate, one.child, other.child),
        (
            tuple(one.matter.candidate_tokens[place] for place in places),
            tuple(one.matter.child_tokens[place] for place in places),
            tuple(token_id for token_id in found if token_id is not None),
        ),
        (base, one.matter.child_outputs[ours], other.matter.child_outputs[theirs]),
    )


def _problem(triple: Triple) -> str:
    """Why these three are not compared; empty where they are."""
    _, first, second = triple.models
    if any(model.bounded for model in triple.models):
        return "not asked: it needs whole distributions, and only the likeliest tokens are told"
    if len({model.chat == "auto" and model.known.model.info.has_chat_template for model in (first, second)}) > 1:
        return "not asked: one child is asked in its chat format and the other is not, which parts favourites by itself"
    if len(triple.tokens[0]) < FEWEST or not len(triple.outputs[0]):
        return f"not asked: {FEWEST} tokens or more are needed that all three have"
    return ""


def _forks(triple: Triple, prompts: Sequence[Prompt], found: Bifurcated, request: FindLineage) -> Iterator[Fork]:
    """The cells in which the less sure of the two children is surest."""
    least = [np.minimum(first.max(axis=1), second.max(axis=1)) for _, first, second in prompts]
    cells = sorted(np.argwhere(found.apart).tolist(), key=lambda cell: -float(least[cell[0]][cell[1]]))
    base = triple.models[0].known.model.vocabulary
    for prompt, row in cells[:FORKS]:
        yield Fork(
            template=request.templates[prompt].name,
            token=base.ref(triple.tokens[0][row]),
            branches=(_branch(triple, prompts[prompt], row, 1), _branch(triple, prompts[prompt], row, 2)),
        )


def _branch(triple: Triple, prompt: Prompt, row: int, who: int) -> Branch:
    """What the first or the second child says, and what the base and the other child give it."""
    child, output = triple.models[who].known, int(prompt[who][row].argmax())
    return Branch(
        child=child.name,
        output=child.model.vocabulary.ref(int(triple.outputs[who][output])),
        logprob=float(prompt[who][row, output]),
        base_logprob=float(prompt[0][row, output]),
        sister_logprob=float(prompt[3 - who][row, output]),
    )
