"""Every named user act, one row each: the row gives the key, the footer, the palette, the help and the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True)
class Command:
    """A named user act."""

    name: str
    """As in the settings' `[keys]` table and in `action_<name>` of the App."""
    key: str
    """Default key, or keys separated by commas, in Textual's spelling."""
    title: str
    """Two or three words, for the footer and the palette."""
    help: str
    """One sentence."""
    group: str
    """Heading in the help."""
    footer: bool = False


COMMANDS: tuple[Command, ...] = (
    Command(
        "filter", "slash", "filter", "Filter the token table: text, /regex/, id:, bytes:, cat:, pct:.", "Tokens", True
    ),
    Command("sort_next", "s", "sort", "Sort by the next column.", "Tokens", True),
    Command("sort_previous", "S", "sort back", "Sort by the column before.", "Tokens"),
    Command("sort_reverse", "d", "reverse", "Turn the sorting order round.", "Tokens"),
    Command("jump", "g", "go to id", "Jump to a token by id.", "Tokens"),
    Command("mark", "space", "mark", "Mark or unmark the token.", "Tokens", True),
    Command("inspect", "i", "inspect", "Record everything known of the token (Enter does the same).", "Tokens"),
    Command("repeat", "r", "repeat", "Ask the loaded models to repeat the token back.", "Ask", True),
    Command("logprobs", "l", "logprobs", "Next-token log-probabilities across the loaded models.", "Ask", True),
    Command("neighbours", "n", "nearest", "Nearest neighbours of the token, listed and plotted.", "Ask", True),
    Command("verify", "v", "verify", "Test tokens by every definition of a glitch token.", "Ask", True),
    Command("certify", "c", "prove", "Prove whether tokens can be said at all.", "Ask", True),
    Command("export", "e", "export", "Write the marked tokens, or those of the matrix, to a file.", "Ask"),
    Command("pause", "p", "pause", "Pause a run over many tokens, or go on with it.", "Ask"),
    Command("cancel", "escape", "cancel", "Stop what runs; leave a box or a dialogue.", "Ask"),
    Command("models", "m", "models", "Load, unload and choose models.", "Models", True),
    Command("next_model", "right_square_bracket", "next model", "Show the next model's vocabulary.", "Models"),
    Command("previous_model", "left_square_bracket", "previous model", "Show the model's before.", "Models"),
    Command("restart_engine", "ctrl+r", "restart engine", "Start the engine again after it stopped.", "Models"),
    Command("unused", "u", "unused ids", "Show and edit the known-unused reference tokens.", "Models"),
    Command("save_as", "ctrl+s", "save as", "Go on with the session in another file.", "Session"),
    Command("sessions", "ctrl+o", "sessions", "The recent sessions: replay one, or go on with it.", "Session"),
    Command("note", "N", "note", "Write a note into the session; #words at its end are tags.", "Session"),
    Command("show_tokens", "f1,1", "tokens", "Go to the token table.", "View"),
    Command("show_repeat", "f2,2", "repeat-back", "Go to the Repeat-back tab.", "View"),
    Command("show_logprobs", "f3,3", "logprobs", "Go to the Logprobs tab.", "View"),
    Command("show_neighbours", "f4,4", "neighbours", "Go to the Neighbours tab.", "View"),
    Command("show_session", "f5,5", "session", "Go to the Session tab.", "View"),
    Command("show_verdicts", "f6,6", "verdicts", "Go to the Verdicts tab.", "View"),
    Command("show_speaking", "f7,7", "speaking", "Go to the Speaking tab: what can be said, with proof.", "View"),
    Command("theme", "t", "theme", "The next theme, kept in the settings.", "View"),
    Command("log", "ctrl+l", "engine log", "Show the engine's last log lines.", "View"),
    Command("help", "question_mark", "help", "Every key, with what it does.", "Help", True),
    Command("quit", "q", "quit", "End; the session file is complete at any moment.", "Help", True),
)

SHARED = (
    *("show_tokens", "show_repeat", "show_logprobs", "show_neighbours", "show_session"),
    *("show_verdicts", "show_speaking"),
    *("theme", "help", "quit"),
)
"""Commands that a replay has too."""

REPLAY_COMMANDS: tuple[Command, ...] = (
    Command(
        "step_forward", "full_stop", "next step", "The next step (→ too, outside forms and tables).", "Replay", True
    ),
    Command("step_back", "comma", "step back", "The step before (← too, outside forms and tables).", "Replay", True),
    Command("first_step", "less_than_sign", "first step", "The first step.", "Replay"),
    Command("last_step", "greater_than_sign", "last step", "The last step.", "Replay"),
    Command("go_to_step", "g", "go to step", "Jump to a step by its number.", "Replay", True),
    Command("play", "space", "play", "Play at the recorded pace, or stop playing.", "Replay", True),
    Command("faster", "plus,equals_sign", "faster", "Play twice as fast.", "Replay"),
    Command("slower", "minus", "slower", "Play half as fast.", "Replay"),
    Command(
        "search", "slash", "search", "Go to the next step with these words, or with a note's #tag.", "Replay", True
    ),
    Command("search_next", "n", "search on", "Go to the next step that was searched for.", "Replay"),
    Command("search_previous", "N", "search back", "Go to the one before that was searched for.", "Replay"),
    Command("only_token", "o", "only this token", "Step only through what is about the selected token.", "Replay"),
    Command("only_model", "m", "only this model", "Step only through what speaks of the selected model.", "Replay"),
    Command("go_live", "c", "go on live", "Load the models of this moment and go on in a new session.", "Replay", True),
    *(command for command in COMMANDS if command.name in SHARED),
)
"""What a replay can do."""


def bindings(keys: Mapping[str, str], commands: Sequence[Command] = COMMANDS) -> list[Binding]:
    """The App's bindings, with the user's `keys` (command name → key) in place of the defaults."""
    return [
        Binding(keys.get(command.name, command.key), command.name, command.title, show=command.footer)
        for command in commands
    ]
