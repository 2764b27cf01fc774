"""The walk over two answers side by side: the first place where they differ, in words.

Numbers that follow from others are held to what those leave open. A rank is the same where the log-probability is
the very same, and else as near as the tolerance may have shifted it; a picture's points lie as they lay, but for a
turn or a flip of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from explorer.base.records.inspect import PublishedFact
from explorer.base.records.record import Record
from explorer.specs.comparing.wording import said

if TYPE_CHECKING:
    from explorer.specs.comparing.agreement import Tolerance

_FOLLOWS = frozenset({"rank", "token_rank", "token_position", "x", "y"})
"""Looked at beside what they follow from."""
_OF_THE_MACHINE = frozenset({"memory_bytes", "answered", "reused", "tokens_per_second"})
_LOGPROBS = frozenset({"logprob", "token_logprob", "logprobs", "entropy"})
_TOKENS_PER_NAT = 8.0
"""Ranks grow by less than e^8 a nat where tokens lie densest, with room to spare."""


class Walk(msgspec.Struct, frozen=True):
    """How two answers are compared."""

    tolerance: Tolerance
    names: Mapping[str, str] = msgspec.field(default_factory=dict)
    """A model's name in the first answer → in the second; one that is not there is the same in both."""

    def difference(self, recorded: Any, live: Any, path: str = "") -> str:
        """The first place where two answers differ, in words; empty where they agree."""
        if isinstance(recorded, msgspec.Struct):
            return self._of_records(recorded, live, path)
        if isinstance(recorded, dict) and isinstance(live, dict):
            if recorded.keys() != live.keys():
                return said(path, ", ".join(recorded), ", ".join(live))
            found = (self.difference(value, live[name], _join(path, name)) for name, value in recorded.items())
            return next(filter(None, found), "")
        if isinstance(recorded, tuple) and isinstance(live, tuple):
            return self._of_sequences(recorded, live, path)
        return "" if self._same(recorded, live, path) else said(path, recorded, live)

    def _of_records(self, recorded: msgspec.Struct, live: Any, path: str) -> str:
        if type(recorded) is not type(live):
            return said(path or "outcome", recorded, live)
        for name in recorded.__struct_fields__:
            if name in _FOLLOWS or name in _OF_THE_MACHINE:
                continue
            was, came = getattr(recorded, name), getattr(live, name)
            if name == "model" and not isinstance(recorded, PublishedFact):  # a list speaks of models by its own names
                was = self.names.get(was, was)
            if difference := self.difference(was, came, _join(path, name)):
                return difference
        return self._of_followers(recorded, live, path)

    def _of_followers(self, recorded: msgspec.Struct, live: Any, path: str) -> str:
        """What follows from a log-probability: a rank, and the place where it was the greatest."""
        if not isinstance(recorded, Record) or not recorded.rank_follows:
            return ""
        rank, logprob, *places = recorded.rank_follows
        same = getattr(recorded, logprob) == getattr(live, logprob)
        for place in places:
            was, came = getattr(recorded, place), getattr(live, place)
            if was != came:  # another place, nearly as probable, has another rank
                return said(_join(path, place), was, came) if same else ""
        return self._of_ranks(rank, recorded, live, same, path)

    def _of_ranks(self, name: str, recorded: msgspec.Struct, live: Any, same: bool, path: str) -> str:
        was, came = getattr(recorded, name), getattr(live, name)
        if was == came:
            return ""
        if same or was is None or came is None or min(was, came) < 0:
            return said(_join(path, name), was, came)
        low, high = sorted((was, came))
        room = math.exp(_TOKENS_PER_NAT * self.tolerance.logprob)
        is_near = high - low == 1 or (1 + high) <= (1 + low) * room
        return "" if is_near else said(_join(path, name), was, came)

    def _of_sequences(self, recorded: Any, live: Any, path: str) -> str:
        if len(recorded) != len(live):
            return said(path, f"{len(recorded)} entries", f"{len(live)}")
        if recorded and isinstance(recorded[0], Record) and recorded[0].ordered_by:
            return self._of_rankings(recorded, live, path, recorded[0].ordered_by)
        if recorded and isinstance(recorded[0], int):
            return "" if recorded == live else said(path, recorded, live)
        pairs = enumerate(zip(recorded, live, strict=True), start=1)
        return next(filter(None, (self.difference(was, came, f"{path} {place}") for place, (was, came) in pairs)), "")

    def _of_rankings(self, recorded: Any, live: Any, path: str, ordered_by: str) -> str:
        """Two lists in the order of a number: near ties may have swapped places, or fallen off the end."""
        value_of = attrgetter(ordered_by)
        by_id = {entry.token.token_id: entry for entry in live}
        for place, (was, came) in enumerate(zip(recorded, live, strict=True), start=1):
            name = f"{path} {place} {ordered_by}"
            if not self._same(value_of(was), value_of(came), name):
                return said(name, value_of(was), value_of(came))
            same = by_id.get(was.token.token_id)
            if same is None:
                if not self._same(value_of(was), value_of(live[-1]), name):
                    return said(f"{path} {place}", was.token.text, came.token.text)
            elif difference := self.difference(was, same, f"{path} {place}"):
                return difference
        return ""

    def _same(self, recorded: Any, live: Any, path: str) -> bool:
        if recorded == live or not isinstance(recorded, float | int) or not isinstance(live, float | int):
            return bool(recorded == live)
        if isinstance(recorded, int) and isinstance(live, int):
            return False
        if math.isnan(recorded) or math.isnan(live):
            return math.isnan(recorded) and math.isnan(live)
        if any(word in _LOGPROBS for word in path.replace(".", " ").split()):
            return abs(recorded - live) <= self.tolerance.logprob
        relative = self.tolerance.relative
        return math.isclose(recorded, live, rel_tol=relative, abs_tol=relative * 1e-2)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
