"""Which verbs there are: ours, one line each, and those of other installed packages.

Everything that has to do with verbs in general asks here; nothing else lists them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import msgspec

from explorer.base.records.record import Failure, Outcome, Request
from explorer.base.records.unions import Cancelled
from explorer.specs import (
    compare,
    inspect,
    lineage,
    logprobs,
    maps,
    models,
    neighbours,
    notes,
    repeat_back,
    self_test,
    speakability,
    token_lists,
    verification,
    vocabulary,
)
from explorer.specs.blocks import prose
from explorer.specs.command_line import Verb
from explorer.specs.spec import Spec, Tab

_OURS: tuple[Spec[Any, Any], ...] = (
    *models.SPECS,
    *vocabulary.SPECS,
    *token_lists.SPECS,
    *inspect.SPECS,
    *repeat_back.SPECS,
    *logprobs.SPECS,
    *neighbours.SPECS,
    *compare.SPECS,
    *maps.SPECS,
    *lineage.SPECS,
    *verification.SPECS,
    *self_test.SPECS,
    *speakability.SPECS,
    *notes.SPECS,
)  # fmt: skip


class Registry:
    """Specs by request, outcome, verb and tab."""

    def __init__(self, specs: Iterable[Spec[Any, Any]], tabs: Iterable[Tab] = ()) -> None:
        """`tabs`: those that show no request's outcomes."""
        self._other_tabs = tuple(tabs)
        self.specs: list[Spec[Any, Any]] = []
        self._by_request: dict[type, Spec[Any, Any]] = {}
        self._by_kind: dict[str, Spec[Any, Any]] = {}
        self._by_outcome: dict[type, Spec[Any, Any]] = {}
        for spec in specs:
            self.add(spec)

    def add(self, spec: Spec[Any, Any]) -> None:
        """Add a spec. Raises `ValueError` where its request's name or its verb's name is taken."""
        kind = spec.request.__name__
        if kind in self._by_kind:
            raise ValueError(f"there is already a request named {kind}")
        if spec.verb is not None and self.verb(spec.verb.name) is not None:
            raise ValueError(f"there is already a verb named {spec.verb.name}")
        self.specs.append(spec)
        self._by_request[spec.request] = self._by_kind[kind] = spec
        self._by_outcome.setdefault(spec.outcome, spec)

    def of(self, request: Request) -> Spec[Any, Any]:
        """The spec of a request."""
        return self._by_request[type(request)]

    def of_kind(self, kind: str) -> Spec[Any, Any] | None:
        """The spec of the requests with this class name, as session files have it."""
        return self._by_kind.get(kind)

    def of_outcome(self, outcome: Outcome) -> Spec[Any, Any]:
        """The spec whose requests have such outcomes."""
        return self._by_outcome[type(outcome)]

    def verbs(self) -> tuple[Spec[Any, Any], ...]:
        """The specs that have a verb on the command line, in order."""
        return tuple(spec for spec in self.specs if spec.verb is not None)

    def verb(self, name: str) -> Verb | None:
        """The verb with this name or alias."""
        verbs = (spec.verb for spec in self.specs if spec.verb is not None)
        return next((verb for verb in verbs if name in (verb.name, *verb.aliases)), None)

    def tabs(self) -> tuple[Tab, ...]:
        """Every tab once: by number, those without a number behind, in order."""
        found = dict.fromkeys((*self._other_tabs, *(spec.tab for spec in self.specs if spec.tab is not None)))
        return tuple(sorted(found, key=lambda tab: tab.number or 1_000))


REGISTRY = Registry(_OURS, notes.TABS)


def spec_of(request: Request) -> Spec[Any, Any]:
    """The spec of a request."""
    return REGISTRY.of(request)


def describe(request: Request) -> str:
    """What was asked, in one line of words: 'repeat back token 742 on mynah, repeat-1, 8 samples at T 0.7'."""
    words: str = REGISTRY.of(request).describe(request)
    return words


def summarise(outcome: Outcome) -> str:
    """What came back, in one line of words and numbers."""
    if isinstance(outcome, Failure):
        return f"failed: {prose(outcome.message)}"
    if isinstance(outcome, Cancelled):
        how = prose(outcome.why) or "cancelled"
        return how if outcome.partial is None else f"{how} after: {summarise(outcome.partial)}"
    words: str = REGISTRY.of_outcome(outcome).summarise(outcome)
    return words


def models_of(request: Request) -> tuple[str, ...]:
    """The loaded models that a request speaks of, each once."""
    found = (value_at(request, path) for path in REGISTRY.of(request).models)
    names = (name for value in found for name in (value if isinstance(value, tuple) else (value,)))
    return tuple(dict.fromkeys(filter(None, names)))


def value_at(record: Any, path: str) -> Any:
    """The field of `record` at `path`; a dot leads into a nested record."""
    for name in path.split("."):
        record = getattr(record, name)
    return record


def resolve(place: str) -> Any:
    """What stands at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def replaced(record: Any, path: str, value: Any) -> Any:
    """`record` with another value in the field at `path`; a dot leads into a nested record."""
    name, _, rest = path.partition(".")
    inner = replaced(getattr(record, name), rest, value) if rest else value
    return msgspec.structs.replace(record, **{name: inner})
