"""Characters that cannot be seen, in text that is edited: drawn one for one, so that the cursor stays in its place."""

from __future__ import annotations

import unicodedata

from rich.highlighter import Highlighter
from rich.text import Text


def shown_character(character: str) -> str:
    """`character`, or U+FFFD where it is a control, a surrogate, or of another kind that has no glyph."""
    if character == "\t" or (character.isascii() and character.isprintable()):
        return character
    hidden = unicodedata.category(character)[0] == "C" or unicodedata.category(character) in ("Zl", "Zp")
    return "\N{REPLACEMENT CHARACTER}" if hidden else character


class ShowHidden(Highlighter):
    """For Textual's `Input`: what it draws, which is not always what it holds (pasted, or out of a settings file)."""

    def highlight(self, text: Text) -> None:
        """Put a sign in the place of each character that cannot be seen."""
        text.plain = "".join(map(shown_character, text.plain))
