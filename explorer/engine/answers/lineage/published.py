"""Judges published tables: one prompt, the child's favourite output, and what some bases give it.

Without the models there is no exact null. p says how far a base lies above a prediction interval of the others, whose
log-probabilities are taken to be normal; by rank alone it could not be below 1 in the number of bases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from explorer.base.records.lineage import Lineage
from explorer.base.records.lineage_tables import PublishedBase, PublishedLogprob, PublishedVerdict
from explorer.engine.behaviour.errors import BehaviourError
from explorer.engine.core.lineage.exact import holm
from explorer.engine.core.lineage.prediction import prediction_p

SUGGESTIVE = 0.05
"""Holm p below which a base is said to lead."""
LEAST = math.log(1e-3)
"""A base that gives the child's favourite less than 1 in 1,000 does not have it: a rule of thumb."""
FEWEST = 3
"""Bases without which there is no p: one, and two to tell a spread."""
Key = tuple[str, str, str]
"""Child, prompt and output."""


def judge_published(rows: Sequence[PublishedLogprob]) -> Lineage:
    """A verdict for each table. Raises `BehaviourError` where a table has fewer than two bases."""
    tables: dict[Key, dict[str, float]] = {}
    for row in rows:
        tables.setdefault((row.child, row.prompt, row.output), {})[row.model] = row.logprob
    bases = _find_bases(tables)
    verdicts = tuple(_judge(key, table, bases) for key, table in tables.items())
    return Lineage(pairs=(), favourites=(), published=verdicts, notes=tuple(_notes(verdicts)))


def _find_bases(tables: dict[Key, dict[str, float]]) -> frozenset[str]:
    """The models in every table, none of which is a child."""
    children = {child for child, _, _ in tables}
    return frozenset(set.intersection(*(set(table) for table in tables.values())) - children)


def _find_own(child: str, table: dict[str, float], bases: frozenset[str]) -> float | None:
    """The child's row; where none has its name, the only one that is no base (the posts name one child in two ways)."""
    rest = [name for name in table if name not in bases]
    return table.get(child, table[rest[0]] if len(rest) == 1 else None)


def _judge(key: Key, table: dict[str, float], bases: frozenset[str]) -> PublishedVerdict:
    child, prompt, output = key
    said = sorted(((table[base], base) for base in bases), reverse=True)
    if len(said) < 2:
        raise BehaviourError(
            f"the table of {child} has fewer than two bases that all tables have", "Give each child the same bases."
        )
    values = [logprob for logprob, _ in said]
    p_values = _prediction(values)
    adjusted = holm(p_values) if p_values else []
    found = tuple(
        PublishedBase(
            base=base,
            logprob=logprob,
            p=p_values[place] if p_values else None,
            p_holm=adjusted[place] if p_values else None,
        )
        for place, (logprob, base) in enumerate(said)
    )
    own, margin = _find_own(child, table, bases), values[0] - values[1]
    verdict, reason = _word(found, own, margin)
    return PublishedVerdict(
        child=child, prompt=prompt, output=output, own=own, verdict=verdict, reason=reason, best=found[0].base,
        margin=margin, bases=found,
    )  # fmt: skip


def _prediction(values: Sequence[float]) -> list[float]:
    if len(values) < FEWEST:
        return []
    each = [prediction_p(value, [*values[:place], *values[place + 1 :]]) for place, value in enumerate(values)]
    return [1.0 if p is None else p for p in each]


def _word(
    bases: Sequence[PublishedBase], own: float | None, margin: float
) -> tuple[Literal["leading", "none", "cannot tell"], str]:
    best = bases[0]
    if best.logprob < LEAST:
        said = "" if own is None else f" while the child gives it {own:.2f}"
        return "none", f"no base gives it 1 in 1,000: the best, {best.base}, gives it {best.logprob:.2f}{said}"
    ahead = f"{best.base} is ahead by {margin:.2f} nats ({math.exp(min(margin, 700.0)):.3g} times)"
    if best.p_holm is not None and best.p_holm <= SUGGESTIVE:
        return "leading", f"{ahead}: suggestive, but one prompt proves nothing"
    return "cannot tell", f"{ahead}: not decided by one prompt"


def _notes(verdicts: Sequence[PublishedVerdict]) -> Iterator[str]:
    leading = [each for each in verdicts if each.verdict == "leading"]
    for place, one in enumerate(leading):
        for other in leading[place + 1 :]:
            if (one.best, one.prompt) == (other.best, other.prompt) and one.output != other.output:
                yield (
                    f"{one.child} and {other.child} both lead to {one.best}, by different outputs of one prompt "
                    f"('{one.output}', '{other.output}'): two attractors of it, if it is their base"
                )
    least = 1 / max(len(each.bases) for each in verdicts)
    yield (
        f"p takes the other bases' log-probabilities to be normal; by rank alone it cannot be below {least:.2g}. "
        "There are no control prompts: an output may be what that base says more often anyway"
    )
