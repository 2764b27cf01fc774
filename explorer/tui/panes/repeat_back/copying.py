"""Prompts and replies as text to be pasted."""

from __future__ import annotations

from collections.abc import Sequence

from explorer.base.records.repeat_back import RepeatBackResult
from explorer.base.text import visible


def replies_text(results: Sequence[RepeatBackResult]) -> str:
    """For each model its prompt and its replies, controls left out; line breaks and what cannot be seen are escaped."""
    lines: list[str] = []
    for result in results:
        lines += [f"model: {_line(result.model)}", f"prompt: {_line(result.probe.prompt)}"]
        lines += [f"reply {reply.sample}: {_line(reply.reply)} ({reply.outcome})" for reply in result.probe.replies]
    return "\n".join(lines)


def _line(text: str) -> str:
    return visible(text, spaces=False)
