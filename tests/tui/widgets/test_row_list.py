"""The list of rows: its cursor, its messages, and rows that stay rows."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from explorer.tui.widgets.row_list import RowList
from tests.app_driver import until


class ListApp(App[None]):
    def __init__(self, rows: int = 50) -> None:
        super().__init__()
        self.list = RowList(empty="nothing [/here]")
        self.count = rows
        self.chosen: list[int] = []
        self.highlighted: list[int] = []

    def compose(self) -> ComposeResult:
        yield self.list

    def on_mount(self) -> None:
        rows = [Content(f"row {index} " + "y" * 200) for index in range(self.count)]
        self.list.show_rows(rows, header=Content("  head"))
        self.list.focus()

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        self.chosen.append(event.index)

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        self.highlighted.append(event.index)


def lines(app: ListApp) -> list[str]:
    return [app.list.render_line(y).text for y in range(app.list.size.height)]


async def test_the_cursor_moves_within_the_rows_and_stays_in_view() -> None:
    app = ListApp()
    async with app.run_test(size=(30, 8)) as pilot:
        for key, expected in [("up", 0), ("down", 1), ("pagedown", 8), ("end", 49), ("down", 49), ("pageup", 42)]:
            await pilot.press(key)
            assert app.list.cursor == expected
            shown = lines(app)
            assert shown[0].startswith("  head")
            assert any(line.startswith(f"▸ row {expected} ") for line in shown)
            assert len({len(line) for line in shown}) == 1
        await pilot.press("home")
        assert lines(app)[1].startswith("▸ row 0")
        assert app.highlighted == [1, 8, 49, 42, 0]


async def test_enter_chooses_the_row_under_the_cursor() -> None:
    app = ListApp()
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.press("down", "down", "enter")
        assert app.chosen == [2]
        await pilot.double_click(RowList, offset=(4, 2))
        assert app.chosen == [2, 1]


async def test_no_rows_say_so_and_choose_nothing() -> None:
    app = ListApp(rows=0)
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.press("enter", "down", "end")
        assert app.chosen == []
        assert lines(app)[1].startswith("nothing [/here]")


async def test_a_row_is_one_line_however_long_and_whatever_it_holds() -> None:
    app = ListApp(rows=0)
    async with app.run_test(size=(30, 8)):
        app.list.show_rows([Content("[/foo] " * 60), Content("龍" * 300), Content("")])
        shown = [app.list.render_line(y) for y in range(8)]
        assert {strip.cell_length for strip in shown} == {30}
        assert shown[1].text.strip().startswith("龍")


async def test_what_stands_in_place_of_rows_is_read_to_its_end() -> None:
    app = ListApp(rows=0)
    async with app.run_test(size=(30, 8)):
        words = "Press v: the most suspicious tokens are tested by every definition of a glitch token, side by side."
        app.list.show_empty(words)
        assert " ".join(line.strip() for line in lines(app)[1:]).split() == words.split()


@pytest.mark.parametrize(("cursor", "top"), [(2, 0), (30, 24)])
async def test_a_list_out_of_sight_scrolls_only_once_there_is_room_to_scroll_in(cursor: int, top: int) -> None:
    app = ListApp()
    async with app.run_test(size=(30, 8)) as pilot:
        app.list.display = False
        await pilot.pause()
        app.list.cursor = cursor
        await pilot.pause()
        app.list.display = True
        await until(pilot, lambda: any(f"row {top} " in line for line in lines(app)[1:2]))
        assert any(line.startswith(f"▸ row {cursor} ") for line in lines(app))


async def test_of_two_moves_in_one_breath_the_last_holds() -> None:
    app = ListApp()
    async with app.run_test(size=(30, 8)) as pilot:
        app.list.cursor = 40
        app.list.cursor = 0
        await pilot.pause()
        assert lines(app)[1].startswith("▸ row 0 ")


async def test_the_cursor_stays_in_sight_when_the_window_shrinks() -> None:
    app = ListApp()
    async with app.run_test(size=(30, 20)) as pilot:
        await pilot.press(*["down"] * 15)
        await pilot.resize_terminal(30, 8)
        await until(pilot, lambda: lines(app)[-1].startswith("▸ row 15 "))
