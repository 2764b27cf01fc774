"""Which kinds of records there are when the program runs: the static unions, and what plug-ins add to them.

Frames and session lines are decoded by these; code that is checked by mypy speaks of the static unions.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, Union, cast

import msgspec

from explorer.base.records.record import Outcome, Record, Request
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest

Role = Literal["request", "outcome", "part"]
Format = Literal["json", "msgpack"]

_OURS: dict[Role, Any] = {"request": AnyRequest, "outcome": AnyOutcome, "part": AnyPart}
_added: dict[Role, list[type[Record]]] = {"request": [], "outcome": [], "part": []}


def add_kinds(request: type[Request], outcome: type[Outcome], parts: tuple[type[Record], ...] = ()) -> None:
    """Let requests, outcomes and parts of these kinds through. Adding a kind again does nothing."""
    for role, kinds in (("request", (request,)), ("outcome", (outcome,)), ("part", parts)):
        known = _added[cast(Role, role)]
        known += [kind for kind in kinds if kind not in known]
    _decoder.cache_clear()


def type_of(role: Role) -> Any:
    """The union of all kinds in that role."""
    return Union[(_OURS[role], *_added[role])]


@cache
def _decoder(role: Role, form: Format) -> msgspec.msgpack.Decoder[Any] | msgspec.json.Decoder[Any]:
    if form == "msgpack":
        return msgspec.msgpack.Decoder(type_of(role))
    return msgspec.json.Decoder(type_of(role), strict=False)


def decode_request(raw: msgspec.Raw | bytes, form: Format) -> AnyRequest:
    """The request in `raw`. Raises `msgspec.DecodeError`."""
    return cast(AnyRequest, _decoder("request", form).decode(raw))


def decode_outcome(raw: msgspec.Raw | bytes, form: Format) -> AnyOutcome:
    """The outcome in `raw`. Raises `msgspec.DecodeError`."""
    return cast(AnyOutcome, _decoder("outcome", form).decode(raw))


def decode_part(raw: msgspec.Raw | bytes, form: Format) -> AnyPart:
    """The part in `raw`. Raises `msgspec.DecodeError`."""
    return cast(AnyPart, _decoder("part", form).decode(raw))
