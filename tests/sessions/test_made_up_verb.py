"""A verb that only the registry knows: its models and its token are found by what its spec says of its fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from explorer.base.records.notes import Noted, WriteNote
from explorer.base.records.record import Outcome, Request
from explorer.base.records.unions import AnyRequest
from explorer.sessions.checking.naming import renamed
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.store import is_recorded
from explorer.sessions.search import Query, SessionIndex
from explorer.specs import registry as registry_module
from explorer.specs.registry import Registry, models_of
from explorer.specs.spec import Spec
from tests.sessions.example_sessions import write_session


class TellAncestry(Request, kw_only=True):
    """Which model was trained from which."""

    base: str
    children: tuple[str, ...]
    about: int | None = None


class Ancestry(Outcome, kw_only=True):
    """What came back."""


SPEC = Spec(
    request=TellAncestry,
    outcome=Ancestry,
    describe=lambda request: "ancestry",
    summarise=lambda outcome: "found",
    models=("base", "children"),
    token="about",
    recorded=False,
)
REQUEST = TellAncestry(base="mynah", children=("heron", "wren"), about=7)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry([*registry_module.REGISTRY.specs, SPEC])
    monkeypatch.setattr(registry_module, "REGISTRY", made)
    return made


@pytest.mark.usefixtures("registry")
def test_its_models_are_found_and_renamed() -> None:
    request = cast(AnyRequest, REQUEST)
    assert models_of(request) == ("mynah", "heron", "wren")
    assert models_of(renamed(request, {"mynah": "starling", "wren": "robin"})) == ("starling", "heron", "robin")
    assert not is_recorded(request)


@pytest.mark.parametrize(
    ("request_", "models", "token_id"),
    [
        ({"base": "mynah", "children": ["heron", "mynah"], "about": 7}, ("mynah", "heron"), 7),
        ({"base": "mynah", "children": [], "about": None}, ("mynah",), None),
        ({"base": 3, "children": {"a": 1}, "about": "7"}, (), None),
        ({}, (), None),
    ],
)
def test_its_steps_are_found_by_model_and_token(
    tmp_path: Path, registry: Registry, request_: dict[str, object], models: tuple[str, ...], token_id: int | None
) -> None:
    path = write_session(tmp_path / "s.jsonl", [(WriteNote(text="first"), Noted())])
    line = {"kind": "Step", "number": 2, "at": "", "seconds": 0.0, "outcome": {"kind": "Ancestry"}}
    with path.open("a") as file:
        file.write(json.dumps({**line, "request": {"kind": "TellAncestry", **request_}}) + "\n")
    index = SessionIndex(SessionFile(path), registry).index_all()
    fact = index.fact(1)
    assert (fact.kind, fact.models, fact.token_id, fact.number) == ("TellAncestry", models, token_id, 2)
    assert index.positions(Query(model="heron")) == ([1] if "heron" in models else [])
    assert index.positions(Query(token_id=7)) == ([1] if token_id == 7 else [])
