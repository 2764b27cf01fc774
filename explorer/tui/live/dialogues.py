"""What the user is asked in boxes: models, reference tokens, files, notes, other sessions.

Each is imported when it is first opened: the first paint waits for none of them.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.base.errors import ExplorerError
from explorer.base.records.models import ListModels, ModelCatalogue
from explorer.base.records.notes import WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.base.servers import NAMED
from explorer.sessions.file.form import SUFFIX
from explorer.settings import state_folder
from explorer.tui.shell.guarded import Work, run_guarded
from explorer.tui.shell.messages import Ask

if TYPE_CHECKING:
    from explorer.tui.live.app import ExplorerApp
    from explorer.tui.screens.models import ModelChoice, ModelsScreen


class Dialogues:
    """Opens boxes over the explorer, one of a kind at a time, and does what was decided in them."""

    def __init__(self, app: ExplorerApp) -> None:
        self._app = app

    def _open(self, group: str, work: Work) -> None:
        run_guarded(self._app, work, group=group, exclusive=True)

    # ── models ──

    def open_models(self) -> None:
        """Load, unload and choose models."""
        self._open("models", self._choose_model)

    async def _choose_model(self) -> None:
        from explorer.tui.screens.models import ModelsScreen

        selection = self._app.selection
        failed = {source: each.reason for source, each in self._app.models.failures.items()}
        shown = selection.model.name if selection.model else ""
        usual = self._app.models.request_for("")
        screen = ModelsScreen(
            selection.roster, selected=shown, failed=failed, usual=usual, servers=self._app.models.servers
        )
        self._open("catalogue", partial(self._fill_catalogue, screen))
        choice = await self._app.push_screen_wait(screen)
        if choice is not None:
            self._act_on(choice)

    def _act_on(self, choice: ModelChoice) -> None:
        app = self._app
        if choice.request is not None:
            app.models.load(choice.request)
        elif choice.action == "retry":
            if (failed := app.models.failures.get(choice.source)) is not None:
                app.models.load(failed.request)
        elif choice.action == "add server":
            self._open("server", self._add_server)
        elif choice.action == "dismiss":
            app.models.dismiss(choice.source)
        elif choice.action == "unload":
            app.models.unload(choice.model)
        else:  # none where it was unloaded while the dialogue was open
            for info in app.selection.roster.models:
                if info.name == choice.model:
                    app.models.choose(info)

    async def _add_server(self) -> None:
        """Describe a server, keep it in the settings, and load its model."""
        from explorer.settings_file import add_server
        from explorer.tui.screens.add_server import AddServer

        keep = partial(add_server, path=self._app.looks.path)
        server = await self._app.push_screen_wait(AddServer(keep))
        if server is not None:
            self._app.models.add_server(server)
            self._app.models.load(self._app.models.request_for(f"{NAMED}{server.name}"))

    async def _fill_catalogue(self, screen: ModelsScreen) -> None:
        """What else could be loaded, as soon as the engine says so."""
        outcome = (await self._app.client.ask(ListModels())).outcome
        # The answer may be there before the screen is, or after it: this waits for it, and does nothing after it.
        if isinstance(outcome, ModelCatalogue):
            screen.call_later(screen.show_catalogue, outcome)
        elif isinstance(outcome, Failure):
            screen.call_later(screen.show_problem, ExplorerError(outcome.message, outcome.hint).line)

    def open_reference(self) -> None:
        """The reference tokens: shown, and changed where the user wants."""
        self._open("unused", self._edit_reference)

    async def _edit_reference(self) -> None:
        app, model = self._app, self._app.selection.model
        step = app.models.vocabularies.get(model.name) if model is not None else None
        if model is None or step is None or not isinstance(step.outcome, VocabularyColumns):
            app.remark("No vocabulary is loaded: press m.")
            return
        from explorer.tables.table import TokenColumns
        from explorer.tui.screens.unused import UnusedScreen

        columns = TokenColumns(step.outcome)
        screen = UnusedScreen(columns.unused, columns.vocab_size, text_of=columns.visible)
        chosen = await app.push_screen_wait(screen)
        if chosen is not None:
            app.runs.ask(ReadVocabulary(model=model.name, unused_ids=chosen.ids), record=False)

    # ── files and notes ──

    async def _ask(self, question: str, placeholder: str) -> str | None:
        from explorer.tui.screens.ask_line import AskLine

        return await self._app.push_screen_wait(AskLine(question, placeholder=placeholder))

    def open_note(self) -> None:
        """Write a note on the token under the cursor into the session."""
        self._app.asking.on_token(partial(self._open, "note", self._take_note), or_none=True)

    async def _take_note(self) -> None:
        written = await self._ask("Note", "words, then #tags")
        if written:
            text, tags = split_tags(written)
            token, model = self._app.selection.token, self._app.selection.model
            name, token_id = model.name if model else "", token.token_id if token else None
            self._app.post_message(Ask(WriteNote(text=text, model=name, token_id=token_id, tags=tags)))

    def open_save_as(self) -> None:
        """Continue the session in another file."""
        self._open("save", self._save_as)

    async def _save_as(self) -> None:
        app = self._app
        name = await self._ask("Save the session as", "a name here, or a path")
        if not name:
            return
        path = app.session.path.parent / Path(name).expanduser()
        path = path if path.suffix else path.with_name(path.name + SUFFIX)
        try:
            await app.recorder.save_as(path)
        except ExplorerError as error:
            app.remark(error.line, problem=True)
        else:
            app.workspace.session_pane.set_file(path)
            app.steps.show_trouble("")
            app.remark(f"The session continues in {path.name}.")

    def open_sessions(self) -> None:
        """The recent sessions; this one ends when another is opened."""
        self._open("sessions", self._choose_session)

    async def _choose_session(self) -> None:
        from explorer.tui.screens.sessions import SessionsScreen
        from explorer.tui.shell.openings import OpenNew, OpenReplay, OpenResumed

        folder = state_folder(self._app.settings) / "sessions"
        opening = await self._app.push_screen_wait(SessionsScreen(folder, current=self._app.session.path))
        if isinstance(opening, OpenReplay):
            path = self._app.session.path
            opening = OpenReplay(opening.path, back=OpenResumed(path) if path.exists() else OpenNew())
        if opening is not None:
            await self._app.ending.leave_for(opening)

    def open_log(self) -> None:
        """The engine's last log lines, and internal errors."""
        from explorer.tui.screens.log import LogScreen

        self._app.push_screen(LogScreen(self._app.client.log_lines(), self._app.notices.defects.found))


_TAG = re.compile(r"#\w[\w-]*")


def split_tags(written: str) -> tuple[str, tuple[str, ...]]:
    """A note's words, and the `#tags` at its end; a note of nothing but tags keeps them as its words too."""
    words = written.split()
    first = len(words)
    while first and _TAG.fullmatch(words[first - 1]):
        first -= 1
    tags = tuple(dict.fromkeys(word[1:] for word in words[first:]))
    text = written
    for word in reversed(words[first:]):
        text = text.rstrip().removesuffix(word)
    return text.strip() or written.strip(), tags
