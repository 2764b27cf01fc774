"""Prompts and replies as text to be pasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from explorer.base.records.repeat_back import RepeatBackResult
from explorer.base.text import visible
from explorer.tui.panes.takeaway import Clip, as_it_is, prompt_clip

_BEGINNING = 40
"""Characters of a reply that tell it from the others."""


def replies_text(results: Sequence[RepeatBackResult]) -> str:
    """For each model its prompt and its replies, controls left out; line breaks and what cannot be seen are escaped."""
    lines: list[str] = []
    for result in results:
        lines += [f"model: {_line(result.model)}", f"prompt: {_line(result.probe.prompt)}"]
        lines += [f"reply {reply.sample}: {_line(reply.reply)} ({reply.outcome})" for reply in result.probe.replies]
    return "\n".join(lines)


def reply_clips(results: Sequence[RepeatBackResult]) -> list[Clip]:
    """Each model's prompt and each of its replies, controls left out, word for word."""
    return [clip for result in results for clip in _clips_of(result)]


def _clips_of(result: RepeatBackResult) -> Iterator[Clip]:
    yield prompt_clip(result.model, result.probe.prompt)
    for reply in result.probe.replies:
        said = _line(reply.reply)
        beginning = said if len(said) <= _BEGINNING else said[:_BEGINNING] + "…"
        what = f"reply {reply.sample} of {_line(result.model)}, '{beginning}'"
        yield Clip(what, partial(as_it_is, reply.reply))


def _line(text: str) -> str:
    return visible(text, spaces=False)
