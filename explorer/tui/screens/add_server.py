"""The dialogue that adds a server to the settings: where it is, what it serves, and where its key is found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, Literal, cast, get_args

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Label, Static

from explorer.base.errors import ExplorerError
from explorer.base.servers import ServerEntry, ServerKind
from explorer.base.text import visible
from explorer.tui.screens.dialog import Dialog
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.widgets.option_line import Choice, Field, Submitted

Keep = Callable[[ServerEntry], ServerEntry]
"""Writes a server into the settings; raises `ExplorerError` or OSError."""

_FIELDS: tuple[tuple[Literal["name", "url", "also", "model", "tokenizer", "key_env", "at_once"], str, str], ...] = (
    ("name", "name", "lab: it is then loaded as server:lab"),
    ("url", "URL", "http://127.0.0.1:8000 or https://HOST"),
    ("also", "more URLs", "of servers of the same model, which share the work; none"),
    ("model", "model", "the name it is served by; the only one"),
    ("tokenizer", "tokenizer", "a folder, GGUF file, hub id, or weights: and one of these"),
    ("key_env", "key variable", "LAB_KEY: the variable that holds the key, never the key; none"),
    ("at_once", "at once", "requests in flight; 4"),
)


class AddServer(Dialog[ServerEntry]):
    """Enter in a field keeps the server and dismisses with it; where something is wrong it says so and stays."""

    dialog_title: ClassVar[str] = "Add a server"
    keys_line = "enter add and load · tab next field · esc leave"
    DEFAULT_CSS = """
    AddServer {
        & > #dialog-box { height: auto; max-width: 90; }
        & .server-line { height: 1; }
        & Label { width: 13; color: $text-muted; }
        & Field { width: 1fr; }
        & #server-kind { width: 12; }
        & #server-note { margin: 1 0 0 0; color: $text-muted; }
        & #server-problem { height: auto; min-height: 2; color: $error; }
    }
    """

    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self._keep = keep

    def compose_body(self) -> ComposeResult:
        for name, label, placeholder in _FIELDS:
            with Horizontal(classes="server-line"):
                yield Label(label)
                yield Field(placeholder=placeholder, id=f"server-{name}")
            if name == "name":
                with Horizontal(classes="server-line"):
                    yield Label("kind")
                    yield Choice(get_args(ServerKind), value=get_args(ServerKind)[0], id="server-kind")
        yield Static(
            Content("It is written into the settings file; what else stands there stays. Prompts go to this server."),
            id="server-note",
        )
        yield Static(Content(""), id="server-problem")

    @on(Submitted)
    def submit(self, event: Submitted) -> None:
        """Keep it, or say what is wrong."""
        event.stop()
        run_guarded(self, self._try, group="keep", exclusive=True)

    async def _try(self) -> None:
        try:
            kept = await asyncio.to_thread(self._keep, self._entry())
        except ExplorerError as error:
            self._say(error.line)
        except OSError as error:
            self._say(f"the settings cannot be written: {error}")
        else:
            self.dismiss(kept)

    def _entry(self) -> ServerEntry:
        """What the fields say. Raises `ExplorerError` for a number that is none."""
        typed = {name: self.query_one(f"#server-{name}", Field).value.strip() for name, _, _ in _FIELDS}
        at_once = typed["at_once"] or "4"
        if not (at_once.isascii() and at_once.isdigit() and 1 <= int(at_once) <= 256):
            raise ExplorerError("at once: a whole number from 1 to 256")
        return ServerEntry(
            name=typed["name"],
            url=typed["url"],
            also=tuple(typed["also"].replace(",", " ").split()),
            kind=cast(ServerKind, self.query_one("#server-kind", Choice).chosen),
            model=typed["model"],
            tokenizer=typed["tokenizer"],
            key_env=typed["key_env"],
            at_once=int(at_once),
        )

    def _say(self, problem: str) -> None:
        self.query_one("#server-problem", Static).update(Content(f"✗ {visible(problem, spaces=False)}"))
