"""What may leave this machine in a session file: sources and messages without the folders they stood in."""

from __future__ import annotations

import os
import re
from typing import TypeVar
from urllib.parse import unquote

import msgspec

from explorer.base.records.models import CatalogueEntry, LoadModel, ModelCatalogue, ModelInfo, ModelLoaded, Roster
from explorer.base.records.record import Failure
from explorer.base.records.unions import AnyRequest, Step
from explorer.base.sources import is_public, matched_prefix, portable_source
from explorer.specs.registry import replaced, spec_of, value_at

Model = TypeVar("Model", ModelInfo, CatalogueEntry)

_PATH = re.compile(
    r"""(?P<quote>['"])(?:file://)?(?:~[\w.-]*|\.{0,2})/(?P<inside>[^'"\n]+)(?P=quote)"""
    r"""|(?<![\w/.…])(?:file://)?(?:~[\w.-]*|\.{0,2})/(?:[^\s/'"]+/)+(?P<bare>[^\s/'",:;()\[\]]+)"""
)
"""A path inside a sentence: in quotes (it may hold spaces), or of two or more parts."""


def portable(step: Step) -> Step:
    """`step` as it may leave this machine: paths cut to their last part."""
    request, outcome = step.request, step.outcome
    match outcome:
        case Failure():
            outcome = Failure(
                message=_portable_words(outcome.message, request), hint=_portable_words(outcome.hint, request)
            )
        case ModelLoaded():
            outcome = ModelLoaded(info=_without_folder(outcome.info))
        case Roster():
            outcome = msgspec.structs.replace(outcome, models=tuple(map(_without_folder, outcome.models)))
        case ModelCatalogue():
            outcome = ModelCatalogue(entries=tuple(map(_without_folder, outcome.entries)))
    if isinstance(request, LoadModel):
        request = msgspec.structs.replace(request, server=None)  # the settings of who asks again say it
    for path, source in _sources_of(request):
        request = replaced(request, path, portable_source(source))
    return msgspec.structs.replace(step, request=request, outcome=outcome)


def _sources_of(request: AnyRequest) -> list[tuple[str, str]]:
    """The request's fields that name a source, with what they name."""
    found = ((path, value_at(request, path)) for path in spec_of(request).sources)
    return [(path, source) for path, source in found if source]


def _without_folder(named: Model) -> Model:
    named = msgspec.structs.replace(named, source=portable_source(named.source))
    if isinstance(named, ModelInfo) and named.tokenizer:
        return msgspec.structs.replace(named, tokenizer=portable_source(named.tokenizer))
    return named


def _portable_words(text: str, request: AnyRequest) -> str:
    for _, source in _sources_of(request):
        text = _without_place(text, source)
    home = os.path.expanduser("~")
    if len(home) > 1:
        text = text.replace(f"{home}/", "~/")
    return _PATH.sub(_last_part, text)


def _without_place(text: str, source: str) -> str:
    """`text` with the last part of `source` wherever it names that."""
    place = source[len(matched_prefix(source)) :].strip()
    if place and not is_public(place):  # whole, in every spelling, because a path may hold spaces
        last = portable_source(place)
        for spelling in _spellings(place):
            text = re.sub(re.escape(spelling) + r"(?![\w-])", lambda _: last, text)
        if tail := place.partition("/")[2].strip("/"):  # `~` and `.` are other folders where the engine runs elsewhere
            text = re.sub(rf"(?:~|/[^'\"\n]*?)/{re.escape(tail)}(?![\w-])", lambda _: last, text)
    return text


def _spellings(place: str) -> list[str]:
    """How a message may name the path, the longest first."""
    local = unquote(place.removeprefix("file://")) if place.startswith("file:") else os.path.expanduser(place)
    found = {place, os.path.normpath(place), local, os.path.abspath(local), os.path.realpath(local)}
    found |= {repr(spelling)[1:-1] for spelling in found}
    return sorted((each for each in found if "/" in each.strip("/") or len(each) > 2), key=len, reverse=True)


def _last_part(found: re.Match[str]) -> str:
    if not found["quote"]:
        return f"…/{found['bare']}"
    last = found["inside"].rstrip("/").rpartition("/")[2]
    return f"{found['quote']}…/{last}{found['quote']}"
