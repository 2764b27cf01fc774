"""What the user takes away in files: what the pane with the keys shows, as rows or as the picture of its plot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.base.errors import ExplorerError
from explorer.base.files import free_name
from explorer.base.records.record import Failure
from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.base.text import visible
from explorer.tui.shell.guarded import run_guarded

if TYPE_CHECKING:
    from explorer.pipe.client import Answered
    from explorer.tui.panes.takeaway import Takeaway
    from explorer.tui.shell.stage import Stage

_SUFFIXES = ".csv .parquet .md .jsonl .bias.json .ban.json"
PICTURE = ".svg"


class Exports:
    """Asks for a file's name and writes it; one box at a time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.ask: Callable[[AnyRequest], Awaitable[Answered]] | None = None
        """Asks the engine; None where there is none."""

    def open_shown(self) -> None:
        """Export what the pane with the keys shows."""
        self.open(self._shown(), "This pane shows nothing to export yet.")

    def open(self, found: Takeaway | None, otherwise: str) -> None:
        """Export `found`; where there is nothing, say `otherwise`."""
        if found is None:
            self._stage.remark(otherwise, problem=True)
        else:
            run_guarded(self._stage, partial(self._export, found), group="export", exclusive=True)

    async def _export(self, found: Takeaway) -> None:
        from explorer.tui.screens.ask_line import AskLine

        offered = free_name(Path.cwd(), self._stem, ".csv").name
        plot = "" if found.plot is None else f"; the plot to {PICTURE}"
        question = f"Export {found.what} to a file that ends with {_SUFFIXES}{plot}"
        name = await self._stage.push_screen_wait(AskLine(question, initial=offered))
        if name:
            await self._write_and_tell(found, Path(name).expanduser().absolute())

    def has_plot(self) -> bool:
        """Whether the pane with the keys shows a plot."""
        found = self._shown()
        return found is not None and found.plot is not None

    def save_plot(self) -> None:
        """Write the plot of the pane with the keys into the current folder, under a name that is free."""
        found = self._shown()
        if found is not None:
            path = free_name(Path.cwd(), self._stem, PICTURE)
            run_guarded(self._stage, partial(self._write_and_tell, found, path), group="plot", exclusive=True)

    def _shown(self) -> Takeaway | None:
        from explorer.tui.panes.takeaway import takeaway_of

        return takeaway_of(self._stage.workspace.focus.pane)

    @property
    def _stem(self) -> str:
        """What a file is called of the pane with the keys."""
        return (self._stage.workspace.focus.pane.id or "export").removesuffix("-pane")

    async def _write_and_tell(self, found: Takeaway, path: Path) -> None:
        is_picture = path.suffix.lower() == PICTURE
        try:
            await (self._write_plot(found, path) if is_picture else self._write(found, path))
        except ExplorerError as error:
            self._stage.remark(error.line, problem=True)
        else:
            words = "The plot" if is_picture else found.what[0].upper() + found.what[1:]
            self._stage.remark(f"{words}: written to {visible(str(path), spaces=False)}")

    async def _write_plot(self, found: Takeaway, path: Path) -> None:
        from explorer.specs.chart_svg import chart_picture
        from explorer.specs.charts import Chart
        from explorer.specs.plot_svg import plot_picture
        from explorer.tables.exports import write_content

        if found.plot is None:
            hint = "'Save a screenshot' in ctrl+p writes the whole screen as SVG."
            raise ExplorerError("this pane shows no plot", hint=hint)
        make = found.plot

        def write() -> None:
            plot = make()
            write_content(path, chart_picture(plot) if isinstance(plot, Chart) else plot_picture(plot))

        await asyncio.to_thread(write)

    async def _write(self, found: Takeaway, path: Path) -> None:
        from explorer.tables.exports import form_of
        from explorer.tables.row_exports import write_rows

        form_of(path)  # refused before the engine is asked
        if found.write is not None:
            await asyncio.to_thread(found.write, path)
        else:
            outcome = await self._read(found)
            await asyncio.to_thread(lambda: write_rows(found.rows(outcome), path))

    async def _read(self, found: Takeaway) -> AnyOutcome | None:
        if found.read is None:
            return None
        if self.ask is None:
            hint = "Press c to continue with live models."
            raise ExplorerError(f"{found.what} are not in the session's file", hint=hint)
        outcome = (await self.ask(found.read)).outcome
        if isinstance(outcome, Failure):
            raise ExplorerError(outcome.message, hint=outcome.hint)
        return outcome
