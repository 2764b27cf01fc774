"""A difference in words."""

from __future__ import annotations

from typing import Any

import msgspec

from explorer.base.records.record import Failure
from explorer.base.text import visible

_SHOWN = 60


def said(path: str, recorded: Any, live: Any) -> str:
    """A difference in words."""
    return f"{path}: {_shown(recorded)} was recorded, {_shown(live)} came"


def _shown(value: Any) -> str:
    if isinstance(value, Failure):
        value = f"failed: {value.message}"
    if isinstance(value, msgspec.Struct):
        return type(value).__name__
    if isinstance(value, float):
        return f"{value:.6g}"
    shown = visible(value if isinstance(value, str) else str(value), spaces=False)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
