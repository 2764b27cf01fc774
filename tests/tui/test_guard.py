"""The control-character guard: whichever widget drew it, nothing that drives a terminal is in a line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import pytest
from rich.cells import cell_len
from rich.segment import ControlType, Segment
from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Log, OptionList, RichLog, Static, TextArea

from explorer.tui.widgets.guard import CONTROLS, ControlGuard

PAYLOADS = [
    "a\x1b[31mb",
    "a\x1b]52;c;aGk=\x07b",
    "a\x9b31mb",
    "a\x00\x7fb",
    "a\u202eb",
    "a\u2066b\u200fc\u061cd",
    "a\u2028b",
]
WIDGETS: dict[str, Callable[[str], Widget]] = {
    "Static": lambda text: Static(Content(text)),
    "Static of Text": lambda text: Static(Text(text)),
    "Label": lambda text: Label(text, markup=False),
    "Input": lambda text: Input(text),
    "TextArea": lambda text: TextArea(text),
    "OptionList": lambda text: OptionList(Content(text)),
    "Button": lambda text: Button(Content(text)),
}


class Guarded(App[None]):
    """One widget behind the guard."""

    def __init__(self, make: Callable[[], Widget]) -> None:
        super().__init__()
        self.make = make

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), ControlGuard()]

    def compose(self) -> ComposeResult:
        yield self.make()


def test_nothing_that_is_printable_must_be_cleaned() -> None:
    """Lines of printable characters are left alone without a search."""
    printable = "".join(filter(str.isprintable, map(chr, range(sys.maxunicode + 1))))
    assert len(printable) > 100_000
    assert CONTROLS.search(printable) is None
    printable.encode()  # no half characters


def drawn(app: App[None]) -> str:
    """All text of the screen."""
    strips = app.screen._compositor.render_strips()
    return "".join(segment.text for strip in strips for segment in strip if not segment.control)


def guarded(text: str) -> str:
    (segment,) = ControlGuard().apply([Segment(text, Style(bold=True))], Color(0, 0, 0))
    assert segment.style == Style(bold=True)
    return segment.text


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("name", WIDGETS)
async def test_no_widget_draws_a_control_character(name: str, payload: str) -> None:
    app = Guarded(lambda: WIDGETS[name](payload))
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        text = drawn(app)
        assert "a" in text
        assert not CONTROLS.search(text)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("log", [Log, RichLog])
async def test_no_log_draws_a_control_character(log: type[Log] | type[RichLog], payload: str) -> None:
    app = Guarded(log)
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(log).write(payload)
        await pilot.pause()
        await pilot.pause()
        assert not CONTROLS.search(drawn(app))


def test_the_width_of_a_line_stays() -> None:
    for code in (*range(0x250), *range(0x600, 0x620), *range(0x2000, 0x2070), *range(0xD800, 0xE000, 64), 0x9F8D):
        text = f"a{chr(code)}b"
        assert cell_len(guarded(text)) == cell_len(text), hex(code)


def test_guarded_text_can_be_encoded_for_a_terminal() -> None:
    assert guarded("a\ud800b").encode() == "a\ufffdb".encode()


def test_harmless_text_is_left_as_it_is() -> None:
    for text in ("plain", "龍の卵", "[/foo]", "e\u0301", "·–▲", " "):
        segment = Segment(text)
        assert ControlGuard().apply([segment], Color(0, 0, 0))[0] is segment


def test_rich_control_segments_pass() -> None:
    home = Segment("\x1b[H", None, [(ControlType.HOME,)])
    assert ControlGuard().apply([home], Color(0, 0, 0)) == [home]
