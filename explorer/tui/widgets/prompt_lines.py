"""Tokens, replies and prompts as safe, styled lines: pure functions from text to `Content`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from textual.content import Content

from explorer.base.records.tokens import TokenRef
from explorer.base.templates import SLOT, Template
from explorer.base.text import decode, visible, visible_bytes

TOKEN_STYLE = "bold $accent"
MUTED = "$foreground-muted"
"""`$text-muted` is an automatic contrast colour, which a `Content` cannot resolve."""
LINE_END = "⏎"
_LANDMARK = 16
"""Characters before a slot by which it is found again in the prompt."""


def token_text(token_bytes: str) -> str:
    """A token, given as hexadecimal bytes, as one safe line; `∅` for a token without bytes."""
    return visible_bytes(bytes.fromhex(token_bytes)) or "∅"


def reply_text(reply: str) -> str:
    """A reply as one safe line: spaces inside stay spaces, those at the ends become `·`."""
    inner = reply.strip(" ")
    if not inner:
        return "·" * len(reply)
    before = len(reply) - len(reply.lstrip(" "))
    after = len(reply) - len(reply.rstrip(" "))
    return "·" * before + visible(inner, spaces=False) + "·" * after


def fit(content: Content | str, width: int, style: str = "") -> Content:
    """`content` in exactly `width` cells: padded, or cut with `…`; `style` goes below what it has."""
    line = content if isinstance(content, Content) else Content(content)
    line = line.stylize_before(style) if style else line
    cut = line.truncate(max(0, width), ellipsis=True)
    return cut.pad_right(width - cut.cell_length)


def slot_spans(prompt: str, form: str, text: str) -> list[tuple[int, int]]:
    """Where the slots of `form` lie in `prompt`, as (start, end), when filled with `text`.

    `form` is a template's text with `{token}` slots; a chat template may stand around it and between its
    turns. Found by the text between the slots; a slot whose surroundings the tokenizer changed is left out.
    """
    spans: list[tuple[int, int]] = []
    pieces = form.split(SLOT)
    at = 0
    for before, after in pairwise(pieces):
        landmark = before[-_LANDMARK:]
        found = prompt.find(landmark + text + after[:1], at)
        if found < 0:
            continue
        start = found + len(landmark)
        at = start + len(text)
        spans.append((start, at))
    return spans


def token_in_slot(prompt: str, form: str, token_id: int) -> TokenRef | None:
    """The token that stands in the first slot of `form`, read off `prompt`: for answers that do not name it.

    Its bytes are those of its text, so U+FFFD stands for what is not UTF-8. None where the tokenizer changed
    the slot's surroundings or nothing follows the slot.
    """
    before, slot, after = form.partition(SLOT)
    landmark, follower = before[-_LANDMARK:], after.partition(SLOT)[0][:_LANDMARK]
    start = prompt.find(landmark) + len(landmark)
    end = prompt.find(follower, start + 1)
    if not slot or not follower or landmark not in prompt or end < 0:
        return None
    text = prompt[start:end]
    return TokenRef(token_id=token_id, token_bytes=text.encode().hex(), text=text)


def prompt_lines(prompt: str, form: str, token: TokenRef | None, width: int, most: int | None) -> list[Content]:
    """`prompt` as lines of at most `width` cells with the token made visible and highlighted.

    `most`: at most so many lines (at least 3), those around the last slot (None: all). A line break of the
    prompt ends with `⏎`.
    """
    parts: list[str | tuple[str, str]] = []
    at = 0
    if token is not None:
        for start, end in slot_spans(prompt, form, token.text):
            parts += [_prose(prompt[at:start]), (token_text(token.token_bytes), TOKEN_STYLE)]
            at = end
    parts.append(_prose(prompt[at:]))
    text = Content.assemble(*parts)
    lines = [piece for line in text.split("\n") for piece in _wrap(line, width)]
    if most is None or len(lines) <= most:
        return lines
    slots = [place for place, line in enumerate(lines) if any(span.style == TOKEN_STYLE for span in line.spans)]
    return _around(lines, slots[-1] if slots else 0, most)


def template_form(template: Template) -> str:
    """The template's text with its slots, as a plain (base) model reads it."""
    return template.question + template.prefill


def by_name(templates: Sequence[Template]) -> dict[str, Template]:
    """Templates by name, in order; of two with one name the first counts (the user's stand before the shipped)."""
    named: dict[str, Template] = {}
    for template in templates:
        named.setdefault(template.name, template)
    return named


def fill(form: str, token_bytes: str) -> str:
    """`form` with the token's text in its slots: a preview; what a model reads is made of ids."""
    return form.replace(SLOT, decode(bytes.fromhex(token_bytes)))


def _around(lines: Sequence[Content], place: int, most: int) -> list[Content]:
    """`most` of `lines`, as late as they may be with the one at `place` among them; says how many are left out."""
    last = min(len(lines), place + most - 1)
    first = max(0, last - most)
    last = min(len(lines), first + most)
    shown = list(lines[first:last])
    if first:
        shown[0] = Content.styled(f"… {first + 1} lines …", MUTED)
    if last < len(lines):
        shown[-1] = Content.styled(f"… {len(lines) - last + 1} lines …", MUTED)
    return shown


def _prose(text: str) -> str:
    """`text` made safe, its line breaks kept as `⏎` and a newline."""
    return f"{LINE_END}\n".join(visible(line, spaces=False) for line in text.split("\n"))


def _wrap(line: Content, width: int) -> list[Content]:
    return [piece.rstrip() for piece in line.wrap(max(2, width))]
