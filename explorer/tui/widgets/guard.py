"""The last line of defence: no control character reaches the terminal, whichever widget drew it.

Textual passes ESC, C1 controls and bidirectional overrides in a widget's text on to the terminal, where a
token could then recolour the screen or write the clipboard (OSC 52). Every text still goes through
`explorer.base.text.visible` first; this filter is for the one that somebody forgets.
"""

from __future__ import annotations

import re

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufff9-\ufffb]")
"""C0, DEL and C1; marks, embeddings, overrides and isolates of the bidirectional algorithm; line and paragraph
separators; interlinear annotation. All have width 0, so taking them out moves nothing."""

_SURROGATES = re.compile("[\ud800-\udfff]")
"""Half characters: they have width 1 and make the terminal's encoder raise, so something must stand for them."""


class ControlGuard(LineFilter):
    """Takes control characters out of every rendered line; the width of the line stays.

    Hook it up in the App: `def get_line_filters(self): return [*super().get_line_filters(), ControlGuard()]`.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, those that hold controls replaced; Rich's own control segments are left alone."""
        return [segment if _is_harmless(segment) else _cleaned(segment) for segment in segments]


def _is_harmless(segment: Segment) -> bool:
    """Nothing of `CONTROLS` is printable, nor is a surrogate: a map's braille need not be searched for them."""
    return bool(segment.control) or segment.text.isprintable()


def _cleaned(segment: Segment) -> Segment:
    text = _SURROGATES.sub("\ufffd", CONTROLS.sub("", segment.text))
    return segment if text == segment.text else Segment(text, segment.style)
