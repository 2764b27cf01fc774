"""Writes the README's table of keys from the commands: `python docs/keys.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from explorer.tui.screens.help import key_names
from explorer.tui.shell.commands import COMMANDS, REPLAY_COMMANDS, Command

BEGIN, END = "<!-- keys: made by docs/keys.py -->\n", "<!-- end of keys -->\n"


def key_table() -> str:
    """The tables in Markdown, a row for each command; a replay has its own."""
    own = [command for command in REPLAY_COMMANDS if command not in COMMANDS]
    return BEGIN + _table("key", COMMANDS) + "\n" + _table("in a replay", own) + END


def _table(heading: str, commands: Sequence[Command]) -> str:
    rows = [f"| {heading} | |", "|---|---|"]
    rows += [f"| `{key_names(command, {}).replace('|', chr(92) + '|')}` | {command.help} |" for command in commands]
    return "\n".join(rows) + "\n"


def main() -> None:
    """Put the table in its place."""
    readme = Path(__file__).parent.parent / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(before + key_table() + after, encoding="utf-8")


if __name__ == "__main__":
    main()
