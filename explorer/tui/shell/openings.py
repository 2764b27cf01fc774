"""What can be opened on the screen. A screen that ends names the next one; `cli` opens it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from explorer.base.records.models import LoadModel


class OpenNew(msgspec.Struct, frozen=True):
    """The explorer with a new session."""

    path: Path | None = None
    """Its file; None: a new one among the others."""


class OpenResumed(msgspec.Struct, frozen=True):
    """A session file, resumed: its steps on the screen, its models loaded again, what follows appended."""

    path: Path
    sources: tuple[str, ...] = ()
    """Where models are now whose folders the file does not tell, and further ones to load."""


class OpenReplay(msgspec.Struct, frozen=True):
    """A session file, looked at without a model."""

    path: Path
    back: OpenNew | OpenResumed | None = None
    """What is shown again when the replay ends; the engine keeps its models meanwhile."""


class OpenLive(msgspec.Struct, frozen=True):
    """The explorer in a new session that continues another one."""

    parent: Path
    models: tuple[LoadModel, ...]
    """How the models were loaded there, in order."""


Opening = OpenNew | OpenReplay | OpenResumed | OpenLive
