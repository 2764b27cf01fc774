"""One question, answered on one line."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from explorer.base.text import visible
from explorer.tui.screens.dialog import Dialog
from explorer.tui.widgets.shown_characters import ShowHidden

Validator = Callable[[str], str | None]
"""What is wrong with an answer, in words, or None where it is right."""


class AskLine(Dialog[str]):
    """Asks `question`; Enter dismisses with the answer once the validator has nothing to say, Esc with None."""

    keys_line = "enter done · esc leave"
    DEFAULT_CSS = """
    AskLine {
        & > #dialog-box { height: auto; max-width: 76; }
        & #ask-problem { height: auto; min-height: 1; color: $error; }
    }
    """

    def __init__(
        self, question: str, *, initial: str = "", placeholder: str = "", validate: Validator = lambda answer: None
    ) -> None:
        super().__init__()
        self._question = question
        self._initial = initial
        self._placeholder = placeholder
        self._validate = validate

    def compose_body(self) -> ComposeResult:
        yield Static(Content(visible(self._question, spaces=False)))
        field = Input(self._initial, placeholder=self._placeholder, highlighter=ShowHidden(), compact=True)
        field.cursor_blink = False
        yield field
        yield Static(Content(""), id="ask-problem")

    @on(Input.Changed)
    def show_problem(self, event: Input.Changed) -> None:
        """What is wrong so far, while it is typed; an empty line is no mistake yet."""
        self._say(self._validate(event.value) if event.value else None)

    @on(Input.Submitted)
    def answer(self, event: Input.Submitted) -> None:
        """Take the answer, or say what is wrong with it."""
        problem = self._validate(event.value)
        if problem is None:
            self.dismiss(event.value)
        else:
            self._say(problem)

    def _say(self, problem: str | None) -> None:
        text = "" if problem is None else f"✗ {visible(problem, spaces=False)}"
        self.query_one("#ask-problem", Static).update(Content(text))
