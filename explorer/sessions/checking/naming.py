"""Which models a request speaks of, and the same request speaking of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.records.unions import AnyRequest


def models_of(request: AnyRequest) -> tuple[str, ...]:
    """The loaded models that a request speaks of."""
    spoken = getattr(request, "of", request)  # a question about a sweep speaks of the sweep's model
    single, several, top_of = (getattr(spoken, name, None) for name in ("model", "models", "top_of"))
    return tuple(dict.fromkeys(filter(None, (single, *(several or ()), top_of))))


def renamed(request: AnyRequest, names: Mapping[str, str]) -> AnyRequest:
    """`request` speaking of the models by other names; a name that is not in `names` stays."""
    changes: dict[str, Any] = {}
    if (sweep := getattr(request, "of", None)) is not None:
        changes["of"] = renamed(sweep, names)
    for field in ("model", "top_of"):
        if name := getattr(request, field, None):
            changes[field] = names.get(name, name)
    if several := getattr(request, "models", None):
        changes["models"] = tuple(names.get(name, name) for name in several)
    return msgspec.structs.replace(request, **changes) if changes else request


def parse_model_map(pairs: Iterable[str]) -> dict[str, str]:
    """`OLD=NEW` words as a map. Raises `ExplorerError` for a word that is not of that form."""
    chosen: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise ExplorerError(f"--model-map {pair!r} is not of the form OLD=NEW", "Write mynah=./my-mynah.")
        chosen[old] = new
    return chosen
