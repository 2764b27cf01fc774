"""A small editor for prompts: slots are highlighted, `enter` runs, `ctrl+j` breaks the line."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.replayed import is_replayed
from explorer.tui.widgets.option_line import LEAVE, Submitted
from explorer.tui.widgets.shown_characters import shown_character


class PromptArea(Guarded, TextArea):
    """Text of a prompt with `{token}` slots; as high as its text, up to two lines, six while it is edited.

    What cannot be seen is drawn as U+FFFD, one for one, so that the cursor stays where the character is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "run", "run", priority=True),  # before the editor takes it for a line break
        Binding("ctrl+j", "break_line", "new line", priority=True),
        LEAVE,
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"prompt-area--slot"}
    DEFAULT_CSS = """
    PromptArea {
        height: auto;
        min-height: 1;
        max-height: 2;
        border: none;
        padding: 0;
        background: $surface;
        scrollbar-size-vertical: 1;
        &:focus { border: none; background: $accent 15%; max-height: 6; }
        & .prompt-area--slot { color: $accent; text-style: bold underline; }
    }
    """

    def __init__(self, text: str = "", *, id: str | None = None) -> None:
        super().__init__(text, compact=True, soft_wrap=True, tab_behavior="focus", highlight_cursor_line=False, id=id)
        self.cursor_blink = False

    def on_mount(self) -> None:
        self.read_only = is_replayed(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a replay the prompt stays as it was asked."""
        return not (action in ("run", "break_line") and is_replayed(self))

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        shown = Text("".join(map(shown_character, line.plain)), end="")
        shown.highlight_regex(r"\{token\}", self.get_component_rich_style("prompt-area--slot", partial=True))
        return shown

    def action_run(self) -> None:
        """Enter: ask with this prompt."""
        self.post_message(Submitted())

    def action_break_line(self) -> None:
        """Begin another line of the prompt."""
        self.insert("\n")
