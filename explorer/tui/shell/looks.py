"""The App's looks: the chosen theme for the first paint, the others once there is time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from textual.app import App

from explorer.base.errors import ExplorerError
from explorer.settings import Settings, settings_file
from explorer.settings_file import remember_theme
from explorer.tui.shell.restyling import marking_once
from explorer.tui.shell.themes import RAMP, ThemeError, class_colours, load_themes, read_theme, themes_dir

PLAIN_RAMP = ("#5f5fd7", "#5f87d7", "#5fafd7", "#5fd7af", "#afd75f", "#ffd75f", "#ffffaf")
Tell = Callable[..., None]
"""`tell(text, problem=False)`: shows one line to the user."""


def ramp_defaults() -> dict[str, str]:
    """The ramp and the classes for the moment before a theme of ours is in use, and under Textual's own themes."""
    return dict(zip(RAMP, PLAIN_RAMP, strict=True)) | class_colours(dark=True)


class Looks:
    """The theme of the settings, which the user changes and which is kept."""

    def __init__(self, app: App[Any], settings: Settings, settings_path: Path | None, tell: Tell) -> None:
        self._app = app
        app.refresh_css = marking_once(app.refresh_css)  # type: ignore[method-assign]
        self._chosen = settings.theme
        self.path = settings_path
        self._tell = tell
        self.names: list[str] = []
        """Our themes and the user's own, once they are read; without those of Textual."""

    def use_chosen(self) -> None:
        """The chosen theme alone, for the first paint; a problem with it is told when all are read."""
        app = self._app
        with suppress(ThemeError):
            theme = read_theme(themes_dir() / f"{self._chosen}.toml")
            app.register_theme(theme)
            # As the theme's watcher does, but before there is a screen to draw again.
            app.set_reactive(App.theme, theme.name)
            app.stylesheet.set_variables(app.get_css_variables())
            app.set_class(theme.dark, "-dark-mode", update=False)
            app.set_class(not theme.dark, "-light-mode", update=False)

    def read_all(self) -> None:
        """Our themes and the user's own."""
        problems: list[str] = []
        own = (self.path or settings_file()).parent / "themes"
        for theme in load_themes(themes_dir(), own, report=problems.append):
            self._app.register_theme(theme)
            self.names.append(theme.name)
        if self._chosen in self._app.available_themes:
            self._app.theme = self._chosen
        else:
            problems.append(f"There is no theme {self._chosen!r}; press t to choose one.")
        for problem in problems:
            self._tell(problem, problem=True)

    def show_next(self) -> None:
        """The next theme of ours, kept in the settings file."""
        ours = [name for name in self._app.available_themes if name in self.names]
        if ours:
            shown = self._app.theme
            self.show(ours[(ours.index(shown) + 1) % len(ours)] if shown in ours else ours[0])

    def show(self, name: str) -> None:
        """Use a theme and keep it in the settings file."""
        self._app.theme = name
        try:
            remember_theme(self._app.theme, self.path)
        except (OSError, ExplorerError) as error:
            self._tell(f"The theme could not be kept in the settings: {error}", problem=True)
        else:
            self._tell(f"Theme {self._app.theme}.")
