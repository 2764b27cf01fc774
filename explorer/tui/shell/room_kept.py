"""How the user divided the window, kept for the next start: a tiny file in the state folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.files import write_whole

LEAST_SPLIT, MOST_SPLIT = 20, 80
"""Percent of the width that the left column may have."""
FEWEST_ROWS, MOST_ROWS = 4, 500
"""Rows that the details may have."""
_LONGEST = 4096
"""Bytes; a longer file is none of ours."""


class Division(msgspec.Struct, frozen=True, kw_only=True):
    """What the user moved; None: as the style sheet says."""

    split: Annotated[int, msgspec.Meta(ge=LEAST_SPLIT, le=MOST_SPLIT)] | None = None
    """Percent of the width that the left column has."""
    rows: Annotated[int, msgspec.Meta(ge=FEWEST_ROWS, le=MOST_ROWS)] | None = None
    """Rows of the details."""
    is_zoomed: bool = False
    """Whether the part with the keys has the whole window."""


def division_file(folder: Path) -> Path:
    """Where the division is kept."""
    return folder / "window.json"


def read_division(path: Path) -> Division:
    """The division kept at `path`; the usual one where there is no file. Raises `ExplorerError` where the file holds
    anything else."""
    try:
        if not path.exists():
            return Division()
        if not path.is_file() or path.stat().st_size > _LONGEST:  # a pipe would be waited for
            raise ValueError("not a small file")
        return msgspec.json.decode(path.read_bytes(), type=Division)
    except (OSError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise ExplorerError(
            f"{path.name}, which holds how the window is divided, cannot be read: {error}",
            hint="It is ignored, and written anew when you quit.",
        ) from error


def write_division(path: Path, division: Division) -> None:
    """Keep `division` at `path`. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [msgspec.json.encode(division)])
