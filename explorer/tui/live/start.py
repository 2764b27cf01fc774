"""How the explorer starts: the engine, the panes while it starts, then the models, new or of an earlier session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual.widgets import Static

from explorer.base.errors import ExplorerError
from explorer.base.records.models import LoadModel
from explorer.base.servers import is_server
from explorer.tui.live.front import say_loading
from explorer.tui.shell.opening import hear_commands, open_panes

if TYPE_CHECKING:
    from explorer.sessions.file.reader import SessionFile
    from explorer.tui.live.app import ExplorerApp


class Start:
    """What is done once, after the first paint."""

    def __init__(self, app: ExplorerApp, before: SessionFile | None, again: Sequence[LoadModel]) -> None:
        """`before`: the session that is resumed. `again`: how models of an earlier session were loaded."""
        self._app = app
        self._before = before
        self.again = tuple(again)

    async def begin(self) -> None:
        """Start the engine, open the panes while it starts, and load the models."""
        app = self._app
        await self._read_lists()
        known = [app.models.request_for(source) for source in app.settings.models] if self._before is None else []
        app.select(loading="starting the engine …")
        app.query_one("#opening", Static).update(f"opening …\n{say_loading(app.settings.models)}")
        await app.models.start_engine(known)
        app.front.show_running(app.runs)
        await self._open_panes()
        if self.again or self._before is not None:
            self._load_again()

    async def _read_lists(self) -> None:
        """Read the published lists that the settings name; what is wrong with one is remarked."""
        if not self._app.settings.lists:
            return
        from explorer.base.token_lists import read_token_list

        found = []
        for file in self._app.settings.lists:
            try:
                found.append(await asyncio.to_thread(read_token_list, Path(file).expanduser()))
            except ExplorerError as error:
                self._app.remark(error.line, problem=True)
        self._app.models.lists = tuple(found)

    async def _open_panes(self) -> None:
        app = self._app
        await open_panes(app)
        app.workspace.session_pane.set_file(app.session.path)
        if app.session.recovered:
            app.remark(f"{app.session.path.name}: {app.session.recovered}", problem=True)
        tab = "tokens" if self._before is None else await self._resume(self._before)
        app.workspace.show_tab(tab)
        hear_commands(app)
        app.steps.take_early()

    async def _resume(self, before: SessionFile) -> str:
        """Show the screen as it was at the end of the session; the tab of its last answer."""
        from explorer.tui.replay.restore import resume

        app = self._app
        situation, tab = await resume(app, before)
        app.selection = replace(situation.selection, roster=app.selection.roster, loading=app.selection.loading)
        app.models.awaited = app.selection.model.name if app.selection.model is not None else ""
        for loaded in situation.loaded:
            app.models.note_identity(loaded.info)  # what another checkpoint of the name said is then forgotten
        self.again = tuple(loaded.request for loaded in situation.loaded)
        return tab

    def _load_again(self) -> None:
        """Load the models of an earlier session, and those of the settings that are not among them."""
        from explorer.tui.replay.restore import loads_again

        app = self._app
        loads, missing = loads_again(self.again, app.settings)
        for source in missing:
            why = "was loaded from a folder that the session does not name"
            if is_server(source):
                why = "is a server that the settings do not name, so it is not asked"
            app.remark(f"{source} {why}: press m to load it.", problem=True)
        sources = {request.source for request in loads}
        others = [app.models.request_for(source) for source in app.settings.models if source not in sources]
        for request in (*loads, *others):
            app.models.load(request)
