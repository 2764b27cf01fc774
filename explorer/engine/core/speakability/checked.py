"""What the checker makes of proposals: verdicts, and searches that must go on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.proposals import Proposal, Search
from explorer.engine.core.speakability.questions import Settled, Weights, Witness

MOST_REFUSALS = 4

SettledTokens = list[Settled]


def check_witnesses(checker: Checker, tried: Sequence[tuple[int, Witness]]) -> SettledTokens:
    """Verdicts for those of the tried points at which the token does win."""
    leads = checker.margins([token_id for token_id, _ in tried], np.array([witness.x for _, witness in tried]))
    return [
        Settled(token_id, "speakable", float(lead), witness)
        for (token_id, witness), lead in zip(tried, leads, strict=True)
        if lead > 0
    ]


def check_proposals(checker: Checker, held: Sequence[tuple[Search, Proposal]]) -> tuple[SettledTokens, list[Search]]:
    """What the checker makes of the proposals: verdicts, and the searches that must go on."""
    points = [(made.token_id, claim) for _, made in held for claim in made.claims if isinstance(claim, Witness)]
    verdicts = {verdict.token_id: verdict for verdict in check_witnesses(checker, points)} if points else {}
    refused: list[Search] = []
    for search, made in held:
        if made.token_id in verdicts:
            continue
        shadowed = check_weights(checker, made.token_id, made.claims)
        if shadowed.answer == "unspeakable" or made.final or search.refusals >= MOST_REFUSALS:
            verdicts[made.token_id] = shadowed
        else:
            search.refusals += 1
            refused.append(search)
    return list(verdicts.values()), refused


def check_weights(checker: Checker, token_id: int, claims: Sequence[Witness | Weights]) -> Settled:
    """What the best of the weights among the claims proves: unspeakable, or a gap."""
    weights = [claim for claim in claims if isinstance(claim, Weights)]
    bounds = [checker.bound(token_id, claim) for claim in weights]
    best = min(range(len(bounds)), key=bounds.__getitem__, default=None)
    if best is not None and bounds[best] <= 0:
        return Settled(token_id, "unspeakable", bounds[best], weights[best])
    return Settled(token_id, "undecided", min(bounds, default=np.inf), None)
