"""What is told of children that are related to a base, after all verdicts: more is asked of them alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from explorer.base.records.lineage import FindLineage, Lineage
from explorer.base.records.lineage_children import Bifurcation, Collapse
from explorer.engine.answers.lineage.asked import Answers
from explorer.engine.answers.lineage.bifurcation import Triple, find_bifurcation, plan_bifurcations
from explorer.engine.answers.lineage.rungs import Tested
from explorer.engine.answers.lineage.surer import Contrast, find_collapse, plan_collapses


@dataclass(frozen=True)
class Plan:
    """What is to be found of related children, or why it is not."""

    bifurcations: tuple[Bifurcation | Triple, ...]
    collapses: tuple[Collapse | Contrast, ...]

    def wanted(self) -> list[tuple[Answers, list[tuple[int, ...]]]]:
        """What each model is to be asked about."""
        slots: dict[str, tuple[Answers, dict[tuple[int, ...], None]]] = {}
        for each in (*self.bifurcations, *self.collapses):
            for model, some in each.wanted() if isinstance(each, Triple | Contrast) else ():
                slots.setdefault(model.known.name, (model, {}))[1].update(dict.fromkeys(some))
        return [(model, list(some)) for model, some in slots.values()]

    def finish(self, lineage: Lineage, request: FindLineage) -> Lineage:
        """The lineage with all that was found, once all has been asked."""
        return msgspec.structs.replace(
            lineage,
            bifurcations=tuple(
                find_bifurcation(each, request) if isinstance(each, Triple) else each for each in self.bifurcations
            ),
            collapses=tuple(
                find_collapse(each, request) if isinstance(each, Contrast) else each for each in self.collapses
            ),
        )


def plan_children(lineage: Lineage, tested: Mapping[tuple[str, str], Tested], request: FindLineage) -> Plan:
    """What is worth asking of the children, by their verdicts."""
    return Plan(
        tuple(plan_bifurcations(lineage.pairs, tested, request)), tuple(plan_collapses(lineage.pairs, tested, request))
    )
