"""Whether the screen shows a session with no engine behind it, so that no hint names a key that asks something."""

from __future__ import annotations

from textual.widget import Widget

NOTHING_RECORDED = "Nothing of this kind is recorded up to this step."


def is_replayed(widget: Widget) -> bool:
    """Whether nothing can be asked on the screen of `widget`."""
    return bool(getattr(widget.app, "is_replay", False))


def hint_at(widget: Widget, hint: str) -> str:
    """What stands in the place of an answer: `hint`, how to ask, or in a replay that there is none."""
    return NOTHING_RECORDED if is_replayed(widget) else hint
