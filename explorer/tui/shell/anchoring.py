"""Text of which terminals disagree how wide it is: what stands behind it is put where it belongs.

A combining vowel such as Tamil's U+0BBE takes a cell in tmux and xterm, and none in kitty: it is reckoned to have one
(`explorer.tui.widgets.widths`). Letters from right to left reorder what stands beside them, unless they come between
isolates of the bidirectional algorithm. All of that is done on the way to the terminal, behind everything that cuts
lines: no text of a widget holds an isolate that a cut could leave open. The cells that a text is reckoned to have are
painted, the text is written over them, and the cursor is put behind them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.driver import Driver

if TYPE_CHECKING:
    import regex

FSI, PDI = "\u2068", "\u2069"
"""First strong isolate and pop directional isolate: what stands between them keeps its direction to itself."""
_RIGHT_TO_LEFT = r"\p{bc=R}\p{bc=AL}\p{bc=AN}"
_JOINER = r"\u200c\u200d"
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}\p{{Extended_Pictographic}}◌{_JOINER}]--[\x00-\x7f]]"
_WORD = rf"{_LETTER}*[{_RIGHT_TO_LEFT}\p{{Mc}}{_JOINER}]{_LETTER}*"
_UNCERTAIN = rf"(?V1)(?<!{_LETTER})((?:·*{_WORD})+)( *)"
"""Words of uncertain width or direction, and the blanks into which they may spill. No blank is between two of them:
what stands in two columns stays in its order."""
_LIKELY = re.compile("[\u0590-\u1fff\u200c\u200d\u2de0-\U0010ffff]")
"""The blocks where such words are written, and none of the frames and dots that every screen has."""
_SAVE, _RESTORE = "\x1b7", "\x1b8"


def isolate_scripts(data: str) -> str:
    """`data` with everything that is written from right to left between isolates: it moves nothing else."""
    return _expression(_UNCERTAIN).sub(lambda found: _isolated(found[1]) + found[2], data) if _is_likely(data) else data


def anchor(data: str) -> str:
    """`data` on its way to the terminal, with every text of uncertain width as wide as it is reckoned to be."""
    return _expression(_UNCERTAIN).sub(_anchored, data) if _is_likely(data) else data


def _is_likely(data: str) -> bool:
    return not data.isascii() and _LIKELY.search(data) is not None


@cache
def _expression(pattern: str) -> regex.Pattern[str]:
    import regex  # takes time that the first paint has not; few screens need it

    return regex.compile(pattern)


def _isolated(words: str) -> str:
    return f"{FSI}{words}{PDI}" if _expression(f"[{_RIGHT_TO_LEFT}]").search(words) else words


def _anchored(found: regex.Match[str]) -> str:
    cells = cell_len(found[0])
    if not cells:
        return ""
    return f"{_SAVE}{' ' * cells}{_RESTORE}{_isolated(found[1])}{_RESTORE}\x1b[{cells}C"


def anchoring(driver: type[Driver]) -> type[Driver]:
    """The same driver, which anchors what it writes."""

    class AnchoringDriver(driver):  # type: ignore[misc, valid-type]  # the platform's own
        def write(self, data: str) -> None:
            super().write(anchor(data))

    return AnchoringDriver
