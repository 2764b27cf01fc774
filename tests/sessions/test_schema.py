"""The schema describes what the program writes, and nothing that it would not read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.sessions.file.schema import session_schema
from tests.sessions.example_sessions import HOSTILE, exchanges, write_session

SCHEMA = session_schema()


def fits(value: Any, part: dict[str, Any]) -> bool:
    """Whether `value` is what this part of the schema describes; for the words the schema uses."""
    if "$ref" in part:
        return fits(value, SCHEMA["$defs"][part["$ref"].removeprefix("#/$defs/")])
    for word, choose in (("anyOf", any), ("oneOf", any), ("allOf", all)):
        if word in part:
            return choose(fits(value, option) for option in part[word])
    if "enum" in part:
        return value in part["enum"]
    types: dict[str, type | tuple[type, ...]] = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
        "null": type(None),
    }  # fmt: skip
    if "type" in part and (not isinstance(value, types[part["type"]]) or (value is True and part["type"] == "integer")):
        return False
    if isinstance(value, dict):
        named = part.get("properties", {})
        others = part.get("additionalProperties", True)
        return set(part.get("required", ())) <= value.keys() and all(
            fits(item, named[key]) if key in named else others is True or fits(item, others)
            for key, item in value.items()
        )
    if isinstance(value, list):
        first, rest = part.get("prefixItems", []), part.get("items", True)
        return all(
            fits(item, first[place]) if place < len(first) else isinstance(rest, dict) and fits(item, rest)
            for place, item in enumerate(value)
        )
    return "pattern" not in part or re.search(part["pattern"], value) is not None


@pytest.mark.parametrize("text", [" the", HOSTILE])
def test_every_line_written_fits(tmp_path: Path, text: str) -> None:
    path = write_session(tmp_path / "s.jsonl", exchanges(text))
    for line in path.read_bytes().splitlines():
        assert fits(msgspec.json.decode(line), SCHEMA)


@pytest.mark.parametrize("line", [{}, [], {"kind": "Step"}, {"kind": "Header", "format": "x"}, 5])
def test_what_is_no_line_of_a_session_does_not_fit(line: object) -> None:
    assert not fits(line, SCHEMA)


def test_it_is_self_contained_json_that_names_every_record_of_a_file() -> None:
    text = json.dumps(SCHEMA)
    named = set(re.findall(r'"#/\$defs/(\w+)"', text))
    assert named <= SCHEMA["$defs"].keys()
    kinds = {kind.__name__ for kind in (*get_args(AnyRequest), *get_args(AnyOutcome))}
    never = {"ReadVocabulary", "VocabularyColumns", "ReadVerdicts", "VerdictColumns"}
    never |= {"FindToken", "TokenFound", "ReadMap", "VocabularyMap", "PlacePoints", "MapPoints"}
    never |= {"ReadCertificates", "Certificates", "CheckCertificates", "CertificatesChecked"}
    assert kinds - named == never
    assert not any(f'"{name}"' in text for name in never)
