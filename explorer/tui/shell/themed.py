"""The App's looks: the chosen theme for the first paint, the others once there is time."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from textual.app import App

from explorer.base.errors import ExplorerError
from explorer.settings import Settings, remember_theme, settings_file
from explorer.tui.shell.messages import Remark
from explorer.tui.shell.themes import RAMP, ThemeError, load_themes, read_theme, themes_dir

PLAIN_RAMP = ("#5f5fd7", "#5f87d7", "#5fafd7", "#5fd7af", "#afd75f", "#ffd75f", "#ffffaf")


class Themed(App[None]):
    """An App in the theme of the settings, which it changes and keeps."""

    def __init__(self, settings: Settings, settings_path: Path | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.settings_path = settings_path
        self.our_themes: list[str] = []
        self.use_theme()

    def use_theme(self) -> None:
        """The chosen theme alone, for the first paint; a problem with it is told when all are read."""
        with suppress(ThemeError):
            theme = read_theme(themes_dir() / f"{self.settings.theme}.toml")
            self.register_theme(theme)
            # As the theme's watcher does, but before there is a screen to draw again.
            self.set_reactive(App.theme, theme.name)
            self.stylesheet.set_variables(self.get_css_variables())
            self.set_class(theme.dark, "-dark-mode", update=False)
            self.set_class(not theme.dark, "-light-mode", update=False)

    def use_themes(self) -> None:
        """All of ours and the user's own."""
        problems: list[str] = []
        own = (self.settings_path or settings_file()).parent / "themes"
        for theme in load_themes(themes_dir(), own, report=problems.append):
            self.register_theme(theme)
            self.our_themes.append(theme.name)
        if self.settings.theme in self.available_themes:
            self.theme = self.settings.theme
        else:
            problems.append(f"There is no theme {self.settings.theme!r}; press t to choose one.")
        for problem in problems:
            self.tell(problem, problem=True)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The ramp for the moment before a theme of ours is in use, and under Textual's own themes."""
        return dict(zip(RAMP, PLAIN_RAMP, strict=True))

    def action_theme(self) -> None:
        """The next theme of ours, kept in the settings file."""
        ours = [name for name in self.available_themes if name in self.our_themes]
        if not ours:
            return
        self.theme = ours[(ours.index(self.theme) + 1) % len(ours)] if self.theme in ours else ours[0]
        try:
            remember_theme(self.theme, self.settings_path)
        except (OSError, ExplorerError) as error:
            self.tell(f"The theme could not be kept in the settings: {error}", problem=True)
        else:
            self.tell(f"Theme {self.theme}.")

    def tell(self, text: str, *, problem: bool = False) -> None:
        """Have one line shown to the user."""
        self.post_message(Remark(text, problem=problem))
