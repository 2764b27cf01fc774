"""The tree of the models of a lineage."""

from __future__ import annotations

from explorer.base.records.record import Record


class TreeJoint(Record, kw_only=True):
    """Models that are nearer to each other than to the others."""

    models: tuple[str, ...]
    r: float
    """Mean correlation of the answers between its two sides."""
    support: float
    """Share of resamplings of the tokens in which it stands."""
    by_chance: bool
    """Whether strangers, or shuffled tokens, are as near."""


class LineageTree(Record, kw_only=True):
    """Average linkage on 1 - r of four models or more."""

    joints: tuple[TreeJoint, ...]
    """The nearest first; the last is of all models."""
    floor: float
    """r of the nearest negative control: references against bases, and shuffled tokens."""
    tokens: int
    outputs: int
