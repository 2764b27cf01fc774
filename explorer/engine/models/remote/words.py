"""What a server says, as it may be shown: one short line, without the key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from explorer.base.text import visible
from explorer.engine.models.errors import ModelError

_LONGEST = 240
_PART = 6
"""Letters of the key in a row that are taken out too: some servers quote a part of it."""


class _Detail(msgspec.Struct):
    message: str = ""


class _Said(msgspec.Struct):
    error: _Detail | str | None = None
    message: str = ""
    detail: str = ""


class ServerWords:
    """Takes the key, and parts of it, out of whatever a server sends."""

    def __init__(self, key: str, variable: str) -> None:
        self._key, self._mark = key, f"({variable})"

    def of(self, content: bytes) -> str:
        """The sentence in an answer that says no: its `error.message`, or the beginning of it as it is."""
        try:
            said = msgspec.json.decode(content, type=_Said)
            found = said.error.message if isinstance(said.error, _Detail) else said.error
            text = found or said.message or said.detail or "no reason given"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            text = content[: 4 * _LONGEST].decode("utf-8", "replace").strip() or "no reason given"
        return self.clean(text)

    def clean(self, text: str, longest: int = _LONGEST) -> str:
        """`text` as one safe line of at most so many characters."""
        line = " ".join(self._without_key(text[: 16 * longest]).split())
        shown = visible(line, spaces=False)
        return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"

    @contextmanager
    def cleaning(self) -> Iterator[None]:
        """Errors raised inside say what may be shown: some quote names or versions that a server told."""
        try:
            yield
        except ModelError as error:
            error.message, error.hint = (self.clean(text, 4 * _LONGEST) for text in (error.message, error.hint))
            raise

    def holds_key(self, text: str) -> bool:
        """Whether the key, or a part of it, stands in `text`."""
        return self._without_key(text) != text

    def _without_key(self, text: str) -> str:
        """Every run of `text` that is a part of the key of `_PART` letters or more, marked. A key that is shorter is
        taken out whole."""
        part = min(_PART, len(self._key))
        if not part:
            return text
        parts = {self._key[at : at + part] for at in range(len(self._key) - part + 1)}
        hidden = [False] * len(text)
        for at in range(len(text) - part + 1):
            if text[at : at + part] in parts:
                hidden[at : at + part] = [True] * part
        kept: list[str] = []
        for at, letter in enumerate(text):
            if not hidden[at]:
                kept.append(letter)
            elif at == 0 or not hidden[at - 1]:
                kept.append(self._mark)
        return "".join(kept)
