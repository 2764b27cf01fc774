"""What the panes that ask ticked models about a token say in the place of an answer."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from explorer.base.records.record import Failure
from explorer.base.text import visible
from explorer.tui.widgets.prompt_lines import MUTED, TOKEN_STYLE, token_text

NONE_TICKED = "No model that can run is ticked: load one with m, tick it with x."
"""Why nothing can be asked."""


def key_lines(
    key: str, models: Sequence[str], width: int, *, what: str = "", token_bytes: str | None = None, loading: str = ""
) -> list[Content]:
    """Which key asks `models`, and for what: `what` stands before the token. With no model, which one is on its way
    (`loading`), else how to get one."""
    if not models:
        return Content.styled(loading or "No model that can run is ticked: m loads one, x ticks it.", MUTED).wrap(width)
    asked = ", ".join(visible(name, spaces=False) for name in models)
    parts = [("press ", MUTED), (key, "bold $accent"), (f" to ask {asked}{what}", MUTED)]
    if token_bytes is not None:
        parts.append((token_text(token_bytes), TOKEN_STYLE))
    return Content.assemble(*parts).wrap(width)


def failure_lines(failure: Failure, width: int) -> list[Content]:
    """A failure's message and hint, wrapped."""
    message = Content.styled(f"✗ {visible(failure.message, spaces=False)}", "$error")
    hint = Content.styled(visible(failure.hint, spaces=False), MUTED)
    indented = [*message.wrap(width - 2), *(hint.wrap(width - 2) if failure.hint else [])]
    return [Content("  ") + line for line in indented]
