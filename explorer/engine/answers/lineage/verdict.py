"""From the rungs of all candidates of one child to a verdict each, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from explorer.base.records.lineage import FEWEST, FindLineage, LineagePair, Rung, Verdict
from explorer.engine.answers.lineage.rungs import Tested, interval
from explorer.engine.core.lineage import exact

LEVELS = ((0.6, "as near as a fine-tune"), (0.1, "as near as a shared initialisation or ancestor"), (-1.0, "weakly"))
"""Least mean r and what it is like. Taken from the zoo, and from one sibling: words for a level, no classification."""


def judge(candidates: Sequence[Tested], request: FindLineage) -> list[LineagePair]:
    """The candidates of one child, their p-values adjusted for each other by Holm's method."""
    leading = [_leading(tested) for tested in candidates]
    places = [place for place, (rung, _) in enumerate(leading) if rung is not None and rung.p is not None]
    adjusted = dict(zip(places, exact.holm([_p(leading[place][0]) for place in places]), strict=True))
    return [
        _word(tested, leading[place][0], adjusted.get(place), leading[place][1], request)
        for place, tested in enumerate(candidates)
    ]


def _leading(tested: Tested) -> tuple[Rung | None, str]:
    """The rung that gives the verdict; without one, why there is none."""
    tokens = len(tested.pair.matter.tokens)
    if tokens < FEWEST:
        least = f", and p cannot be below {exact.least_p(tokens):.2g}" if tokens else ""
        return None, f"{FEWEST} tokens or more are needed that are never trained and in both; there are {tokens}{least}"
    name = f"B1 {tested.pair.lead}" if tested.gate.passed else "B2 spelling"
    rung = tested.rung(name)
    if not tested.gate.passed and not tested.gate.may_lead:
        return None, f"the gate {tested.gate.words}: take tokens that were never trained"
    if rung is None or rung.p is None:
        said = rung.said if rung is not None else "it did not run"
        return None, f"{name}: {said}"
    return rung, ""


def _p(rung: Rung | None) -> float:
    assert rung is not None
    assert rung.p is not None
    return rung.p


def _word(tested: Tested, rung: Rung | None, holm: float | None, missing: str, request: FindLineage) -> LineagePair:
    pair, own = tested.pair, tested.own_r
    verdict: Verdict = "cannot tell"
    reason = missing
    mean = float(own.mean()) if len(own) else None
    if rung is not None and holm is not None:
        verdict = "related" if holm <= request.alpha else "none"
        level = "how near is not known" if mean is None else next(words for least, words in LEVELS if mean >= least)
        by = "" if tested.gate.passed else " by spelling-controlled differences, for the tokens leak"
        reason = f"{level}{by}" if verdict == "related" else f"not related to it{by}"
    low, high = interval(own, 0) if len(own) else (None, None)
    lead = tested.rung(f"B1 {pair.lead}")
    n = len(tested.matrix)
    own_similarity = np.diag(tested.matrix)
    others = (tested.matrix.sum(axis=0) - own_similarity) / max(1, n - 1)
    return LineagePair(
        child=pair.child.known.name,
        candidate=pair.candidate.known.name,
        verdict=verdict,
        reason=reason,
        r=mean,
        r_low=low,
        r_high=high,
        auc=exact.area_under_curve(tested.matrix) if n > 1 else None,
        z=None if lead is None else lead.z,
        p=None if rung is None else rung.p,
        p_holm=holm,
        rung="" if rung is None else rung.name,
        gate=tested.gate.words,
        tokens=len(pair.matter.tokens),
        outputs=len(pair.matter.candidate_outputs),
        token_bytes=tuple(token.hex() for token in pair.matter.tokens),
        own=tuple(own_similarity.tolist()),
        others=tuple(others.tolist()),
        rungs=tested.rungs,
        falling=tuple(exact.falling(tested.matrix, request.seed)),
    )
