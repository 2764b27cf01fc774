"""Laws of the shipped themes, computed from WCAG 2 relative luminance, and of reading theme files."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.app import App
from textual.color import Color, rgb_to_lab
from textual.theme import Theme

from explorer.specs import picture
from explorer.tui.shell.themes import CLASSES, ON_DARK, RAMP, ThemeError, load_themes, read_theme, themes_dir

SHIPPED = load_themes(themes_dir())
SEEING = {
    "usual": np.eye(3),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "tritanopia": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}
"""What of linear red, green and blue is seen: Machado, Oliveira and Fernandes (2009), severity 1."""


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance of an sRGB colour."""

    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(channel / 255) for channel in Color.parse(colour).rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def seen_lab(colour: str, seeing: str) -> np.ndarray:
    """CIELAB of a colour as such people see it."""
    encoded = np.array(Color.parse(colour).rgb) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(SEEING[seeing] @ linear, 0, 1)
    back = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = rgb_to_lab(Color(*np.rint(255 * back).astype(int).tolist()))
    return np.array([lab.L, lab.a, lab.b])


def least_difference(colours: list[str], seeing: str) -> float:
    """CIE 1976 colour difference of the two colours that are most alike."""
    labs = [seen_lab(colour, seeing) for colour in colours]
    return min(float(np.linalg.norm(one - other)) for one, other in combinations(labs, 2))


def colour_of(theme: Theme, key: str) -> str:
    value = getattr(theme, key)
    assert isinstance(value, str)
    return value


def xterm_index(colour: str) -> int | None:
    return RichColor.parse(colour).downgrade(ColorSystem.EIGHT_BIT).number


def test_a_dark_a_light_and_a_high_contrast_theme_ship() -> None:
    by_name = {theme.name: theme for theme in SHIPPED}
    assert len(by_name) >= 4
    assert by_name["nightjar"].dark
    assert not by_name["gull"].dark
    magpie = by_name["magpie"]
    for key in ("foreground", "primary", "accent", "warning", "error", "success"):
        assert contrast(colour_of(magpie, key), colour_of(magpie, "background")) >= 7


@pytest.mark.parametrize("theme", SHIPPED, ids=lambda theme: theme.name)
class TestEveryShippedTheme:
    def test_the_ramp_is_monotone_in_luminance(self, theme: Theme) -> None:
        steps = [luminance(theme.variables[key]) for key in RAMP]
        if not theme.dark:
            steps.reverse()
        assert all(low < high for low, high in pairwise(steps))

    def test_every_step_of_the_ramp_stands_out_from_the_grounds_it_is_drawn_on(self, theme: Theme) -> None:
        for key in RAMP:
            for ground in ("background", "surface"):
                assert contrast(theme.variables[key], colour_of(theme, ground)) >= 3, (key, ground)

    @pytest.mark.parametrize("seeing", SEEING)
    def test_classes_and_the_ground_are_told_apart_however_one_sees_colours(self, theme: Theme, seeing: str) -> None:
        colours = [theme.variables[key] for key in (*CLASSES, "foreground-muted")]
        assert least_difference(colours, seeing) >= 16
        assert least_difference(colours[:3], seeing) >= 25, "few classes are told apart better"

    def test_classes_stand_out_and_survive_256_colours(self, theme: Theme) -> None:
        assert len({xterm_index(theme.variables[key]) for key in CLASSES}) == len(CLASSES)
        for key in CLASSES:
            for ground in ("background", "surface"):
                assert contrast(theme.variables[key], colour_of(theme, ground)) >= 3, (key, ground)

    def test_text_is_readable_on_every_ground(self, theme: Theme) -> None:
        for ground in ("background", "surface", "panel"):
            assert contrast(colour_of(theme, "foreground"), colour_of(theme, ground)) >= 4.5
            assert contrast(theme.variables["foreground-muted"], colour_of(theme, ground)) >= 4.5, ground
        for key in ("primary", "accent", "warning", "error", "success"):
            assert contrast(colour_of(theme, key), colour_of(theme, "background")) >= 4.5, key

    def test_cursors_are_readable(self, theme: Theme) -> None:
        for blurred in ("", "-blurred"):
            front, back = (theme.variables[f"block-cursor{blurred}-{part}"] for part in ("foreground", "background"))
            assert contrast(front, back) >= 4.5

    def test_the_ramp_stays_distinct_in_256_colours(self, theme: Theme) -> None:
        assert len({xterm_index(theme.variables[key]) for key in RAMP}) == len(RAMP)

    def test_the_order_of_the_ramp_survives_256_colours(self, theme: Theme) -> None:
        quantised = [
            RichColor.parse(theme.variables[key]).downgrade(ColorSystem.EIGHT_BIT).get_truecolor().hex for key in RAMP
        ]
        steps = [luminance(colour) for colour in quantised]
        assert steps == sorted(steps, reverse=not theme.dark)

    async def test_textual_takes_it(self, theme: Theme) -> None:
        app: App[None] = App()
        async with app.run_test(size=(20, 5)) as pilot:
            app.register_theme(theme)
            app.theme = theme.name
            await pilot.pause()
            assert app.theme_variables["ramp-6"] == theme.variables["ramp-6"]


