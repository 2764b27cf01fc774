"""Colours of a map that stand for classes: a few named groups of tokens in place of numbers."""

from __future__ import annotations

from typing import Literal

from explorer.base.records.record import Record

MOST_CLASSES = 7
REST = 7
"""In place of a class: the tokens of the ground, which is drawn without a colour of its own."""

CLASSINGS: dict[str, str] = {
    "category": "whole tokens, special tokens, bytes, fragments, unreachable ones",
    "script": "writing system of the first letter",
    "flag": "reference tokens, and those that a list or a zoo card names",
    "space": "with or without a space in front",
    "verdict": "what the newest finished verification found, the worst of its definitions; verdict:NAME: by one",
    "speakability": "what proofs on this disk found",
    "cluster": "groups of tokens that stand apart on the plane",
}
"""What a map can be coloured by besides numbers, with its meaning."""
VERDICT_BY = "verdict:"
FROM_DISK = ("verdict", "speakability")
"""Colours that depend on what was asked before."""

ClassRule = Literal["rarest", "most above average"]
"""Which colour a cell with tokens of several classes has. `rarest`: of the class with the fewest tokens on the map, so
that a single one is seen among many others. `most above average`: of the class that exceeds its share of the whole map
by the most standard deviations."""


def is_classing(colour: str) -> bool:
    """Whether the name stands for classes, and not for an axis with numbers."""
    return colour in CLASSINGS or colour.startswith(VERDICT_BY)


class MapClass(Record, kw_only=True):
    name: str
    tokens: int
    """Of the whole map."""
    in_view: int | None = None
    """None: there is no window."""


class MapClasses(Record, kw_only=True):
    """What the colours of a map mean."""

    rule: ClassRule
    named: tuple[MapClass, ...]
    """At most 7; the place of each is its colour. Some may have no tokens."""
    rest: MapClass
    """The ground."""
    notes: tuple[str, ...] = ()

    @property
    def present(self) -> tuple[tuple[int, MapClass], ...]:
        """The classes that have tokens, each with its colour, the ground last."""
        every = (*enumerate(self.named), (REST, self.rest))
        return tuple((colour, found) for colour, found in every if found.tokens)

    def name_of(self, colour: int) -> str:
        """The class with that colour."""
        return self.rest.name if colour == REST else self.named[colour].name

    def problem(self) -> str:
        if len(self.named) > MOST_CLASSES:
            return f"{len(self.named)} classes have no colours: at most {MOST_CLASSES}"
        counts = [count for found in (*self.named, self.rest) for count in (found.tokens, found.in_view or 0)]
        return "a class has fewer than 0 tokens" if min(counts) < 0 else ""
