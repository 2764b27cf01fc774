"""The reference tokens: which they are, why, and others in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from explorer.base.records.vocabulary import UnusedReference
from explorer.base.text import visible
from explorer.base.token_ids import format_ids, parse_ids
from explorer.tui.screens.dialog import Dialog
from explorer.tui.widgets.row_list import RowList


@dataclass(frozen=True)
class UnusedChoice:
    """What the user decided; the dialogue left with Esc gives None instead, and nothing changes."""

    ids: tuple[int, ...] | None
    """The reference, in rising order; None: found automatically."""


class UnusedScreen(Dialog[UnusedChoice]):
    """Lists the references with their reasons; the line below is edited and Enter takes it, empty for automatic."""

    dialog_title: ClassVar[str] = "Known-unused reference tokens"
    keys_line = "enter use these · empty line: automatic · tab list · esc leave"
    DEFAULT_CSS = """
    UnusedScreen {
        & #unused-list { margin: 0 0 1 0; }
        & #unused-problem { height: auto; min-height: 1; color: $error; }
    }
    """

    def __init__(
        self,
        references: Sequence[UnusedReference],
        vocab_size: int,
        *,
        text_of: Callable[[int], str] = lambda token_id: "",
    ) -> None:
        """`text_of` gives a token's visible text, to be shown beside its id."""
        super().__init__()
        self._references = tuple(references)
        self._vocab_size = vocab_size
        self._text_of = text_of

    def compose_body(self) -> ComposeResult:
        yield RowList(id="unused-list", empty="None was found: indicators that need reference tokens are left out.")
        yield Static(Content("Ids and ranges, such as 192, 245-255; nothing: found automatically."))
        field = Input(format_ids([reference.token_id for reference in self._references]), compact=True)
        field.cursor_blink = False
        yield field
        yield Static(Content(""), id="unused-problem")

    def on_mount(self) -> None:
        header = Content(f"  {'id':>7}  {'token':<24} why")
        rows = []
        for reference in self._references:
            text = Content(self._text_of(reference.token_id)).truncate(24, ellipsis=True)
            pad = " " * (25 - text.cell_length)
            reason = (visible(reference.reason, spaces=False), "$foreground-muted")
            rows.append(Content.assemble(f"{reference.token_id:>7}  ", text, pad, reason))
        self.query_one(RowList).show_rows(rows, header=header if rows else None)
        self.set_focus(self.query_one(Input))

    @on(Input.Changed)
    def show_problem(self, event: Input.Changed) -> None:
        """What is wrong so far, while it is typed."""
        try:
            count = len(parse_ids(event.value, self._vocab_size))
        except ValueError as problem:
            self._say(f"✗ {problem}", good=False)
        else:
            self._say(f"{count:,} reference tokens" if count else "found automatically", good=True)

    @on(Input.Submitted)
    def take(self, event: Input.Submitted) -> None:
        """Dismiss with the ids, or say what is wrong with them."""
        try:
            ids = parse_ids(event.value, self._vocab_size)
        except ValueError as problem:
            self._say(f"✗ {problem}", good=False)
        else:
            self.dismiss(UnusedChoice(ids or None))

    def _say(self, text: str, *, good: bool) -> None:
        content = Content.styled(text, "$foreground-muted" if good else "$error")
        self.query_one("#unused-problem", Static).update(content)
