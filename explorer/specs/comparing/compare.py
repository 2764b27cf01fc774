"""Whether two answers to one request agree: exactly where they must, within a stated tolerance where they may.

Ids, texts, classes and digests must be equal. Log-probabilities may differ by the tolerance of the dtype, other
numbers by a relative one. Ranks follow from log-probabilities and may swap among near ties. What else a kind of
request leaves open, its spec says (`Spec.compare`).
"""

from __future__ import annotations

from explorer.base.records.record import Failure
from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.specs.comparing.agreement import Agreement, Comparison, compare_plainly
from explorer.specs.comparing.wording import said
from explorer.specs.registry import spec_of


def compare(request: AnyRequest, recorded: AnyOutcome, live: AnyOutcome, comparison: Comparison) -> Agreement:
    """Compare two outcomes of `request`, as the first was asked."""
    if isinstance(recorded, Failure) and isinstance(live, Failure):
        return Agreement("", "both failed")
    if type(recorded) is not type(live):
        return Agreement(said("outcome", recorded, live))
    spec = spec_of(request)
    compare_outcomes = spec.compare if isinstance(recorded, spec.outcome) else compare_plainly
    return compare_outcomes(request, recorded, live, comparison)
