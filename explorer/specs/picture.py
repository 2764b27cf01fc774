"""Sizes and colours of pictures in reports and files."""

from __future__ import annotations

WIDTH, HEIGHT, MARGIN = 720, 420, 40
ON_WHITE = {"wash": "#f5f7f9", "line": "#d9e0e7", "ink": "#1d2733", "dim": "#667585", "paper": "#fff"}
RAMP = ("#440154", "#443983", "#31688e", "#21918c", "#35b779", "#90d743", "#fde725")
"""Viridis: even to the eye, and told apart by people who see colours otherwise."""
NO_VALUE = "#8a8a8a"
CLASSES = ("#0087ff", "#5f00af", "#878700", "#ff00af", "#00005f", "#005f00", "#00875f")
"""Of classes, on white: any two, and `NO_VALUE`, are told apart by people who see colours otherwise."""
CLASS_INKS = (*CLASSES, NO_VALUE)
"""By the number of a colour, the ground's last."""
