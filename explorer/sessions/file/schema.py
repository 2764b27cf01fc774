"""The JSON Schema of a session file's lines, made from the records themselves."""

from __future__ import annotations

from typing import Any

import msgspec

from explorer.base.records.unions import Step
from explorer.sessions.file.form import FORMAT, Header
from explorer.specs.registry import REGISTRY

NOT_FINITE = ("inf", "-inf", "nan")
"""How numbers are written that JSON has no word for."""
_DEFS = "#/$defs/"


def session_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one line: the first is a `Header`, every other one a `Step`.

    Keys that a record does not name are allowed: a later program of the same format may add some.
    """
    _, parts = msgspec.json.schema_components((Header, Step), ref_template=_DEFS + "{name}")
    recorded = _without({name: _with_not_finite(part) for name, part in parts.items()}, _unrecorded())
    reachable = _reachable(recorded)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of a glitch-explore session, format {FORMAT}",
        "description": "JSON Lines. The first line is a Header, every further one a Step, in the order answered.",
        "oneOf": [{"$ref": "#/$defs/Header"}, {"$ref": "#/$defs/Step"}],
        "$defs": {name: part for name, part in recorded.items() if name in reachable},
    }


def _reachable(parts: dict[str, Any]) -> set[str]:
    """The names of the parts that a header or a step may hold."""
    found: set[str] = set()
    waiting = ["Header", "Step"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _names_in(parts[name])
    return found


def _names_in(part: Any) -> list[str]:
    """The names of the parts that a part refers to."""
    if isinstance(part, str):
        return [part.removeprefix(_DEFS)] if part.startswith(_DEFS) else []
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [name for item in inner for name in _names_in(item)]


def _with_not_finite(part: Any) -> Any:
    """`part` with every number also allowed as one of the words for what is not finite."""
    if isinstance(part, list):
        return [_with_not_finite(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "number":
        return {"anyOf": [part, {"enum": list(NOT_FINITE)}]}
    return {name: _with_not_finite(value) for name, value in part.items()}


def _unrecorded() -> frozenset[str]:
    """References to the requests and outcomes that never stand in a file."""
    kinds = (kind for spec in REGISTRY.specs if not spec.recorded for kind in (spec.request, spec.outcome))
    return frozenset(f"{_DEFS}{kind.__name__}" for kind in kinds)


def _without(part: Any, refs: frozenset[str]) -> Any:
    """`part` without the alternatives that refer to one of `refs`."""
    if isinstance(part, list):
        return [_without(item, refs) for item in part if not (isinstance(item, dict) and item.get("$ref") in refs)]
    if not isinstance(part, dict):
        return part
    return {
        name: {kind: ref for kind, ref in value.items() if ref not in refs}
        if name == "mapping" and isinstance(value, dict)
        else _without(value, refs)
        for name, value in part.items()
    }
