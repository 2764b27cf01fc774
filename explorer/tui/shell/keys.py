"""The settings' `[keys]` table: old names of commands, and what is wrong with it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from explorer.base.text import visible
from explorer.tui.shell.commands import Command

ALIASES = {"certify": "prove", "show_speaking": "show_speakability", "unused": "reference"}
"""Names that commands had in earlier releases."""
_MODIFIERS = {"ctrl", "shift", "alt", "super", "hyper", "meta"}
_NAMED = {key.value for key in Keys} | set(KEY_NAME_REPLACEMENTS.values())


def without_aliases(keys: Mapping[str, str]) -> dict[str, str]:
    """The table with the present names of the commands."""
    return {ALIASES.get(name, name): key for name, key in keys.items()}


def usable_keys(keys: Mapping[str, str], commands: Sequence[Command]) -> dict[str, str]:
    """What of the user's table can be used: known commands, on keys that there are."""
    names = {command.name for command in commands}
    return {name: key for name, key in keys.items() if name in names and all(map(is_key, key.split(",")))}


def key_problems(keys: Mapping[str, str], commands: Sequence[Command], others: Iterable[Command] = ()) -> list[str]:
    """What is wrong with the user's table, a line each. `others`: commands of other screens, which may be in it too."""
    names = {command.name for command in (*commands, *others)}
    problems = [f"there is no command {_quoted(name)}" for name in keys if name not in names]
    for name, key in keys.items():
        problems += [f"{name}: there is no key {_quoted(part)}" for part in key.split(",") if not is_key(part)]
    problems += _shared_keys(usable_keys(keys, commands), commands)
    return [f"Settings, [keys]: {problem}." for problem in problems]


def _shared_keys(keys: Mapping[str, str], commands: Sequence[Command]) -> list[str]:
    """Keys that the user's table gives to two commands."""
    holders: dict[str, list[str]] = {}
    for command in commands:
        for key in filter(None, keys.get(command.name, command.key).split(",")):
            holders.setdefault(_long_name(key.strip()), []).append(command.name)
    shared = ((key, names) for key, names in holders.items() if len(names) > 1)
    return [f"the key {_quoted(key)} is given to {' and to '.join(names)}" for key, names in shared]


def is_key(key: str) -> bool:
    """Whether Textual knows a key of this name: `ctrl+r`, `f2`, `slash`, `/`."""
    *modifiers, name = key.strip().split("+") if len(key.strip()) > 1 else [key.strip()]
    if not set(modifiers) <= _MODIFIERS or not name:
        return False
    return len(name) == 1 or name in _NAMED or _is_character_name(name)


def _is_character_name(name: str) -> bool:
    try:
        unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return False
    return True


def _long_name(key: str) -> str:
    """A key by the name that Textual gives it: '/' is 'slash'."""
    if len(key) != 1 or key.isalnum():
        return key
    name = unicodedata.name(key, key).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


def _quoted(text: str) -> str:
    return f"'{visible(text, spaces=False)}'"
