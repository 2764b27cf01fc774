"""What all forms have in common: a list opens, a box is ticked, and nothing is run by either."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from textual.app import App, ComposeResult
from textual.widgets import Input

import explorer
from explorer.base.records.tokens import LABELS
from explorer.base.records.verification import Verify
from explorer.specs.registry import REGISTRY
from explorer.tables.table import TokenColumns
from explorer.tui.panes.verdicts.form import VerdictForm
from explorer.tui.widgets.option_line import Choice, ChoiceList, Field, Ticks
from tests.app_driver import screen_text
from tests.tui.pane_samples import SELECTION, Harness
from tests.tui.test_pane_snapshots import pane_of
from tests.tui.token_samples import vocabulary

FORMS = ("repeat", "logprobs", "neighbours", "verdicts", "speakability")


def test_the_names_of_the_forms_are_those_of_tabs() -> None:
    assert set(FORMS) <= {tab.name for tab in REGISTRY.tabs()}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("key", ["enter", "space"])
async def test_enter_and_space_open_lists_and_tick_boxes_and_run_nothing(name: str, key: str) -> None:
    app = Harness(pane_of(name))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        for choice in app.pane.query(Choice).results():
            if not all(each.display for each in choice.ancestors_with_self):
                continue
            choice.focus()
            await pilot.press(key)
            assert choice.expanded, choice.id
            await pilot.press("home", "down", key)
            assert not choice.expanded, choice.id
            assert choice.chosen == choice.names[min(1, len(choice.names) - 1)], choice.id
        for ticks in app.pane.query(Ticks).results():
            ticks.focus()
            before = ticks.ticked
            await pilot.press(key)
            assert set(before) - set(ticks.ticked) == {before[0]}
        await pilot.pause()
        assert app.asked == []


@pytest.mark.parametrize("name", FORMS[:4])
async def test_enter_in_a_text_field_runs(name: str) -> None:
    app = Harness(pane_of(name))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.pane.query(Field).first().focus()
        await pilot.press("enter")
        await pilot.pause()
        assert app.asked


async def test_a_verification_takes_a_filter_and_leaves_the_chat_template_out() -> None:
    app = Harness(pane_of("verdicts"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        where = app.pane.query_one("#where", Field)
        where.focus()
        await pilot.press(*"len:>3 -cat:special", "tab", "right")
        app.pane.run_default()
        await pilot.pause()
        request = next(each for each in app.asked if isinstance(each, Verify))
        assert (request.where, request.chat, request.top_percent) == ("len:>3 -cat:special", "never", 2.0)
        app.pane.query_one("#which", Choice).value = "selected"
        assert app.pane.query_one(VerdictForm).request(app.pane.selection, ()).where == "", (
            "named tokens are not filtered"
        )
        app.pane.query_one(VerdictForm).set_form(Verify(model="mynah", where="id:<9"))
        assert where.value == "id:<9"
        assert app.pane.query_one("#chat", Choice).chosen == "chat template"


async def test_a_filter_that_cannot_be_read_starts_no_verification() -> None:
    app = Harness(pane_of("verdicts"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.pane.query_one("#where", Field).focus()
        await pilot.press(*"foo<3", "enter")
        await pilot.pause()
        assert app.asked == []
        said = " ".join("\n".join(app.screen_lines()).split())
        assert "where: there is no indicator 'foo': write one of" in said


def input_classes() -> list[type[Input]]:
    """Every kind of box that is typed into, here and in Textual."""
    found = [Input]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("explorer.")]


@pytest.mark.parametrize("kind", input_classes())
async def test_a_value_that_is_not_valid_is_still_to_be_seen(kind: type[Input]) -> None:
    class OneBox(App[None]):
        def compose(self) -> ComposeResult:
            yield kind()

    app = OneBox()
    async with app.run_test(size=(40, 5)) as pilot:
        box = app.query_one(kind)
        box.add_class("-open", "-invalid")
        box.value = "hello"
        for focused in (True, False):
            app.set_focus(box if focused else None)
            await pilot.pause()
            assert "hello" in screen_text(app)
            assert box.size.height == 1


def test_no_box_is_made_that_has_room_for_its_border_alone() -> None:
    """Textual's own `Input` draws a border round a value that is not valid, unless it is compact."""
    for path in Path(explorer.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Input":
                assert "compact" in {keyword.arg for keyword in node.keywords}, path


async def test_an_open_list_without_room_hears_no_key() -> None:
    app = Harness(pane_of("repeat"))
    async with app.run_test(size=(120, 40)) as pilot:
        choice = app.pane.query(Choice).first()
        choice.focus()
        await pilot.press("enter")
        shown = choice.query_one(ChoiceList)
        shown.styles.height = shown.styles.min_height = 0
        shown.notify_style_update()
        await pilot.pause()
        await pilot.press("pageup", "pagedown", "end", "home")
        await pilot.press("escape")
        assert not choice.expanded


async def test_random_offers_a_number_of_tokens_in_place_of_a_share() -> None:
    app = Harness(pane_of("verdicts"))
    async with app.run_test(size=(120, 40)) as pilot:
        number = app.pane.query_one("#percent", Field)
        app.pane.query_one("#which", Choice).value = "random"
        await pilot.pause()
        assert number.value == "300"
        app.pane.run_default()
        await pilot.pause()
        (asked,) = [request for request in app.asked if isinstance(request, Verify)]
        assert (asked.random, asked.top_percent, asked.token_ids) == (300, None, None)
        number.value = "0.5"
        app.pane.run_default()
        await pilot.pause()
        assert "whole number" in "\n".join(app.screen_lines())
        again = msgspec.structs.replace(asked, random=2)
        app.pane.query_one(VerdictForm).set_form(again)
        await pilot.pause()
        assert (number.value, app.pane.query_one("#which", Choice).chosen) == ("2", "random")
        app.pane.query_one("#which", Choice).value = "suspicious %"
        await pilot.pause()
        number.value = "0.6"
        app.pane.query_one("#which", Choice).value = "random"
        await pilot.pause()
        assert number.value == "2", "each choice has its own number"
        app.pane.query_one("#which", Choice).value = "suspicious %"
        await pilot.pause()
        assert number.value == "0.6"


@pytest.mark.parametrize("name", [tab.name for tab in REGISTRY.tabs() if tab.name != "tokens"])
async def test_a_list_calls_an_indicator_as_the_table_does(name: str) -> None:
    columns = TokenColumns(vocabulary([b"a", b"b"]))
    app = Harness(pane_of(name), replace(SELECTION, columns=columns))
    async with app.run_test(size=(120, 40)):
        offered: dict[str, str] = {}
        for choice in app.pane.query(Choice).results():
            shown = {value: str(prompt) for prompt, value in choice._options}
            offered |= {f"{choice.id}:{each}": shown[each] for each in choice.names if each in LABELS}
        assert {key: text for key, text in offered.items() if text != LABELS[key.partition(":")[2]]} == {}
        assert {"map": "x-axis:input_norm", "verdicts": "indicator:input_norm"}.get(name, "") in {"", *offered}
