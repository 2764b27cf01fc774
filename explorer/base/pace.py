"""How fast work goes and how long it will take: one rule for the bar, the panes and the command line."""

from __future__ import annotations

import time

import msgspec

from explorer.base.records.record import Progress

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


class CountClock:
    """Since when what a request counts has been counted: it may count several things one after the other, and what
    went before is no measure of the pace of the next."""

    def __init__(self) -> None:
        self.since = self._heard = time.monotonic()
        """On the monotonic clock."""
        self._done = 0

    def hear(self, part: Progress) -> None:
        """Take note of `part`: with fewer done than before, another count began when the last part came."""
        if part.done < self._done:
            self.since = self._heard
        self._done, self._heard = part.done, time.monotonic()


def known_now(before: Progress | None, part: Progress) -> Progress:
    """How far a request is after `part`: one that only says what is waited for leaves the rest as it was."""
    if part.what or before is None:
        return part
    return msgspec.structs.replace(before, waits=part.waits)


def count_words(part: Progress) -> str:
    """`7 of 24 tokens verified`; where nothing is counted, what is done, in words; what is waited for goes first."""
    if part.total:
        counted = f"{part.done:,} of {part.total:,} {part.what}"
    else:
        counted = f"{part.done:,} {part.what}" if part.done else part.what
    return ", ".join(filter(None, (part.waits, counted)))


def find_pace(part: Progress, elapsed: float = 0.0) -> tuple[float, float | None]:
    """How many are done in a second (0: not known), and the seconds left (None: not known).

    What the engine measured goes first: it knows what is dear and what is cheap. Without that, all that was done and
    was not on disk is divided by the `elapsed` seconds.
    """
    if part.rate > 0 or part.seconds_left is not None:
        return part.rate, part.seconds_left
    worked = part.done - part.reused
    if part.total <= 0 or worked <= 0 or elapsed <= 0:
        return 0.0, None
    rate = worked / elapsed
    return rate, max(0, part.total - part.done) / rate


def format_rate(rate: float, what: str = "") -> str:
    """`312/s`, `4.22/s`, `3.56/min`, `2/h`, with `what` `312 tokens/s`: in the unit in which it is at least 1, and
    never `0/s`."""
    counted = f" {what}" if what else ""
    for per, unit in ((1, "s"), (_MINUTE, "min"), (_HOUR, "h"), (_DAY, "d")):
        if rate * per >= 1 or unit == "d":
            number = rate * per
            return (f"{number:,.0f}" if number >= 100 else f"{number:.3g}") + f"{counted}/{unit}"
    raise AssertionError("the last unit takes every rate")


def format_duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 5 min`, `3 d 20 h`: two units at most, none of them smaller than matters."""
    if seconds < 1:
        return "<1 s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if round(seconds / _MINUTE) < 60:
        return f"{seconds / _MINUTE:.0f} min"
    if round(seconds / _HOUR) < 24:
        return _two_units(seconds, _HOUR, "h", _MINUTE, "min")
    return _two_units(seconds, _DAY, "d", _HOUR, "h")


def _two_units(seconds: float, big: int, big_name: str, small: int, small_name: str) -> str:
    """Rounded to the smaller unit, which is left out where it is 0."""
    whole, rest = divmod(round(seconds / small), big // small)
    return f"{whole:,} {big_name}" + (f" {rest} {small_name}" if rest else "")


def describe_pace(part: Progress, elapsed: float = 0.0) -> str:
    """`4.22/s, 12 min left`; empty where neither is known."""
    rate, left = find_pace(part, elapsed)
    words = [format_rate(rate)] if rate > 0 else []
    return ", ".join([*words, f"{format_duration(left)} left"] if left is not None else words)
