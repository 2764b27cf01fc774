"""Whether the screen shows a session with no engine behind it, so that no hint names a key that asks something."""

from __future__ import annotations

from textual.widget import Widget

from explorer.base.records.tokens import TokenRow
from explorer.specs.blocks import token_text


def nothing_recorded(token: TokenRow | None = None) -> str:
    """Why a pane is empty; `token`: of which one, where the pane is about one."""
    named = f" of {token.token_id} {token_text(token)}" if token is not None else ""
    return f"Nothing of this kind is recorded{named} up to this step."


NOTHING_RECORDED = nothing_recorded()


def is_replayed(widget: Widget) -> bool:
    """Whether nothing can be asked on the screen of `widget`."""
    return bool(getattr(widget.app, "is_replay", False))


def hint_at(widget: Widget, hint: str) -> str:
    """What stands in the place of an answer: `hint`, how to ask, or in a replay that there is none."""
    return NOTHING_RECORDED if is_replayed(widget) else hint
