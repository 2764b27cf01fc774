"""Writes into the settings file what the explorer is told on the screen; all else in it stays, with comments and order.

A file that is no TOML, or would not be settings afterwards, is left as it is.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.files import write_whole
from explorer.base.servers import NAMED, ServerEntry, check_server
from explorer.settings import checked_settings, settings_file

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


def remember_theme(theme: str, path: Path | None = None) -> None:
    """Write `theme` into the settings file.

    Raises `ExplorerError` where the file is no TOML, which is then left alone; OSError where it cannot be written.
    """
    import tomlkit  # only needed here

    place = path or settings_file()
    content = _read(place)
    if "theme" in content or not content:
        content["theme"] = theme
    else:  # after the tables it would belong to the last of them
        content = tomlkit.parse(f"{tomlkit.dumps({'theme': theme})}{tomlkit.dumps(content)}")
    _write(place, tomlkit.dumps(content))


def add_server(entry: ServerEntry, path: Path | None = None) -> ServerEntry:
    """Add a server to the settings file; as it stands there then.

    Raises `ExplorerError` for one that cannot be used, whose name is taken, or that would be written into a file which
    is wrong without it; OSError where the file cannot be written.
    """
    import tomlkit  # only needed here

    server = check_entry(entry)
    place = path or settings_file()
    content = _read(place)
    held = content.setdefault("servers", tomlkit.aot())
    if not isinstance(held, list):
        raise ExplorerError(f"servers in {place} is no list of servers", hint="Correct it there.")
    if any(isinstance(each, dict) and each.get("name") == server.name for each in held):
        raise ExplorerError(f"a server is called {server.name!r} already", hint="Choose another name.")
    kept = {name: value for name, value in msgspec.to_builtins(server).items() if value != _DEFAULTS.get(name)}
    table = tomlkit.table() if isinstance(held, tomlkit.items.AoT) else tomlkit.inline_table()
    table.update(kept)
    held.append(table)
    text = tomlkit.dumps(content)
    checked_settings(tomllib.loads(text), place)
    _write(place, text)
    return server


_DEFAULTS: dict[str, Any] = {"also": []}
"""What is not written beside what a record leaves out itself."""


def check_entry(entry: ServerEntry) -> ServerEntry:
    """A server as it may be written. Raises `ExplorerError`, also for a variable's name that may be a key."""
    if not _NAME.fullmatch(entry.name):
        raise ExplorerError(
            "a server's name has letters, digits, '.', '-' and '_', at most 40",
            hint=f"It is loaded as {NAMED}NAME, such as {NAMED}lab.",
        )
    if entry.key_env and not _VARIABLE.fullmatch(entry.key_env):
        raise ExplorerError(
            "the key's variable is a name such as LAB_KEY, in capitals, and never the key itself",
            hint="Set the variable where the engine runs; nothing writes the key down.",
        )
    server = check_server(entry)
    assert isinstance(server, ServerEntry), "it stays what it was"
    return server


def _read(place: Path) -> TOMLDocument:
    import tomlkit  # only needed here
    from tomlkit.exceptions import ParseError

    try:
        return tomlkit.parse(place.read_bytes().decode() if place.exists() else "")
    except (UnicodeDecodeError, ParseError) as error:
        raise ExplorerError(f"settings file {place}: {error}", hint="Correct the file, or move it away.") from error


def _write(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, [text.encode()])
