"""Every named user act, one row each: the row gives the key, the footer, the palette, the help and the README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from textual.binding import Binding
from textual.keys import format_key

from explorer.specs.registry import REGISTRY
from explorer.specs.spec import Tab
from explorer.tui.shell.tabs import in_row


class Command(msgspec.Struct, frozen=True):
    """A named user act."""

    name: str
    """As in the settings' `[keys]` table and in the App's table of acts."""
    key: str
    """Default key, or keys separated by commas, in Textual's spelling."""
    title: str
    """Two or three words, for the footer and the palette."""
    help: str
    """One sentence."""
    group: str
    """Heading in the help."""
    footer: bool = False
    opens: Literal["", "pane", "box"] = ""
    """Keys that follow at once are meant for what it opens and wait until that has the keys; those for a box that does
    not come are never commands."""


def tab_commands(tabs: Iterable[Tab]) -> tuple[Command, ...]:
    """For each tab with a command: that command, which asks about the selected token."""
    return tuple(
        Command(tab.command, tab.key, tab.command_title, tab.command_help, "Ask", footer=True, opens="pane")
        for tab in tabs
        if tab.command
    )


def show_commands(tabs: Iterable[Tab]) -> tuple[Command, ...]:
    """For each tab: the command that shows it."""
    shown = list(in_row(tabs))
    return tuple(
        Command(f"show_{tab.name}", _digit_keys(tab), f"go to {tab.title}", f"Go to the {tab.title} tab.", "View")
        for tab in shown
    )


def _digit_keys(tab: Tab) -> str:
    return f"f{tab.number},{tab.number % 10}" if tab.number else ""


TABS = REGISTRY.tabs()
"""Those known at the first paint; tabs of other packages come later."""
COMMANDS: tuple[Command, ...] = (
    Command(
        *("filter", "slash", "filter", "Filter the token table: text, /regex/, id:, bytes:, cat:, pct:.", "Tokens"),
        footer=True,
        opens="box",
    ),
    Command("sort_next", "s", "sort", "Sort by the next column.", "Tokens", True),
    Command("sort_previous", "S", "sort back", "Sort by the previous column.", "Tokens"),
    Command("sort_reverse", "d", "reverse", "Reverse the sort order.", "Tokens"),
    Command("jump", "g", "go to id", "Jump to a token by its id or text.", "Tokens", opens="box"),
    Command("next_token", "J", "next token", "Select the token below; the keys stay in their pane.", "Tokens"),
    Command("previous_token", "K", "token before", "Select the token above; the keys stay in their pane.", "Tokens"),
    Command("back", "backspace", "back", "Go back to the token before the last jump.", "Tokens"),
    Command("forward", "f", "forward", "Go forward again to the token of that jump.", "Tokens"),
    Command("mark", "space", "mark", "Mark or unmark the token.", "Tokens", True),
    Command("inspect", "i", "inspect", "Record everything known of the token (Enter does the same).", "Tokens"),
    *tab_commands(TABS),
    Command("prove_all", "A", "prove all", "Prove of every token whether it can be the argmax of the logits.", "Ask"),
    Command("export", "e", "export", "Export what the pane with the keys shows to a file.", "Ask", opens="box"),
    Command(
        "export_marked",
        "E",
        "export marked",
        "Export the marked tokens with their verdicts to a file.",
        "Ask",
        opens="box",
    ),
    Command(
        *("copy", "y", "copy", "Copy the text selected with the mouse, the row under the cursor, or all of the pane."),
        group="Ask",
    ),
    Command(
        *("copy_as", "Y", "copy as", "Choose what to copy: token, id, row, a number, prompt, reply, certificate."),
        group="Ask",
    ),
    Command("pause", "p", "pause", "Pause a run over many tokens, or resume it.", "Ask"),
    Command("cancel", "escape", "cancel", "Cancel what is running; leave a box or a pane; clear the filter.", "Ask"),
    Command("models", "m", "models", "Load, unload and choose models.", "Models", True, opens="box"),
    Command("next_model", "right_square_bracket", "next model", "Show the next model's vocabulary.", "Models"),
    Command(
        "previous_model", "left_square_bracket", "previous model", "Show the previous model's vocabulary.", "Models"
    ),
    Command("restart_engine", "ctrl+r", "restart engine", "Start the engine again after it stopped.", "Models"),
    Command("reference", "u", "reference tokens", "Show and edit the reference tokens.", "Models", opens="box"),
    Command("save_as", "ctrl+s", "save as", "Continue the session in another file.", "Session", opens="box"),
    Command("sessions", "ctrl+o", "sessions", "List the recent sessions; replay or resume one.", "Session"),
    Command("note", "N", "note", "Write a note into the session; #words at its end are tags.", "Session", opens="box"),
    *show_commands(TABS),
    Command("zoom", "z", "zoom", "Give the pane with the keys the whole window, or share it again.", "View", True),
    Command("grow", "plus,equals_sign", "more room", "Give the pane with the keys more room.", "View"),
    Command("shrink", "minus", "less room", "Give the pane with the keys less room.", "View"),
    Command("theme", "t", "theme", "Switch to the next theme and keep it in the settings.", "View"),
    Command("defect", "f12", "last error", "Show the last internal error, to copy it.", "View"),
    Command("log", "ctrl+l", "engine log", "Show the engine's last log lines.", "View"),
    Command("help", "question_mark", "help", "Show every key and what it does.", "Help", True),
    Command("quit", "q", "quit", "Quit. The session file is always complete.", "Help", True),
)

