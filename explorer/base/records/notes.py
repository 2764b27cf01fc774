"""Marks and notes: what the user does with what came back, without the engine."""

from __future__ import annotations

from explorer.base.records.record import Outcome, Request


class MarkToken(Request, kw_only=True):
    model: str
    token_id: int
    text: str = ""
    token_bytes: str = ""
    """The token's bytes, where `text` does not tell them (U+FFFD stands for what is not UTF-8)."""
    marked: bool = True


class WriteNote(Request, kw_only=True):
    """A remark in the session, on a step (its number) or a token, or on neither."""

    text: str
    step: int | None = None
    model: str = ""
    token_id: int | None = None
    tags: tuple[str, ...] = ()
    """Words to find the note, its step or its token by."""


class Noted(Outcome, kw_only=True):
    """A mark or a note was taken down."""
