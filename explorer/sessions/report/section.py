"""One step of a report."""

from __future__ import annotations

from dataclasses import dataclass

from explorer.specs.blocks import Block


@dataclass(frozen=True)
class Section:
    """One step of the report."""

    number: int
    at: str
    title: str
    summary: str
    kind: str
    """`note`, `trouble` (failed, stopped) or `answer`."""
    blocks: tuple[Block, ...]
    tags: tuple[str, ...] = ()
