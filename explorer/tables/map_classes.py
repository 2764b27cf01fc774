"""Classes of the tokens of a vocabulary, for the colours of a map. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.base.records.map_colours import MOST_CLASSES, REST, ClassRule, MapClass, MapClasses
from explorer.base.records.tokens import CATEGORIES
from explorer.tables.scripts import scripts_of_tokens
from explorer.tables.table import TokenColumns

Codes = npt.NDArray[np.uint8]
Flag = npt.NDArray[np.bool_]

OTHERS, NO_FLAG = "others", "no flag"


@dataclass(frozen=True)
class TokenClasses:
    """Which class each token is in."""

    rule: ClassRule
    names: tuple[str, ...]
    """At most 7, in the order of their colours."""
    rest: str
    codes: Codes
    """uint8 [vocab]: the place of the token's class in `names`, or `REST`."""
    notes: tuple[str, ...] = ()

    def counted(self, placed: Flag) -> MapClasses:
        """The classes with their tokens among `placed`, bool [vocab]."""
        counts = np.bincount(self.codes[placed], minlength=REST + 1).tolist()
        return MapClasses(
            rule=self.rule,
            named=tuple(MapClass(name=name, tokens=counts[place]) for place, name in enumerate(self.names)),
            rest=MapClass(name=self.rest, tokens=counts[REST]),
            notes=self.notes,
        )


def classes_of_columns(colour: str, columns: TokenColumns) -> TokenClasses | None:
    """The classes that the columns of the token table tell; None where `colour` is no such name."""
    made = {"category": _by_category, "script": _by_script, "flag": _by_flag, "space": _by_space}.get(colour)
    return None if made is None else made(columns)


def ground_commonest(
    names: Sequence[str], places: npt.NDArray[np.integer], rule: ClassRule = "rarest", notes: tuple[str, ...] = ()
) -> TokenClasses:
    """At most 8 classes, the commonest of them the ground; a class keeps its colour whatever the ground is.

    `places`: the place in `names` of each token's class, int [vocab].
    """
    counts = np.bincount(places, minlength=len(names))
    ground = int(counts.argmax())
    kept = [place for place in range(len(names)) if place != ground or len(names) <= MOST_CLASSES]
    colours = np.full(len(names), REST, dtype=np.uint8)
    colours[kept] = np.arange(len(kept))
    colours[ground] = REST
    return TokenClasses(rule, tuple(names[place] for place in kept), names[ground], colours[places], notes)


def ground_smallest(names: Sequence[str], places: npt.NDArray[np.integer], rule: ClassRule) -> TokenClasses:
    """The seven commonest classes, the most tokens first; all others are the ground."""
    counts = np.bincount(places, minlength=len(names))
    kept = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    colours = np.full(len(names), REST, dtype=np.uint8)
    colours[kept] = np.arange(len(kept))
    return TokenClasses(rule, tuple(names[place] for place in kept.tolist()), OTHERS, colours[places])


def classes_of_flags(flags: Mapping[str, Flag], vocab_size: int) -> TokenClasses:
    """A class for each flag, bool [vocab]; a token with several is in the one that fewest have."""
    places = np.full(vocab_size, len(flags), dtype=np.int64)
    for place in sorted(range(len(flags)), key=lambda place: -int(list(flags.values())[place].sum())):
        places[list(flags.values())[place]] = place
    return ground_commonest((*flags, NO_FLAG), places)


def _by_category(columns: TokenColumns) -> TokenClasses:
    return ground_commonest(CATEGORIES, columns.categories)


def _by_script(columns: TokenColumns) -> TokenClasses:
    return ground_smallest(*scripts_of_tokens(columns), "most above average")


def _by_flag(columns: TokenColumns) -> TokenClasses:
    flags = {"reference": columns.is_reference, **columns.flags}
    return classes_of_flags(dict(list(flags.items())[:MOST_CLASSES]), columns.vocab_size)


def _by_space(columns: TokenColumns) -> TokenClasses:
    spaced = np.array([string.startswith(" ") for string in columns.byte_strings], dtype=np.bool_)
    return ground_commonest(("space in front", "no space in front"), (~spaced).astype(np.int64), "most above average")
