"""What the user takes away in files: what the pane with the keys shows, and the marked tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, cast

from explorer.base.errors import ExplorerError
from explorer.base.files import free_name
from explorer.base.records.record import Failure
from explorer.base.records.unions import AnyOutcome
from explorer.base.text import visible
from explorer.tui.shell.guarded import run_guarded

if TYPE_CHECKING:
    from explorer.tui.live.app import ExplorerApp
    from explorer.tui.panes.takeaway import Takeaway
    from explorer.tui.panes.verdicts.pane import VerdictsPane

_SUFFIXES = ".csv .parquet .md .jsonl .bias.json .ban.json"


class Exports:
    """Asks for a file's name and writes it; one box at a time."""

    def __init__(self, app: ExplorerApp) -> None:
        self._app = app

    def open_shown(self) -> None:
        """Export what the pane with the keys shows."""
        from explorer.tui.panes.takeaway import takeaway_of

        self._open(takeaway_of(self._app.workspace.focus.pane), "This pane shows nothing to export yet.")

    def open_marked(self) -> None:
        """Export the marked tokens with their verdicts, tested or not."""
        app, selection = self._app, self._app.selection
        vocabulary = app.models.vocabularies.get(selection.model.name) if selection.model is not None else None
        if not selection.marked or vocabulary is None:
            app.remark("No token is marked: space marks one.", problem=True)
            return
        from explorer.tui.panes.verdicts.exporting import takeaway_of_marks

        pane = cast("VerdictsPane", app.workspace.pane("verdicts"))
        self._open(takeaway_of_marks(pane.body.listed, selection, vocabulary), "The vocabulary is not read yet.")

    def _open(self, found: Takeaway | None, otherwise: str) -> None:
        if found is None:
            self._app.remark(otherwise, problem=True)
        else:
            run_guarded(self._app, lambda: self._export(found), group="export", exclusive=True)

    async def _export(self, found: Takeaway) -> None:
        from explorer.tui.screens.ask_line import AskLine

        stem = (self._app.workspace.focus.pane.id or "export").removesuffix("-pane")
        offered = free_name(Path.cwd(), stem, ".csv").name
        question = AskLine(f"Export {found.what} to", initial=offered, placeholder=_SUFFIXES)
        name = await self._app.push_screen_wait(question)
        if not name:
            return
        path = Path(name).expanduser().absolute()
        try:
            await self._write(found, path)
        except ExplorerError as error:
            self._app.remark(error.line, problem=True)
        else:
            words = found.what[0].upper() + found.what[1:]
            self._app.remark(f"{words}: written to {visible(str(path), spaces=False)}")

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
        outcome = (await self._app.client.ask(found.read)).outcome
        if isinstance(outcome, Failure):
            raise ExplorerError(outcome.message, hint=outcome.hint)
        return outcome
