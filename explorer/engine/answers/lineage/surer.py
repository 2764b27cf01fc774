"""Whether a child lost entropy after the tokens, beyond what it lost after ordinary ones (entropy collapse)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from explorer.base.records.lineage import FEWEST, FindLineage, LineagePair
from explorer.base.records.lineage_children import COLLAPSED, Collapse
from explorer.engine.answers.lineage.asked import Answers
from explorer.engine.answers.lineage.rungs import Tested
from explorer.engine.answers.verification.controls import choose_controls
from explorer.engine.core.lineage.collapse import Change, Said, compare_entropies

Slots = list[tuple[int, ...]]


@dataclass(frozen=True)
class Contrast:
    """A base and a child, with the tokens and as many ordinary ones as both have, as ids of each."""

    base: Answers
    child: Answers
    tokens: tuple[Slots, Slots]
    controls: tuple[Slots, Slots]

    def wanted(self) -> Iterator[tuple[Answers, Slots]]:
        """What each must have been asked about."""
        for place, model in enumerate((self.base, self.child)):
            yield model, self.tokens[place] + self.controls[place]

    def prompts(self, slots: tuple[Slots, Slots], request: FindLineage) -> list[tuple[Said, Said]]:
        """What both say in every prompt, of their whole vocabularies."""
        every = [np.arange(model.known.model.info.vocab_size) for model in (self.base, self.child)]
        return [
            (self.base.rows(template, slots[0], every[0]), self.child.rows(template, slots[1], every[1]))
            for template in request.templates
        ]


def plan_collapses(
    pairs: Sequence[LineagePair], tested: Mapping[tuple[str, str], Tested], request: FindLineage
) -> Iterator[Collapse | Contrast]:
    """What is to be asked of each child and what it is related to, or why not."""
    for pair in pairs:
        if pair.verdict != "related":
            continue
        of_pair = tested[pair.child, pair.candidate].pair
        contrast = _contrast(of_pair.candidate, of_pair.child, of_pair.matter.candidate_tokens,
                             of_pair.matter.child_tokens, request.seed)  # fmt: skip
        problem = _problem(contrast)
        yield Collapse(child=pair.child, base=pair.candidate, said=problem) if problem else contrast


def find_collapse(contrast: Contrast, request: FindLineage) -> Collapse:
    """How the entropies differ, once all has been asked."""
    found = compare_entropies(
        contrast.prompts(contrast.tokens, request), contrast.prompts(contrast.controls, request), request.seed
    )
    return Collapse(
        child=contrast.child.known.name,
        base=contrast.base.known.name,
        verdict=_verdict(found),
        tokens=found.tokens,
        controls=found.controls,
        low=found.low,
        high=found.high,
        sure_base=found.sure_base,
        sure_child=found.sure_child,
        counted=len(contrast.tokens[0]),
    )


def _contrast(
    base: Answers, child: Answers, base_tokens: Sequence[int], child_tokens: Sequence[int], seed: int
) -> Contrast:
    """Controls are like the tokens, ordinary for sure in the base, and one token of both."""
    vocabulary = base.known.model.vocabulary
    ids = np.array(base_tokens, dtype=np.int64)
    drawn = choose_controls(vocabulary, ids, len(ids), seed, base.known.ordinary).tolist()
    found = [(each, child.known.find(vocabulary.token_bytes(each))) for each in drawn]
    both = [(one, other) for one, other in found if other is not None and other not in child.known.unfit]
    return Contrast(
        base,
        child,
        ([(each,) for each in base_tokens], [(each,) for each in child_tokens]),
        ([(one,) for one, _ in both], [(other,) for _, other in both]),
    )


def _problem(contrast: Contrast) -> str:
    if contrast.base.bounded or contrast.child.bounded:
        return "not known: it needs whole distributions, and only the likeliest tokens are told"
    if min(len(contrast.tokens[0]), len(contrast.controls[0])) < FEWEST:
        return f"not known: {FEWEST} tokens and {FEWEST} ordinary ones are needed that both have"
    return ""


def _verdict(change: Change) -> Literal["collapse", "no collapse", "not decided"]:
    if change.high < -COLLAPSED:
        return "collapse"
    return "no collapse" if change.low > -COLLAPSED else "not decided"
