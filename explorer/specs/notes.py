"""Marks and notes: what the user does with what came back, answered without the engine."""

from __future__ import annotations

from typing import Any

from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.tokens import TokenRef, TokenRow, bare_row
from explorer.base.text import visible
from explorer.specs.blocks import hex_text, prose
from explorer.specs.spec import Spec, Tab


def describe_mark(request: MarkToken) -> str:
    """'mark token 742 magikarp of mynah'; `\\xe7` for a byte that is no text."""
    shown = hex_text(request.token_bytes) if request.token_bytes else visible(request.text)
    text = f" {shown}" if shown else ""
    return f"{'mark' if request.marked else 'unmark'} token {request.token_id}{text} of {prose(request.model)}"


def describe_note(request: WriteNote) -> str:
    """'note on step 3: words #tag'."""
    tags = "".join(f" #{prose(tag)}" for tag in request.tags)
    return f"note{note_subject(request)}: {prose(request.text)}{tags}"


def note_subject(request: WriteNote) -> str:
    """What a note is on, in words; nothing where it is on nothing in particular."""
    if request.step is not None:
        return f" on step {request.step}"
    if request.token_id is not None:
        return f" on token {request.token_id}" + (f" of {prose(request.model)}" if request.model else "")
    return ""


def marked_token(request: MarkToken, outcome: Any) -> TokenRow:
    """The token marked. A text with U+FFFD in it does not tell its bytes, which earlier sessions do not hold."""
    known = request.token_bytes or ("" if "\ufffd" in request.text else request.text.encode().hex())
    return bare_row(TokenRef(token_id=request.token_id, token_bytes=known, text=request.text))


def noted_token(request: WriteNote, outcome: Any) -> TokenRow | None:
    """The token that the note is on."""
    if request.token_id is None:
        return None
    return bare_row(TokenRef(token_id=request.token_id, token_bytes="", text=""))


SESSION = Tab(
    name="session",
    title="Session",
    pane="explorer.tui.panes.session.pane:SessionPane",
    help="Every step of this session; Enter shows one again.",
    number=5,
)
TABS = (SESSION,)
"""Tabs that show no request's outcomes."""

SPECS = (
    Spec(
        request=MarkToken,
        outcome=Noted,
        describe=describe_mark,
        summarise=lambda outcome: "recorded",
        token="token_id",
        subject=marked_token,
        checked=False,
        selects_model=True,
    ),
    Spec(
        request=WriteNote,
        outcome=Noted,
        describe=describe_note,
        summarise=lambda outcome: "recorded",
        token="token_id",
        subject=noted_token,
        checked=False,
        selects_model=True,
    ),
)