SHARED = (
    *(command.name for command in show_commands(TABS)),
    "export",
    "copy",
    "copy_as",
    "zoom",
    "theme",
    "defect",
    "help",
    "quit",
)
"""Commands that a replay has too."""

REPLAY_COMMANDS: tuple[Command, ...] = (
    Command(
        "step_forward",
        "full_stop",
        "next step",
        "Go to the next step (→ too, outside forms and tables).",
        "Replay",
        True,
    ),
    Command(
        "step_back", "comma", "step back", "Go to the previous step (← too, outside forms and tables).", "Replay", True
    ),
    Command("first_step", "less_than_sign", "first step", "The first step.", "Replay"),
    Command("last_step", "greater_than_sign", "last step", "The last step.", "Replay"),
    Command("go_to_step", "g", "go to step", "Jump to a step by its number.", "Replay", True, opens="box"),
    Command("play", "space", "play", "Play at the recorded pace, or stop playing.", "Replay", True),
    Command("faster", "plus,equals_sign", "faster", "Play twice as fast.", "Replay"),
    Command("slower", "minus", "slower", "Play half as fast.", "Replay"),
    Command(
        "search",
        "slash",
        "search",
        "Search for the next step with these words, or with a note's #tag.",
        "Replay",
        True,
        opens="box",
    ),
    Command("search_next", "n", "search on", "Go to the next match of the search.", "Replay"),
    Command("search_previous", "N", "search back", "Go to the previous match of the search.", "Replay"),
    Command("only_token", "o", "only this token", "Show only steps about the selected token.", "Replay"),
    Command("only_model", "m", "only this model", "Show only steps about the selected model.", "Replay"),
    Command(
        "go_live", "c", "continue live", "Load the models of this moment and continue in a new session.", "Replay", True
    ),
    Command("cancel", "escape", "leave", "Leave a field or a box, for the token table; stop playing.", "Replay"),
    *(command for command in COMMANDS if command.name in SHARED),
    Command("grow", "right_curly_bracket", "more room", "Give the pane with the keys more room.", "View"),
    Command("shrink", "left_curly_bracket", "less room", "Give the pane with the keys less room.", "View"),
)
"""What a replay can do."""


def bindings(keys: Mapping[str, str], commands: Sequence[Command] = COMMANDS) -> list[Binding]:
    """The App's bindings, with the user's `keys` (command name → key) in place of the defaults."""
    return [
        Binding(key, action_of(command), command.title, show=command.footer)
        for command in commands
        if (key := keys.get(command.name, command.key))
    ]


_PRINTED = {"enter": "enter", "backspace": "backspace"}
"""Keys that most keyboards name in words, where Textual draws them."""


def key_name(key: str) -> str:
    """A key of Textual's as it is printed on a keyboard: '/', 'ctrl+r', '←'."""
    return _PRINTED.get(key) or format_key(key)


def key_names(command: Command, keys: Mapping[str, str]) -> str:
    """The command's keys as they are printed on a keyboard: '/', 'ctrl+r', 'f2 or 2'."""
    return " or ".join(key_name(key.strip()) for key in keys.get(command.name, command.key).split(","))


def action_of(command: Command) -> str:
    """The one action of the App that carries out any command."""
    return f"command({command.name!r})"
