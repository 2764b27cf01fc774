"""Top-token agreement, for comparison: "Model Provenance Testing for Large Language Models" (arXiv 2502.00706), as its
abstract describes it.

The candidate that agrees most often with the child about the likeliest next token is called its parent, if it beats
every other candidate and reference. On ordinary prompts strangers agree, too, the more the abler they are: it then
names whichever stranger is the nearest. So it stands beside the tests here and gives no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from explorer.base.records.lineage import FEWEST, FindLineage, Rung
from explorer.engine.answers.lineage.asked import Answers, Matter
from explorer.engine.answers.verification.controls import choose_controls
from explorer.engine.core.lineage.agreeing import beat_all
from explorer.engine.models.abilities import has_weights

NAME = "MPT agreement"
CALLED = 0.05
"""Its p below which a parent is called."""
_NULL = "two shares are equal (z test)"


@dataclass(frozen=True)
class Ordinary:
    """A child, its candidates and references with ordinary tokens that all of them have, as ids of each."""

    models: tuple[Answers, ...]
    """The child first."""
    tokens: tuple[tuple[int, ...], ...]
    said: str = ""
    """Why it is not asked."""

    def wanted(self) -> list[tuple[Answers, list[tuple[int, ...]]]]:
        """What each is to be asked about."""
        if self.said:
            return []
        return [(model, [(each,) for each in ids]) for model, ids in zip(self.models, self.tokens, strict=True)]

    def compare(self, request: FindLineage) -> dict[str, Rung]:
        """For each candidate how often it agrees with the child, once all has been asked."""
        if self.said:
            return {name: Rung(name=NAME, null=_NULL, said=self.said) for name in request.bases}
        said = [self._favourites(place, request) for place in range(len(self.models))]
        asked = len(said[0])
        shares = {
            model.known.name: sum(one == other for one, other in zip(said[0], each, strict=True)) / asked
            for model, each in zip(self.models[1:], said[1:], strict=True)
        }
        best = max(request.bases, key=lambda name: shares[name])
        p = beat_all(shares[best], [share for name, share in shares.items() if name != best], asked)
        return {name: _word(shares[name], p if name == best else None, asked, request) for name in request.bases}

    def _favourites(self, place: int, request: FindLineage) -> list[bytes]:
        """The bytes of the likeliest token after each prompt."""
        model, slots = self.models[place], [(each,) for each in self.tokens[place]]
        vocabulary = model.known.model.vocabulary
        every = np.arange(vocabulary.size)
        rows = [model.rows(template, slots, every).argmax(axis=1).tolist() for template in request.templates]
        return [vocabulary.token_bytes(token_id) for row in rows for token_id in row]


def choose_ordinary(
    child: str, request: FindLineage, answers: Mapping[str, Answers], matters: Mapping[str, Matter]
) -> Ordinary:
    """As many ordinary tokens as are asked about, like them; none of models that are not here, which would be asked
    twice as much."""
    names = dict.fromkeys((child, *request.bases, *request.references))
    models = tuple(answers[name] for name in names)
    if not all(has_weights(model.known.model) for model in models):
        return Ordinary(models, (), "not asked: some models are not here, and it needs as many prompts again")
    first = answers[request.bases[0]].known
    vocabulary, ids = first.model.vocabulary, np.array(matters[first.name].candidate_tokens, dtype=np.int64)
    drawn = choose_controls(vocabulary, ids, len(ids), request.seed, first.ordinary).tolist()
    found = [[model.known.find(vocabulary.token_bytes(each)) for model in models] for each in drawn]
    known = [tuple(each for each in row if each is not None) for row in found if None not in row]
    if len(known) < FEWEST:
        return Ordinary(models, (), f"{FEWEST} ordinary tokens are needed that all models have")
    return Ordinary(models, tuple(zip(*known, strict=True)))


def _word(share: float, p: float | None, asked: int, request: FindLineage) -> Rung:
    beside = f"{share:.0%} of {asked} prompts with ordinary tokens; strangers agree there, too: no verdict"
    if len({*request.bases, *request.references}) < 2:
        said = f"needs two models to compare; {beside}"
    elif p is None:
        said = f"another one agrees more often; {beside}"
    else:
        said = f"would {'call it the parent' if p <= CALLED else 'call none a parent'}; {beside}"
    return Rung(name=NAME, null=_NULL, p=p, effect=share, tokens=asked, said=said)
