"""What a step of a session is about, by the spec of its request: its token and rows, and the steps of one key press."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice

from explorer.base.records.record import Failure
from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import AnyRequest, Cancelled, Step
from explorer.specs.registry import spec_of

PRESS = 16
"""Requests that one press of a key sends, at most."""


def rows_in(step: Step) -> tuple[TokenRow, ...]:
    """What a step says of tokens: the rows of a table, of details, of the one that was asked about."""
    if isinstance(step.outcome, Failure | Cancelled):
        return ()
    rows: tuple[TokenRow, ...] = spec_of(step.request).rows(step.outcome)
    return rows


def subject_of(step: Step) -> TokenRow | None:
    """The token that a step is about, with as much as the step says of it."""
    row: TokenRow | None = spec_of(step.request).subject(step.request, step.outcome)
    return row


def press_of(session: Sequence[Step], places: Sequence[int], last: int) -> tuple[AnyRequest, ...]:
    """The request of the step at `last`, and those beside it that differ in the model or in the mode alone: one press
    of a key sent them. `places`: where steps of its kind stand, in order."""
    request = session[last].request
    press = spec_of(request).press
    if press is None:
        return (request,)
    own, common = press(request)
    asked, at = {own: request}, bisect_left(places, last)
    for beside in (islice(places, at + 1, at + PRESS), reversed(places[max(0, at - PRESS) : at])):
        for place in beside:
            other = session[place].request
            if type(other) is not type(request):
                break
            part, rest = press(other)
            if part in asked or rest != common:
                break
            asked[part] = other
    return tuple(asked.values())
