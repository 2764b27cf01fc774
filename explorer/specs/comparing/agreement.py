"""How two outcomes of one request compare, and under which circumstances. NumPy only where something is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Tolerance(msgspec.Struct, frozen=True):
    """How far apart two numbers may be."""

    logprob: float
    """Nats, for log-probabilities and entropies."""
    relative: float = 1e-4
    """Share of the larger one, for every other number."""


TOLERANCES: dict[str, Tolerance] = {
    "float32": Tolerance(logprob=1e-3),
    "float16": Tolerance(logprob=3e-2),
    "bfloat16": Tolerance(logprob=2.5e-1),
}
"""By dtype. A float32 logit of 20 is good to 2e-6, a float16 one to 8e-3, a bfloat16 one to 6e-2; sums in another
order (other threads, another device) multiply that."""


def loosest(dtypes: Sequence[str]) -> Tolerance:
    """The tolerance for answers in which models of these dtypes took part; an unknown dtype counts as float32."""
    known = [TOLERANCES.get(dtype, TOLERANCES["float32"]) for dtype in dtypes]
    return max(known, key=lambda tolerance: tolerance.logprob, default=TOLERANCES["float32"])


class Agreement(msgspec.Struct, frozen=True):
    """How two outcomes compare."""

    difference: str
    """The first difference, in words; empty where they agree."""
    how: str = ""
    """By what they agree or differ, where that is not plain equality ('two-sample test, p = 0.41')."""
    by_test: bool = False
    """Whether a two-sample test decided: nothing but counts was held against the live outcome."""


class Comparison(msgspec.Struct, frozen=True):
    """What two outcomes need not have in common."""

    tolerance: Tolerance = TOLERANCES["float32"]
    names: Mapping[str, str] = msgspec.field(default_factory=dict)
    """A model's name in the first → in the second; one that is not there is the same in both."""
    reproducible: bool = False
    """Whether a seed must give the same replies: same weights, dtype, device and libraries."""

    def difference(self, recorded: Any, live: Any, path: str = "") -> str:
        """The first place where two records differ, in words; empty where they agree."""
        from explorer.specs.comparing.walk import Walk  # the first paint does not wait for it

        return Walk(self.tolerance, self.names).difference(recorded, live, path)


def compare_plainly(request: Any, recorded: Any, live: Any, comparison: Comparison) -> Agreement:
    """Every field the same, numbers within the tolerance, ranks and near ties as far as that allows."""
    return Agreement(comparison.difference(recorded, live))
