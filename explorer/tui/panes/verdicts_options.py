"""What can be chosen in the Verdicts pane, and the `Verify` that the choices make."""

from __future__ import annotations

WHICH = ("suspicious %", "marked", "selected", "all tokens")
SETS: dict[str, tuple[str, ...]] = {
    "usual ones": (),
    "quick ones": ("glitchminer", "substring", "geometric"),
    "magikarp": ("magikarp",),
    "sampled": ("sampled",),
    "plain": ("plain",),
    "speakability": ("speakability",),
    "all of them": ("all",),
}
"""Definitions that are asked, by the name of the choice."""
OTHER = "as asked"
"""The choice that stands for definitions that a headless run named."""
