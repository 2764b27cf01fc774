"""How the verbs about sessions print: tables, and what of a file cannot be read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from explorer.base.records.unions import Step
from explorer.headless.render import UNCUT
from explorer.sessions.file.reader import SessionFile
from explorer.specs.blocks import prose


def make_table(*columns: str, right: Sequence[str] = ()) -> Table:
    """A table without lines; the columns named in `right` are ranged right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(Text(name), justify="right" if name in right else "left", overflow="fold")
    return table


def make_console() -> Console:
    """Standard output; lines are not cut where it is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else UNCUT)


MOST_DAMAGE = 100
"""Damaged lines that are told one by one in words."""


def say_damage(session: SessionFile, name: str, *, as_json: bool, steps: Iterable[Step] | None = None) -> bool:
    """Print, before anything else, what of the file cannot be read; whether there is anything. `name`: of two. `steps`:
    those of the file, where they have been decoded already."""
    told = 0
    console = make_console()
    for told, said in enumerate(session.damage(steps), 1):
        if as_json:
            print(json.dumps({**({"session": name} if name else {}), "damage": said}))
        elif told <= MOST_DAMAGE:
            console.print(Text(prose(f"{name}: {said}" if name else said), "red"))
    if told > MOST_DAMAGE and not as_json:
        console.print(Text(f"… {told - MOST_DAMAGE:,} more lines are damaged: --json lists all", "red"))
    return told > 0
