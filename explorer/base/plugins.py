"""What other installed packages add, found by entry points. One that is broken is named and left out.

The groups: `glitch_explore.specs` (verbs: a `Spec` or several), `glitch_explore.indicators` and
`glitch_explore.definitions` (see `docs/plugins.md`). Reading them takes 10 to 30 ms, which the first paint
does not wait for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

Group = Literal["specs", "indicators", "definitions"]


@dataclass(frozen=True)
class Offered:
    """One thing that a package offers."""

    name: str
    """Of the entry point."""
    package: str
    thing: Any


@dataclass(frozen=True)
class Plugins:
    """What was found in one group."""

    offered: tuple[Offered, ...]
    problems: tuple[str, ...]
    """One line for each that was left out."""


@cache
def find_plugins(group: Group) -> Plugins:
    """Load everything that installed packages offer in `group`, once."""
    offered, problems = [], []
    for point in entry_points(group=f"glitch_explore.{group}"):
        try:
            offered.append(Offered(point.name, _package_of(point), point.load()))
        except Exception as error:  # another package's code: whatever is wrong with it must not end the program
            problems.append(problem(point.name, _package_of(point), error))
    return Plugins(tuple(offered), tuple(problems))


def problem(name: str, package: str, error: Exception) -> str:
    """Why something that a package offers was left out, one line."""
    said = (str(error).splitlines() or [""])[0]
    return f"plug-in {name} of {package} was left out: {type(error).__name__}: {said}"


def _package_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value.partition(".")[0]
