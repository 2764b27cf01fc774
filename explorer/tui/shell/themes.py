"""Themes from TOML files: the colours of the whole screen, and the ramp that indicators are coloured with."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

_log = logging.getLogger(__name__)

RAMP: tuple[str, ...] = tuple(f"ramp-{step}" for step in range(7))
"""Theme variables of the sequential ramp, low to high; every theme defines them."""

CLASSES: tuple[str, ...] = tuple(f"class-{step}" for step in range(7))
"""Theme variables of the colours of classes; a theme that has none takes those for its kind of ground."""
ON_DARK = ("#d75fff", "#afff87", "#5f8700", "#d7af00", "#af5f5f", "#5fd7ff", "#0087af")
ON_LIGHT = ("#00005f", "#0087ff", "#005f00", "#5f00af", "#00875f", "#ff00af", "#878700")
"""Of the 6 x 6 x 6 cube of 256 colours, so chosen that any two are told apart by people who see colours otherwise, and
each from the muted text of our themes; the first ones the best."""

_REQUIRED_COLOURS = ("primary", "accent", "warning", "error", "success", "foreground", "background")
_OPTIONAL_COLOURS = ("secondary", "surface", "panel", "boost")
_NUMBERS = ("luminosity_spread", "text_alpha")
_KEYS = {"name", "dark", "variables", *_REQUIRED_COLOURS, *_OPTIONAL_COLOURS, *_NUMBERS}


class ThemeError(ValueError):
    """A theme file that cannot be used; the message names the file and the key."""


def themes_dir() -> Path:
    """The folder of the themes the program ships: inside the installed package, or the checkout's `themes/`."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "themes"
    return packaged if packaged.is_dir() else package.parent / "themes"


def load_themes(*folders: Path, report: Callable[[str], None] = _log.warning) -> list[Theme]:
    """Every theme in `folders`, by name; a theme of a later folder replaces one of the same name.

    A broken file is told to `report` (one line, naming file and key) and left out. A folder that does not
    exist holds no themes.
    """
    themes: dict[str, Theme] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            try:
                theme = read_theme(path)
            except ThemeError as error:
                report(str(error))
            else:
                themes[theme.name] = theme
    return [themes[name] for name in sorted(themes)]


def read_theme(path: Path) -> Theme:
    """The theme in one TOML file; raises `ThemeError` naming the file and the key that is wrong or missing."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ThemeError(f"{path.name}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ThemeError(f"{path.name}: not TOML: {error}") from error
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        raise ThemeError(f"{path.name}: {unknown[0]}: no such key; there are: {', '.join(sorted(_KEYS))}")
    name = table.get("name", path.stem)
    if not isinstance(name, str) or not name.strip():
        raise ThemeError(f"{path.name}: name: must be text")
    dark = table.get("dark", True)
    if not isinstance(dark, bool):
        raise ThemeError(f"{path.name}: dark: must be true or false")
    colours = {key: _colour(path, table, key) for key in _REQUIRED_COLOURS}
    colours |= {key: _colour(path, table, key) for key in _OPTIONAL_COLOURS if key in table}
    numbers = {key: _share(path, table, key) for key in _NUMBERS if key in table}
    variables = class_colours(dark=dark) | _variables(path, table)
    return Theme(name=name, dark=dark, variables=variables, **colours, **numbers)


def class_colours(*, dark: bool) -> dict[str, str]:
    """The colours of classes on a dark or a light ground."""
    return dict(zip(CLASSES, ON_DARK if dark else ON_LIGHT, strict=True))


def _colour(path: Path, table: dict[str, Any], key: str) -> Any:
    """The colour under `key`. `Any` because `Theme`'s fields are passed on by name."""
    value = table.get(key)
    if value is None:
        raise ThemeError(f'{path.name}: {key}: missing; write a colour such as {key} = "#87afd7"')
    if not isinstance(value, str) or not _is_colour(value):
        raise _no_colour(path, key, value)
    return value


def _share(path: Path, table: dict[str, Any], key: str) -> Any:
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ThemeError(f"{path.name}: {key}: must be a number from 0 to 1")
    return float(value)


def _variables(path: Path, table: dict[str, Any]) -> dict[str, str]:
    variables = table.get("variables", {})
    if not isinstance(variables, dict):
        raise ThemeError(f"{path.name}: variables: must be a table")
    for key, value in variables.items():
        if not isinstance(value, str):
            raise ThemeError(f"{path.name}: variables.{key}: must be text")
    for key in RAMP:
        if key not in variables:
            raise ThemeError(f"{path.name}: variables.{key}: missing; the ramp needs {RAMP[0]} to {RAMP[-1]}")
    for key in (*RAMP, *CLASSES):
        if key in variables and not _is_colour(variables[key]):
            raise _no_colour(path, f"variables.{key}", variables[key])
    return dict(variables)


def _no_colour(path: Path, key: str, value: object) -> ThemeError:
    return ThemeError(f'{path.name}: {key}: {value!r} is not a colour such as "#87afd7"')


def _is_colour(value: str) -> bool:
    try:
        Color.parse(value)
    except ColorParseError:
        return False
    return True