@pytest.mark.parametrize("seeing", SEEING)
def test_classes_in_pictures_are_told_apart_however_one_sees_colours(seeing: str) -> None:
    assert least_difference([*picture.CLASSES, picture.NO_VALUE], seeing) >= 11


def test_a_theme_without_classes_takes_those_for_its_ground(tmp_path: Path) -> None:
    plain = read_theme(write(tmp_path, "heron.toml", good_text()))
    assert [plain.variables[key] for key in CLASSES] == list(ON_DARK)
    own = good_text() + f'"{CLASSES[2]}" = "#123456"\n'
    assert read_theme(write(tmp_path, "own.toml", own)).variables[CLASSES[2]] == "#123456"
    with pytest.raises(ThemeError, match="class-2: 'red-ish' is not a colour"):
        read_theme(write(tmp_path, "wrong.toml", own.replace("#123456", "red-ish")))


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def good_text(name: str = "heron") -> str:
    text = (themes_dir() / "nightjar.toml").read_text(encoding="utf-8")
    return text.replace('name = "nightjar"', f'name = "{name}"')


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('accent = "#ffaf5f"', 'accent = "amberish"', "accent: 'amberish'"),
        ('accent = "#ffaf5f"', "", "accent: missing"),
        ('"ramp-3" = "#5fd7af"', "", "variables.ramp-3: missing"),
        ('"ramp-3" = "#5fd7af"', '"ramp-3" = "teal-ish"', "variables.ramp-3: 'teal-ish'"),
        ("dark = true", 'dark = "yes"', "dark: must be true or false"),
        ("dark = true", "dusk = true", "dusk: no such key"),
        ("dark = true", "text_alpha = 3", "text_alpha: must be a number"),
        ("dark = true", "dark =", "not TOML"),
    ],
)
def test_a_broken_file_is_named_with_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write(tmp_path, "broken.toml", good_text().replace(old, new))
    with pytest.raises(ThemeError) as caught:
        read_theme(path)
    assert str(caught.value).startswith("broken.toml: ")
    assert said in str(caught.value)


def test_a_broken_file_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path, "a.toml", "dark =")
    write(tmp_path, "b.toml", good_text())
    reports: list[str] = []
    assert [theme.name for theme in load_themes(tmp_path, report=reports.append)] == ["heron"]
    assert len(reports) == 1
    assert reports[0].startswith("a.toml: ")


def test_a_users_theme_replaces_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    write(tmp_path, "mine.toml", good_text("gull"))
    themes = {theme.name: theme for theme in load_themes(themes_dir(), tmp_path, tmp_path / "absent")}
    assert len(themes) == len(SHIPPED)
    assert themes["gull"].dark
