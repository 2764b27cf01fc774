"""Text of which terminals disagree how wide it is: what stands behind it is put where it belongs.

A combining vowel such as Tamil's U+0BBE takes a cell in tmux and xterm, and none in kitty and for Rich. Such text comes
between the isolates of the bidirectional algorithm (`explorer.base.text.isolated`). On its way to the terminal
the cells that it is reckoned to have are painted, the text is written over them, and the cursor is put behind them.
"""

from __future__ import annotations

import re

from rich.cells import cell_len
from textual.driver import Driver

from explorer.base.text import FSI, PDI

_ISOLATED = re.compile(f"{FSI}([^{FSI}{PDI}\x1b]*){PDI}")
_SAVE, _RESTORE = "\x1b7", "\x1b8"


def anchor(data: str) -> str:
    """`data` on its way to the terminal, with every isolated text as wide as it is reckoned to be."""
    if FSI not in data and PDI not in data:
        return data
    return _ISOLATED.sub(_anchored, data)


def _anchored(found: re.Match[str]) -> str:
    cells = cell_len(found[1])
    if not cells:
        return ""
    return f"{_SAVE}{' ' * cells}{_RESTORE}{found[0]}{_RESTORE}\x1b[{cells}C"


def anchoring(driver: type[Driver]) -> type[Driver]:
    """The same driver, which anchors what it writes."""

    class AnchoringDriver(driver):  # type: ignore[misc, valid-type]  # the platform's own
        def write(self, data: str) -> None:
            super().write(anchor(data))

    return AnchoringDriver
