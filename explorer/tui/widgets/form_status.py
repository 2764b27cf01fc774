"""The line below the fields of a form: which keys there are, or what is wrong."""

from __future__ import annotations

from collections.abc import Callable

from textual.widgets import Static

from explorer.base.text import visible
from explorer.tui.shell.replayed import is_replayed
from explorer.tui.widgets.option_line import FormError


class FormStatus(Static):
    """Says which keys there are as long as nothing is wrong: `run`, those that ask, and the others."""

    DEFAULT_CSS = """
    FormStatus {
        color: $text-muted; height: auto; max-height: 3;
        &.-problem { color: $error; text-style: bold; }
    }
    """

    def __init__(self, run: str, others: str, *, id: str | None = None) -> None:
        super().__init__(markup=False, id=id)
        self._run = run
        self._others = others

    def on_mount(self) -> None:
        self.say(self._hint)

    @property
    def _hint(self) -> str:
        return self._others if is_replayed(self) else f"{self._run}  {self._others}"

    def say(self, text: str, *, problem: bool = False) -> None:
        """Show `text`."""
        self.update(visible(text, spaces=False))
        self.set_class(problem, "-problem")

    def check(self, read: Callable[[], object]) -> bool:
        """Whether `read` succeeds; says what is wrong where it raises `FormError`."""
        try:
            read()
        except FormError as error:
            self.say(f"✗ {error}", problem=True)
            return False
        self.say(self._hint)
        return True
