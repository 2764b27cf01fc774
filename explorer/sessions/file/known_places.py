"""Where on this machine models are that sessions name without their folders: found again by their digests.

Kept beside the sessions and never written into one: a session tells no folder of the machine it was recorded on.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from explorer.base.files import write_whole
from explorer.base.records.models import ModelInfo
from explorer.base.sources import is_public, matched_prefix

NAME = "places.json"
MOST = 500
"""Models remembered; the earliest are forgotten first."""
LARGEST = 1 << 22
"""Bytes of the file that are read."""


class Place(msgspec.Struct, frozen=True):
    """How a model of this machine is loaded."""

    source: str
    tokenizer: str = ""


class KnownPlaces:
    """The places of models that were loaded, in a file of `folder`; one that cannot be read or written is as none."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def remember(self, source: str, info: ModelInfo, tokenizer: str = "") -> None:
        """`source`, as the user named it, gave this model. Only what is a folder or file of this machine is kept."""
        place = Place(_absolute(source), _absolute(tokenizer) if tokenizer else "")
        if not place.source or (tokenizer and not place.tokenizer):
            return
        known, key = self._read(), _key(info)
        if known.get(key) == place:
            return
        known.pop(key, None)
        known[key] = place
        while len(known) > MOST:
            del known[next(iter(known))]
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, [msgspec.json.encode(known)])

    def find(self, info: ModelInfo) -> Place | None:
        """Where the model with these digests was when it was last loaded, where that is still there."""
        place = self._read().get(_key(info))
        return place if place is not None and _absolute(place.source) else None

    def _read(self) -> dict[str, Place]:
        try:
            with self._path.open("rb") as file:
                return msgspec.json.decode(file.read(LARGEST), type=dict[str, Place])
        except (OSError, msgspec.DecodeError):
            return {}


def _key(info: ModelInfo) -> str:
    return f"{'model' if info.can_run else 'weights'}:{info.weights_digest}:{info.tokenizer_digest}"


def _absolute(source: str) -> str:
    """A local source with its whole path; empty for one of the zoo or the hub, or that is not there."""
    prefix = matched_prefix(source)
    place = source[len(prefix) :].strip()
    path = os.path.abspath(os.path.expanduser(place))
    return f"{prefix.strip()}{path}" if not is_public(place) and os.path.exists(path) else ""
