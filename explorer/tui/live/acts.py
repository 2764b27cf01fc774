"""What each command does: one `action_` for each row of `commands.COMMANDS`.

Dialogues are imported when they are first opened: the first paint waits for none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from explorer.base.errors import ExplorerError
from explorer.base.records.inspect import InspectToken
from explorer.base.records.notes import WriteNote
from explorer.base.records.speakability import ProveSpeakability
from explorer.base.records.verification import Verify
from explorer.sessions.file.form import SUFFIX
from explorer.settings import state_folder
from explorer.tui.live.model_acts import ModelActs
from explorer.tui.panes.base import Pane
from explorer.tui.shell.messages import Ask

if TYPE_CHECKING:
    from explorer.tui.panes.verdicts.pane import VerdictsPane


class Acts(ModelActs):
    """The App's actions. They change what is shown or ask for something; none computes."""

    # ── tokens ────────────────────────────────────────────────────────────────────────────────────────────

    def action_filter(self) -> None:
        self.show_tab("tokens")
        self.token_pane.open_filter()

    def action_sort_next(self) -> None:
        self.token_pane.sort_next()

    def action_sort_previous(self) -> None:
        self.token_pane.sort_next(-1)

    def action_sort_reverse(self) -> None:
        self.token_pane.reverse()

    def action_jump(self) -> None:
        self.show_tab("tokens")
        self.token_pane.open_jump()

    def action_mark(self) -> None:
        self.on_token(self.token_pane.toggle_mark)

    def action_inspect(self) -> None:
        self.on_token(self._inspect_selected)

    def _inspect_selected(self) -> None:
        if self.selection.token is not None:
            self.inspect(self.selection.token.token_id, record=True)

    def inspect(self, token_id: int, *, record: bool) -> None:
        """Ask for everything known of a token; unrecorded, only the latest such question is kept."""
        loaded = {info.name for info in self.selection.roster.models}
        if self.selection.model is not None and self.selection.model.name in loaded and self.client.state != "stopped":
            request = InspectToken(model=self.selection.model.name, token_id=token_id)
            self.desk.ask(request, record=record, latest="" if record else "details")

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────

    def action_repeat(self) -> None:
        self.run_pane("repeat")

    def action_logprobs(self) -> None:
        self.run_pane("logprobs")

    def action_neighbours(self) -> None:
        self.run_pane("neighbours")

    def action_verify(self) -> None:
        self.run_pane("verdicts")

    def action_certify(self) -> None:
        self.run_pane("speaking")

    def action_pause(self) -> None:
        """Stop the runs over many tokens, which keep on disk what they have; or go on with those that were stopped."""
        if stopped := self.desk.cancel_all((Verify, ProveSpeakability)):
            self.remark(f"Pausing {stopped} run{'s' if stopped > 1 else ''}: p goes on.")
        elif self.paused:
            waiting, self.paused = list(self.paused), {}
            for request in waiting:
                self.desk.ask(request)
        else:
            self.remark("No run over many tokens is under way: v verifies, c certifies.")

    def action_cancel(self) -> None:
        if stopped := self.desk.cancel_all():
            self.remark(f"Stopping {stopped} request{'s' if stopped > 1 else ''}.")
        else:
            self.token_pane.focus_table()

    def on_token(self, act: Callable[[], None]) -> None:
        """Do `act` on the token under the cursor, once the table has taken every key pressed before this one."""
        self.token_pane.table.call_later(self._act_on_token, act)

    def _act_on_token(self, act: Callable[[], None]) -> None:
        row = self.token_pane.row_under_cursor()
        if row != self.selection.token:
            self.select(token=row)
        act()

    def run_pane(self, tab: str) -> None:
        """Show a tab and have its pane ask about the token under the cursor."""
        # Beside the table the keys stay with it: walk on, ask again.
        self.show_tab(tab, focus=self.screen.has_class("-narrow"))
        self.on_token(partial(self._run_pane, tab))

    def _run_pane(self, tab: str) -> None:
        if self.client.state == "stopped":
            self.remark("The engine has stopped: ctrl+r starts it again.", problem=True)
            return
        if self.selection.token is None:
            self.remark("Select a token first: press 1 for the table.")
        else:
            self.query_one(f"#{tab}-pane", Pane).run_default()

    # ── the session, and the rest ─────────────────────────────────────────────────────────────────────────

    def action_export(self) -> None:
        self.run_worker(self.export_tokens(), group="export", exclusive=True, exit_on_error=False)

    async def export_tokens(self) -> None:
        """Ask for a file and write the marked tokens with their verdicts there, else those that the matrix shows."""
        from explorer.tui.screens.ask_line import AskLine

        pane = cast("VerdictsPane", self.screen_stack[0].query_one("#verdicts-pane"))
        model = self.selection.model
        vocabulary = self.vocabularies.get(model.name) if model is not None and self.selection.marked else None
        if vocabulary is None and not pane.has_matrix:
            self.remark("There is nothing to export yet: space marks tokens, v tests them.", problem=True)
            return
        forms = ".csv .parquet .md .jsonl .bias.json .ban.json"
        name = await self.push_screen_wait(AskLine("Export the tokens to", placeholder=forms))
        if name:
            try:
                self.remark(await pane.export(Path(name).expanduser(), vocabulary))
            except ExplorerError as error:
                self.remark(error.line, problem=True)

    def action_note(self) -> None:
        self.on_token(self._begin_note)

    def _begin_note(self) -> None:
        self.run_worker(self.take_note(), group="note", exclusive=True, exit_on_error=False)

    async def take_note(self) -> None:
        """Ask for a remark and put it into the session."""
        from explorer.tui.screens.ask_line import AskLine

        written = await self.push_screen_wait(AskLine("Note", placeholder="words, then #tags"))
        if written:
            text, tags = split_tags(written)
            token, model = self.selection.token, self.selection.model
            self.post_message(
                Ask(
                    WriteNote(
                        text=text,
                        model=model.name if model else "",
                        token_id=token.token_id if token else None,
                        tags=tags,
                    )
                )
            )

    def action_save_as(self) -> None:
        self.run_worker(self.save_as(), group="save", exclusive=True, exit_on_error=False)

    async def save_as(self) -> None:
        """Ask for a file and go on with the session there."""
        from explorer.tui.screens.ask_line import AskLine

        folder = self.recorder.session.path.parent
        name = await self.push_screen_wait(AskLine("Save the session as", placeholder="a name here, or a path"))
        if not name:
            return
        path = folder / Path(name).expanduser()
        path = path if path.suffix else path.with_name(path.name + SUFFIX)
        try:
            await self.recorder.save_as(path)
        except ExplorerError as error:
            self.remark(error.line, problem=True)
        else:
            self.session_pane.set_file(path)
            self.show_trouble("")
            self.remark(f"The session goes on in {path.name}.")

    def show_trouble(self, trouble: str) -> None:
        """Say on whatever tab that the session is not written (once), and that it is again."""
        if not self.is_open:
            return
        self.session_pane.set_trouble(trouble)
        if trouble and trouble != self.trouble:
            what_to_do = "The steps are kept and tried again with the next one; ctrl+s goes on in another file."
            self.remark(f"{trouble[0].upper()}{trouble[1:]}. {what_to_do}", problem=True)
        elif self.trouble and not trouble:
            self.remark("The session is written again: no step is missing.")
        self.trouble = trouble

    def action_sessions(self) -> None:
        self.run_worker(self.choose_session(), group="sessions", exclusive=True, exit_on_error=False)

    async def choose_session(self) -> None:
        """The recent sessions; this one ends when another is opened."""
        from explorer.tui.screens.sessions import SessionsScreen

        folder = state_folder(self.settings) / "sessions"
        opening = await self.push_screen_wait(SessionsScreen(folder, current=self.recorder.session.path))
        if opening is not None:
            await self.leave_for(opening)

    def action_log(self) -> None:
        from explorer.tui.screens.log import LogScreen

        self.push_screen(LogScreen(self.client.log_lines()))

    async def finish(self) -> None:
        """Everything is on disk, the engine told; no model is waited for."""
        await self.recorder.finish()
        await self.client.stop()


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
