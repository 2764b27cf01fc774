"""What a user writes for a model: a source."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from explorer.engine.models.checkpoints.gguf_place import SUFFIX, model_name
from explorer.engine.models.errors import ModelError

Progress = Callable[[int, int, str], None]
"""Told how much is done, of how much (0: not known), and what is counted. May raise to stop the work."""

WEIGHTS_ONLY = "weights:"
ZOO = "zoo:"
_PAGE = re.compile(
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+?)(?:/(?:tree|blob|resolve)/([^/?#]+).*)?/?"
)
_IN_THE_CACHE = re.compile(r"/models--([^/]+)/snapshots/[0-9a-f]{40}$")
_HUB_ID = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9][\w.-]{0,95}(/[\w.-]{1,96})?")


@dataclass(frozen=True)
class Source:
    """Where a model comes from. `str(source)` is the source string that names it."""

    kind: Literal["zoo", "directory", "hub"]
    place: str
    """Zoo name, path (`~` expanded) or hub id."""
    revision: str = ""
    """Branch, tag or commit of a hub model; empty: its main branch."""
    weights_only: bool = False
    """Read only the embedding matrices."""

    def __str__(self) -> str:
        place = f"{ZOO}{self.place}" if self.kind == "zoo" else self.place
        return f"{WEIGHTS_ONLY if self.weights_only else ''}{place}{'@' * bool(self.revision)}{self.revision}"

    @property
    def short_name(self) -> str:
        """A name to call the model by: the last part of the place, without a GGUF file's suffix, and the hub id of a
        snapshot in the hub's cache; `(weights)` after it where only those are read."""
        whole = os.path.abspath(self.place)
        if (cached := _IN_THE_CACHE.search(whole)) is not None:
            last = cached[1].replace("--", "/")
        else:
            last = model_name(os.path.basename(whole)) or "model"
        return f"{last}(weights)" if self.weights_only else last


@dataclass(frozen=True)
class Located:
    """The local directory or GGUF file of a source, and the commit where it came from the hub."""

    directory: Path
    revision: str = ""


@dataclass(frozen=True)
class TokenizerChoice:
    """Which tokenizer a model gets, and on which day."""

    source: str = ""
    """A folder or hub id; empty: the model's own folder."""
    directory: Path | None = None
    """Where that is."""
    day: str = ""
    """The date that a chat template is given, ISO 8601; empty: today's."""


OWN_TOKENIZER = TokenizerChoice()


def parse_source(text: str) -> Source:
    """Read a source string: `zoo:NAME`, a directory or GGUF file, a hub id `org/name` or `org/name@revision`, or the
    address of its page, and any of them after `weights:`.

    What begins with `.`, `/` or `~`, has more than one `/`, ends with `.gguf`, or is there as a directory or a file, is
    a path. Raises `ModelError` for what is none of these.
    """
    place = text.strip()
    weights_only = place.startswith(WEIGHTS_ONLY)
    place = place.removeprefix(WEIGHTS_ONLY)
    if place.startswith(ZOO):
        return Source("zoo", place.removeprefix(ZOO), weights_only=weights_only)
    if (page := _PAGE.fullmatch(place)) is not None:
        return Source("hub", page[1], revision=page[2] or "", weights_only=weights_only)
    name, _, revision = place.partition("@")
    if place.startswith((".", "/", "~")) or (name.count("/") > 1 and "://" not in place):
        return Source("directory", os.path.expanduser(place), weights_only=weights_only)
    if place and (Path(place).exists() or place.lower().endswith(SUFFIX)):
        return Source("directory", f"./{place}", weights_only=weights_only)
    if not _HUB_ID.fullmatch(name):
        raise ModelError(
            f"{text!r} names no model",
            hint="Use zoo:mynah, a directory such as ./model, a GGUF file such as ./model.gguf, or a hub id such as "
            "org/name or org/name@revision.",
        )
    return Source("hub", name, revision=revision, weights_only=weights_only)
