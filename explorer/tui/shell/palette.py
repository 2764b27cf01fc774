"""What the command palette offers besides the commands that have keys: columns, themes, and a picture."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette

from explorer.base.errors import ExplorerError
from explorer.base.files import write_whole
from explorer.base.records.tokens import INDICATORS, LABELS
from explorer.base.text import visible
from explorer.tui.shell.anchoring import isolate_scripts
from explorer.tui.shell.guarded import is_on_top

if TYPE_CHECKING:
    from explorer.tui.shell.stage import Stage


class Palette(CommandPalette):
    """Textual's palette, whose list hears no key before it has room: Textual's own pages then through lines that it
    has not laid out (KeyError). It closes itself alone: a second key pressed fast would close what is below."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        return super().dismiss(result) if is_on_top(self) else AwaitComplete()

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)


def show_palette(app: App[Any]) -> None:
    """Open the palette, once."""
    if not Palette.is_open(app):
        app.push_screen(Palette(id="--command-palette"))


def offer_looks(stage: Stage) -> Iterator[SystemCommand]:
    """Each theme by name, and a screenshot."""
    for name in stage.looks.names:
        yield SystemCommand(
            f"Theme: {name}", "Use this theme and keep it in the settings.", partial(stage.looks.show, name)
        )
    yield SystemCommand(
        "Save a screenshot", "Write the screen as an SVG picture into the current folder.", partial(_save_screen, stage)
    )


def offer_plot(stage: Stage) -> Iterator[SystemCommand]:
    """The plot of the pane with the keys, where it has one."""
    if stage.is_open and stage.exports.has_plot():
        said = "Write the pane's plot as an SVG picture into the current folder."
        yield SystemCommand("Save the plot", said, stage.exports.save_plot)


def offer_columns(stage: Stage) -> Iterator[SystemCommand]:
    """Each column of the token table by name, to sort by."""
    if stage.is_open:
        commands = stage.workspace.token_pane.commands
        for name in commands.sorts:
            meaning = INDICATORS.get(name, "a column of the token table")
            title = f"Sort by {visible(name)}" + (f" ({LABELS[name]})" if name in LABELS else "")
            sort = partial(commands.sort_by_heading, name)
            yield SystemCommand(title, f"By {meaning}; chosen again: the other way round.", sort)


def _save_screen(stage: Stage) -> None:
    """Write the picture beside others of its kind, under a name that is free; tell its full path, or what is wrong."""
    taken = {path.name for path in Path.cwd().glob("glitch-explore-*.svg")}
    number = next(number for number in range(1, len(taken) + 2) if f"glitch-explore-{number}.svg" not in taken)
    path = Path.cwd() / f"glitch-explore-{number}.svg"
    try:
        write_whole(path, [isolate_scripts(stage.export_screenshot()).encode()])
    except (OSError, ExplorerError) as error:
        stage.remark(f"The screenshot could not be written: {error}.", problem=True)
    else:
        stage.remark(f"Screenshot: {visible(str(path), spaces=False)}")
