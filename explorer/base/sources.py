"""A model's source as it may leave this machine, in a session or an export."""

from __future__ import annotations

import os
import re

from explorer.base.servers import is_server, portable_server

_PREFIX = re.compile(r"\s*(?:weights:\s*)*")
_PUBLIC = re.compile(r"zoo:[^/\\]*|[^/\\~]*|[A-Za-z0-9][\w.-]*/[\w.-]+(?:@(?:refs/[\w./-]+|[\w.-]+))?")
"""A zoo name, a word, or a hub id, which has exactly one slash; anything with more is a path."""


def matched_prefix(source: str) -> str:
    """`weights:` and the spaces round it, where the source begins so."""
    found = _PREFIX.match(source)
    return found[0] if found else ""


def is_public(place: str) -> bool:
    """Whether it names a model of the zoo or of the hub, and no folder or file."""
    is_path = os.path.exists(place) or place.lower().endswith(".gguf")
    return _PUBLIC.fullmatch(place) is not None and not is_path


def portable_source(source: str) -> str:
    """`source` without the folders of this machine: `/home/me/models/x` → `…/x`; zoo and hub names as they are, servers
    with host and model."""
    if is_server(source):
        return portable_server(source)
    prefix = matched_prefix(source)
    place = source[len(prefix) :].strip()
    if is_public(place):
        return source
    last = re.split(r"[/\\]", place.rstrip("/\\"))[-1]
    return f"{prefix}…/{'' if last.startswith(('~', '…')) else last}"
