"""A request that speaks of other models, and the words that say which stand for which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from explorer.base.errors import ExplorerError
from explorer.base.records.unions import AnyRequest
from explorer.specs.registry import replaced, spec_of, value_at


def renamed(request: AnyRequest, names: Mapping[str, str]) -> AnyRequest:
    """`request` speaking of the models by other names; a name that is not in `names` stays."""
    for path in spec_of(request).models:
        named = value_at(request, path)
        several = isinstance(named, tuple)
        other = tuple(names.get(name, name) for name in named) if several else names.get(named, named)
        request = replaced(request, path, other)
    return request


def parse_model_map(pairs: Iterable[str]) -> dict[str, str]:
    """`OLD=NEW` words as a map. Raises `ExplorerError` for a word that is not of that form."""
    chosen: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise ExplorerError(f"--model-map {pair!r} is not of the form OLD=NEW", "Write mynah=./my-mynah.")
        chosen[old] = new
    return chosen
