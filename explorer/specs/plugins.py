"""Verbs of other installed packages: their specs are added to the registry, their records to what can be read."""

from __future__ import annotations

from functools import cache
from typing import Any

from explorer.base.plugins import Offered, find_plugins, problem
from explorer.base.records.kinds import add_kinds
from explorer.specs.registry import REGISTRY
from explorer.specs.spec import Spec


@cache
def add_plugins() -> tuple[str, ...]:
    """Add the verbs of every installed package, once; what was wrong with those left out, one line each."""
    found = find_plugins("specs")
    problems = [_add(offered) for offered in found.offered]
    return (*found.problems, *filter(None, problems))


def _add(offered: Offered) -> str:
    """Add what one entry point offers: a spec, or several of them. Why it was left out, or nothing."""
    specs: Any = offered.thing if isinstance(offered.thing, tuple | list) else (offered.thing,)
    try:
        for spec in specs:
            if not isinstance(spec, Spec):
                raise TypeError(f"{type(spec).__name__} is not an explorer.specs.spec.Spec")
            REGISTRY.add(spec)
            add_kinds(spec.request, spec.outcome, spec.parts)
    except Exception as error:  # another package's code: whatever is wrong with it must not end the program
        return problem(offered.name, offered.package, error)
    return ""
