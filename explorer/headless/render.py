"""Blocks on a terminal or a pipe, by rich. Every text is shown as text, never as markup."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from explorer.base.numbers import align_decimals
from explorer.specs.blocks import Block, Plot, Quote, Table, Words
from explorer.specs.charts import Chart

UNCUT = 10_000
"""Cells: a pipe has no width, nothing is cut there."""


def print_blocks(blocks: Iterable[Block]) -> None:
    """Print blocks on stdout: as wide as the terminal, uncut where there is none."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else UNCUT)
    for block in blocks:
        for thing in _rendered(block):
            with console.capture() as captured:
                console.print(thing)
            print("\n".join(line.rstrip(" ") for line in captured.get().split("\n")), end="")


def _rendered(block: Block) -> Iterator[RenderableType]:
    match block:
        case Words(text=text, warns=warns):
            yield Text(text, style="yellow" if warns else "")
        case Quote(text=text):
            yield Text(text, style="dim")
        case Table():
            if block.title:
                yield Text(block.title, style="bold")
            yield _table(block)
        case Plot() | Chart():
            return  # a picture belongs to the explorer and to reports; the table beside it has every number


def _table(block: Table) -> RichTable:
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for head in block.heads:
        table.add_column(Text(head), justify="right" if head in block.right else "left", no_wrap=True)
    columns = [list(column) for column in zip(*block.rows, strict=True)]
    for place, head in enumerate(block.heads):
        if head in block.right and columns:
            columns[place] = align_decimals(columns[place])
    for row in zip(*columns, strict=True):
        table.add_row(*map(Text, row))
    return table
