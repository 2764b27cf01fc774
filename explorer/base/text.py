"""From token bytes to a screen: `visible` is the one road, and everything hostile stops here.

A token may hold markup, ESC, bidirectional overrides, zero-width characters or lone bytes. `visible` gives
one line of printable characters whose width terminals agree on; no widget shows token or model text that
has not been through it.
"""

from __future__ import annotations

import unicodedata

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_HIDDEN_CATEGORIES = {"Zl", "Zp", "Mc", "Me"}
_shows_native = False
"""Of this process, whose terminal shows scripts or not: threads that make texts for it have to see it too."""


def decode(token_bytes: bytes) -> str:
    """The bytes as UTF-8, U+FFFD in place of what is not."""
    return token_bytes.decode("utf-8", "replace")


def _is_hidden(character: str, category: str, *, native: bool) -> bool:
    if native and (category == "Mc" or (category[0] != "C" and _is_reordered(character))):
        return False
    code = ord(character)
    return (
        category[0] == "C"
        or category in _HIDDEN_CATEGORIES
        or (category == "Zs" and character != " ")
        or 0xFE00 <= code <= 0xFE0F  # variation selectors change a neighbour's width
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones, likewise
        or _is_reordered(character)
    )


def _is_reordered(character: str) -> bool:
    """Whether some terminals write it from right to left."""
    return unicodedata.bidirectional(character) in ("R", "AL", "AN")


def show_native(on: bool) -> None:
    """Whether `visible` leaves every script as it is written, from here on in this process (an explorer's)."""
    global _shows_native
    _shows_native = on


def visible(text: str, *, spaces: bool = True, native: bool | None = None) -> str:
    """`text` as one safe line: space → `·`, newline → `\\n`, what is invisible or moves others → `\\u{…}`.

    With `spaces=False` (prose: a prompt, a reply) spaces inside stay spaces. With `native` (None: as `show_native`
    said) combining vowels and letters that are written from right to left stay as they are: they are isolated by what
    writes to the terminal (`explorer.tui.shell.anchoring`). A text that is safe stays as it is when it comes again.
    """
    native = _shows_native if native is None else native
    if text.isascii() and text.isprintable() and (not spaces or " " not in text):
        return text
    shown: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        if character == " ":
            shown.append("·" if spaces else " ")
        elif character in _ESCAPES:
            shown.append(_ESCAPES[character])
        elif _is_hidden(character, category, native=native):
            shown.append(f"\\u{{{ord(character):x}}}")
        elif category in ("Mn", "Mc") and not shown:
            shown.append("◌" + character)
        else:
            shown.append(character)
    return "".join(shown)


def visible_bytes(token_bytes: bytes, *, spaces: bool = True, native: bool | None = None) -> str:
    """Like `visible`, with `\\xNN` for each byte that is not UTF-8 (instead of a U+FFFD that hides which)."""
    decoded = token_bytes.decode("utf-8", "backslashreplace") if not _is_utf8(token_bytes) else decode(token_bytes)
    return visible(decoded, spaces=spaces, native=native)


def _is_utf8(token_bytes: bytes) -> bool:
    try:
        token_bytes.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
