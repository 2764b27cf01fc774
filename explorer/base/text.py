"""From token bytes to a screen: `visible` is the one road, and everything hostile stops here.

A token may hold markup, ESC, bidirectional overrides, zero-width characters or lone bytes. `visible` gives
one line of printable characters whose width terminals agree on; no widget shows token or model text that
has not been through it.
"""

from __future__ import annotations

import unicodedata

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_HIDDEN_CATEGORIES = {"Zl", "Zp", "Mc", "Me"}


def decode(token_bytes: bytes) -> str:
    """The bytes as UTF-8, U+FFFD in place of what is not."""
    return token_bytes.decode("utf-8", "replace")


def _is_hidden(character: str, category: str) -> bool:
    code = ord(character)
    return (
        category[0] == "C"
        or category in _HIDDEN_CATEGORIES
        or (category == "Zs" and character != " ")
        or 0xFE00 <= code <= 0xFE0F  # variation selectors change a neighbour's width
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones, likewise
        or unicodedata.bidirectional(character) in ("R", "AL", "AN")  # reordered by some terminals
    )


def visible(text: str, *, spaces: bool = True) -> str:
    """`text` as one safe line: space → `·`, newline → `\\n`, what is invisible or moves others → `\\u{…}`.

    With `spaces=False` (prose: a prompt, a reply) spaces inside stay spaces.
    """
    if text.isascii() and text.isprintable() and (not spaces or " " not in text):
        return text
    shown: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        if character == " ":
            shown.append("·" if spaces else " ")
        elif character in _ESCAPES:
            shown.append(_ESCAPES[character])
        elif _is_hidden(character, category):
            shown.append(f"\\u{{{ord(character):x}}}")
        elif category == "Mn" and not shown:
            shown.append("◌" + character)
        else:
            shown.append(character)
    return "".join(shown)


def visible_bytes(token_bytes: bytes, *, spaces: bool = True) -> str:
    """Like `visible`, with `\\xNN` for each byte that is not UTF-8 (instead of a U+FFFD that hides which)."""
    decoded = token_bytes.decode("utf-8", "backslashreplace") if not _is_utf8(token_bytes) else decode(token_bytes)
    return visible(decoded, spaces=spaces)


def _is_utf8(token_bytes: bytes) -> bool:
    try:
        token_bytes.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
