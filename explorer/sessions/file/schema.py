"""The JSON Schema of a session file's lines, made from the records themselves."""

from __future__ import annotations

from typing import Any

import msgspec

from explorer.base.records.unions import Step
from explorer.sessions.file.form import FORMAT, Header

NOT_FINITE = ("inf", "-inf", "nan")
"""How numbers are written that JSON has no word for."""

_NEVER_RECORDED = (
    "ReadVocabulary", "VocabularyColumns", "UnusedReference", "ReadVerdicts", "VerdictColumns", "Array",
    "ReadCertificates", "Certificates", "CheckCertificates", "CertificatesChecked",
)  # fmt: skip


def session_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one line: the first is a `Header`, every other one a `Step`.

    Keys that a record does not name are allowed: a later program of the same format may add some.
    """
    _, parts = msgspec.json.schema_components((Header, Step), ref_template="#/$defs/{name}")
    kept = {name: _with_not_finite(part) for name, part in parts.items() if name not in _NEVER_RECORDED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of a glitch-explore session, format {FORMAT}",
        "description": "JSON Lines. The first line is a Header, every further one a Step, in the order answered.",
        "oneOf": [{"$ref": "#/$defs/Header"}, {"$ref": "#/$defs/Step"}],
        "$defs": _without_unrecorded(kept),
    }


def _with_not_finite(part: Any) -> Any:
    """`part` with every number also allowed as one of the words for what is not finite."""
    if isinstance(part, list):
        return [_with_not_finite(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "number":
        return {"anyOf": [part, {"enum": list(NOT_FINITE)}]}
    return {name: _with_not_finite(value) for name, value in part.items()}


def _without_unrecorded(part: Any) -> Any:
    """`part` without the alternatives that never stand in a file."""
    unrecorded = {f"#/$defs/{name}" for name in _NEVER_RECORDED}
    if isinstance(part, list):
        return [
            _without_unrecorded(item)
            for item in part
            if not (isinstance(item, dict) and item.get("$ref") in unrecorded)
        ]
    if not isinstance(part, dict):
        return part
    return {
        name: {kind: ref for kind, ref in value.items() if ref not in unrecorded}
        if name == "mapping" and isinstance(value, dict)
        else _without_unrecorded(value)
        for name, value in part.items()
    }
