from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from explorer.base.numbers import format_logprob, format_logprob_and_percent
from explorer.base.records.logprobs import LogprobCell, LogprobColumn, LogprobTable, ReadLogprobs, TopToken
from explorer.base.records.record import Failure
from explorer.base.records.unions import Cancelled
from explorer.base.templates import SLOT, find_template
from explorer.tui.panes.logprobs.cells import ramp_step
from explorer.tui.panes.logprobs.form import parse_targets
from explorer.tui.panes.logprobs.lines import table_lines, window
from explorer.tui.panes.logprobs.pane import LogprobsPane
from explorer.tui.panes.logprobs.table_view import TableView, row_order
from explorer.tui.panes.logprobs.view import LogprobView
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.number_columns import align_points
from explorer.tui.widgets.option_line import Choice, Field, FormError, Ticks
from explorer.tui.widgets.prompt_area import PromptArea
from tests.tui.pane_samples import HOSTILE, MODELS, SELECTION, SIZES, TOKEN, Harness, ref, step, token_row

NAMES = ("mynah", "mynah-instruct", "lyrebird", "starling")
TEMPLATE = find_template("string-is")
REQUEST = ReadLogprobs(models=NAMES, template=TEMPLATE, token_id=742, targets=(" See", " the", "VelvetTurbine"))
LOGPROBS = ((-1.41, -17.13, -0.0123), (-2.5, -0.5, -8.0), (-3.0, -4.0, -0.5), (-6.25, -0.75, -math.inf))


def column(model: str, logprobs: Sequence[float], several: bool = False) -> LogprobColumn:
    targets = REQUEST.targets
    return LogprobColumn(
        model=model,
        prompt_ids=(1, 742, 2),
        prompt=TEMPLATE.question.replace(SLOT, TOKEN.text) + TEMPLATE.prefill,
        slot_as_text=several,
        reencodes=not several,
        entropy=2.3456,
        cells=tuple(
            LogprobCell(
                target=target,
                target_ids=(7, 8, 9) if several and number == 2 else (number,),
                logprob=logprob,
                rank=None if several and number == 2 else number * 100,
            )
            for number, (target, logprob) in enumerate(zip(targets, logprobs, strict=True))
        ),
        top=tuple(
            TopToken(token=ref(token_row(number, target.encode())), logprob=logprob)
            for number, (target, logprob) in enumerate(zip(targets, logprobs, strict=True))
        ),
    )


TABLE = LogprobTable(
    targets=REQUEST.targets,
    columns=tuple(
        column(name, logprobs, several=name == "starling") for name, logprobs in zip(NAMES, LOGPROBS, strict=True)
    ),
)
VIEW = TableView(REQUEST, TABLE, ref(TOKEN))


def plain(view: TableView, width: int) -> list[str]:
    return [line.plain for line in table_lines(view, width)]


def rows(view: TableView, width: int) -> dict[str, str]:
    """The lines of the table, by target."""
    lines = plain(view, width)
    start = next(number for number, line in enumerate(lines) if line.startswith("target"))
    return {line.split()[0]: line for line in lines[start : start + 5] if line.strip()}


class TestTable:
    def test_a_cell_has_the_field_s_familiar_form_with_the_rank(self) -> None:
        row = rows(VIEW, 200)["·See"]
        assert re.search(r"-1\.410 +/ 24\.41% +#0", row)

    def test_models_keep_the_order_asked(self) -> None:
        header = rows(VIEW, 200)["target"]
        assert [name for name in header.split() if name in NAMES] == list(NAMES)

    @pytest.mark.parametrize("width", [76, 97, 200])
    def test_decimal_points_of_a_model_stand_below_one_another(self, width: int) -> None:
        table = rows(VIEW, width)
        points = [table[name].index(".") for name in ("·See", "·the", "VelvetTurbine", "entropy")]
        assert len(set(points)) == 1

    def test_four_models_are_readable_in_a_pane_of_76_cells(self) -> None:
        header = rows(VIEW, 76)["target"]
        assert all(name in header for name in NAMES)
        assert "-1.410" in rows(VIEW, 76)["·See"]

    def test_a_target_of_several_tokens_is_marked_in_every_form(self) -> None:
        for form in (None, "full", "paired", "ranked", "logprob"):
            view = dataclasses.replace(VIEW, form=form, cursor=3)
            assert "Σ3" in rows(view, 76)["VelvetTurbine"], form

    def test_an_upper_bound_is_marked_and_the_points_stay_below_one_another(self) -> None:
        first = TABLE.columns[0]
        cells = (*first.cells[:1], msgspec.structs.replace(first.cells[1], bound="at_most"), *first.cells[2:])
        bounded = msgspec.structs.replace(first, cells=cells, entropy=None)
        view = TableView(REQUEST, msgspec.structs.replace(TABLE, columns=(bounded,)), ref(TOKEN))
        shown = rows(view, 76)
        assert ["≤ -" in line for target, line in shown.items() if target.startswith("·")] == [False, True]
        assert len({line.index(".") for target, line in shown.items() if target.startswith("·")}) == 1
        assert next(line for line in plain(view, 76) if line.startswith("entropy")).split() == ["entropy", "–"]

    def test_the_best_model_of_a_target_is_bold_and_no_other(self) -> None:
        lines = table_lines(VIEW, 200)
        for target, best in ((" See", "-1.410"), (" the", "-0.5000"), ("VelvetTurbine", "-0.01230")):
            shown = "·" + target.strip() if target.startswith(" ") else target
            line = next(line for line in lines if line.plain.startswith(shown))
            bold = [line.plain[span.start : span.end] for span in line.spans if "bold" in str(span.style)]
            assert len(bold) == 1
            assert bold[0].strip().startswith(best)

    def test_models_out_of_sight_are_told_and_the_cursor_brings_them(self) -> None:
        full = dataclasses.replace(VIEW, form="full")
        assert any("more ▸" in line for line in plain(full, 60))
        assert "starling" not in rows(full, 60)["target"]
        last = dataclasses.replace(full, cursor=3)
        assert "starling" in rows(last, 60)["target"]
        assert any("◂" in line for line in plain(last, 60))

    @pytest.mark.parametrize(
        "logprobs",
        [((-1.41, -33.71, -10.9), (-0.5, -18.22, -0.0123)), ((-1.41, -33.13, -1.23e-5), (-1.23e-5, -30.0, -12.0))],
    )
    def test_base_and_instruct_stand_side_by_side_with_their_probabilities_in_57_cells(
        self, logprobs: tuple[tuple[float, ...], ...]
    ) -> None:
        pair = tuple(column(name, numbers) for name, numbers in zip(NAMES, logprobs, strict=False))
        view = TableView(REQUEST, LogprobTable(targets=REQUEST.targets, columns=pair), ref(TOKEN))
        lines = plain(view, 57)
        assert "logprob / prob, nats" in lines
        header = next(line for line in lines if line.startswith("target"))
        assert header.split() == ["target", "mynah", "mynah-instruct"]
        for place, start in enumerate(("·See", "·the", "Velv")):
            row = next(line for line in lines if line.startswith(start))
            for numbers in logprobs:
                logprob, percent = format_logprob_and_percent(numbers[place]).split(" / ")
                assert re.search(rf"{re.escape(logprob)} +/ +{re.escape(percent)}", row), row

    def test_sorting_puts_the_best_first_and_back(self) -> None:
        for place, logprobs in enumerate(LOGPROBS):
            order = row_order(dataclasses.replace(VIEW, sort=place))
            assert [logprobs[row] for row in order] == sorted(logprobs, reverse=True)
            backwards = row_order(dataclasses.replace(VIEW, sort=place, reverse=True))
            assert [logprobs[row] for row in backwards] == sorted(logprobs)
        assert row_order(VIEW) == [0, 1, 2]

    def test_each_model_has_its_list_side_by_side_where_there_is_room(self) -> None:
        wide, narrow = plain(VIEW, 200), plain(VIEW, 40)
        assert sum("best 3" in line for line in wide) == 1
        assert sum("best 3" in line for line in narrow) == 4

    def test_what_is_odd_about_a_model_s_prompt_is_noted(self) -> None:
        text = "\n".join(plain(VIEW, 200))
        assert "starling has no token of these bytes" in text
        assert "starling: the prompt's text would encode to other ids" in text
        assert "mynah has no token" not in text

    def test_the_slot_is_highlighted_once_for_models_that_read_the_same(self) -> None:
        marked = [line for line in table_lines(VIEW, 97) if any(span.style == "bold $accent" for span in line.spans)]
        assert len(marked) == 1
        assert "·VelvetTurbine" in marked[0].plain

    @pytest.mark.parametrize("width", [30, 57, 76, 97, 200])
    def test_hostile_targets_and_models_keep_the_columns(self, width: int) -> None:
        targets = tuple(token.decode("utf-8", "replace") for token in HOSTILE)
        columns = tuple(
            LogprobColumn(
                model=name,
                prompt_ids=(1,),
                prompt="".join(targets),
                entropy=1.0,
                cells=tuple(
                    LogprobCell(target=target, target_ids=(number,), logprob=-number - 0.5, rank=number)
                    for number, target in enumerate(targets)
                ),
                top=tuple(
                    TopToken(token=ref(token_row(number, token)), logprob=-number - 0.5)
                    for number, token in enumerate(HOSTILE)
                ),
            )
            for name in ("[/foo]", "\x1b]0;x\x07")
        )
        request = ReadLogprobs(models=("[/foo]",), prompt="".join(targets), targets=targets)
        lines = table_lines(TableView(request, LogprobTable(targets=targets, columns=columns)), width)
        for line in lines:
            assert line.cell_length <= width
            assert not any(ord(character) < 32 or character == "\u202e" for character in line.plain)
        start = next(number for number, line in enumerate(lines) if line.plain.startswith("target"))
        body = lines[start + 1 : start + 1 + len(targets)]
        points = {line[: line.plain.rindex(".")].cell_length for line in body}
        assert len(points) == 1

    def test_a_byte_that_is_no_text_is_shown_as_the_byte(self) -> None:
        target = b"\xc3".decode("utf-8", "replace")
        one = LogprobColumn(
            model="mynah",
            prompt_ids=(1,),
            prompt="x",
            entropy=1.0,
            cells=(LogprobCell(target=target, target_ids=(5,), logprob=-1.0, rank=0),),
            top=(TopToken(token=ref(token_row(5, b"\xc3")), logprob=-1.0),),
        )
        view = TableView(ReadLogprobs(models=("mynah",), prompt="x"), LogprobTable(targets=(target,), columns=(one,)))
        assert "\\xc3" in rows(view, 76)


class TestModelsDown:
    """`text-ada-001 'Re' -1.410 / 24.43%`."""

    ONE = dataclasses.replace(VIEW, shape="one")
    EACH = dataclasses.replace(VIEW, shape="lines")

    def body(self, view: TableView, width: int) -> list[str]:
        return [line for line in plain(view, width) if re.search("'.*' +-", line)]

    def test_one_target_has_a_line_for_each_model_in_the_order_asked(self) -> None:
        body = self.body(self.ONE, 77)
        assert [line.split()[0] for line in body] == list(NAMES)
        assert re.fullmatch(r"mynah +'·See' +-1\.410 / 24\.41% +#0", body[0])
        assert any("target 1 of 3" in line for line in plain(self.ONE, 77))
        assert all("·the" in line for line in self.body(dataclasses.replace(self.ONE, target=1), 77))

    def test_each_target_has_its_lines_in_turn_and_points_stand_below_one_another(self) -> None:
        body = self.body(self.EACH, 120)
        assert [line.split()[0] for line in body] == [*NAMES] * 3
        assert [line.split()[1] for line in body[::4]] == ["'·See'", "'·the'", "'VelvetTurbine'"]
        assert len({line.index(".") for line in body if "-inf" not in line}) == 1
        assert sum(line.startswith("mynah ") and "entropy" in line for line in plain(self.EACH, 120)) == 1

    @pytest.mark.parametrize("width", [36, 57, 76])
    def test_numbers_are_whole_however_narrow_the_pane(self, width: int) -> None:
        body = self.body(self.EACH, width)
        numbers = [format_logprob(logprob) for place in range(3) for logprob in (row[place] for row in LOGPROBS)]
        assert [re.search(r"-(inf|[\d.]+(e-\d+)?)(?= |$)", line[12:])[0] for line in body] == numbers  # type: ignore[index]
        assert all(Content(line).cell_length <= width for line in plain(self.EACH, width))

    def test_sorting_puts_the_best_model_of_each_target_first(self) -> None:
        names = [line.split()[0] for line in self.body(dataclasses.replace(self.EACH, sort=0), 120)]
        assert names == ["mynah", "mynah-instruct", "lyrebird", "starling",
                         "mynah-instruct", "starling", "lyrebird", "mynah",
                         "mynah", "lyrebird", "mynah-instruct", "starling"]  # fmt: skip

    async def test_a_key_turns_the_table_and_arrows_go_from_target_to_target(self) -> None:
        pane = LogprobsPane()
        async with Harness(pane).run_test(size=SIZES[1]) as pilot:
            pane.show(step(REQUEST, TABLE))
            view = pane.query_one(LogprobView)
            view.focus()
            await pilot.press("T", "right", "right", "right", "left")
            assert view.view is not None
            assert (view.view.shape, view.view.target, view.view.cursor) == ("one", 1, 0)
            assert any(re.match("mynah-instruct '·the' +-0.5000", line.plain) for line in view.lines)
            pane.show(step(REQUEST, TABLE))
            assert (view.view.shape, view.view.target) == ("one", 1)
            await pilot.press("o", "o", "T")
            assert (view.view.shape, view.view.sort) == ("lines", None)
            await pilot.press("T")
            assert view.view.shape == "table"

    def test_a_table_without_targets_says_so(self) -> None:
        empty = msgspec.structs.replace(TABLE.columns[0], cells=())
        view = TableView(REQUEST, LogprobTable(targets=(), columns=(empty,)), shape="one")
        assert any("no targets" in line for line in plain(view, 57))


class TestPieces:
    @given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.data(), st.integers(1, 100))
    def test_the_window_holds_the_cursor_and_fits_or_is_one_column(
        self, widths: list[int], data: st.DataObject, room: int
    ) -> None:
        cursor = data.draw(st.integers(0, len(widths) - 1))
        first, last = window(widths, cursor, room, 2)
        assert first <= cursor < last
        assert last - first == 1 or sum(widths[first:last]) + 2 * (last - first) <= room

    @given(st.floats(-100, 0), st.floats(-100, 0))
    def test_the_ramp_rises_with_the_log_probability(self, one: float, other: float) -> None:
        low, high = sorted((one, other))
        assert 0 <= ramp_step(low, -100, 0) <= ramp_step(high, -100, 0) <= 6

    def test_the_ramp_takes_what_is_not_finite(self) -> None:
        assert ramp_step(-math.inf, -10, 0) == 0
        assert ramp_step(-1.0, -1.0, -1.0) == 6

    @given(st.lists(st.sampled_from(["-1.410", "24.43%", "3.956e-7%", "0%", "-inf", "-0.0001", "1.235e4"])))
    def test_aligned_numbers_are_equally_wide_with_points_below_one_another(self, numbers: list[str]) -> None:
        aligned = align_points(numbers)
        assert len({len(text) for text in aligned}) <= 1
        assert len({text.index(".") for text in aligned if "." in text}) <= 1
        assert [text.strip() for text in aligned] == numbers

    @pytest.mark.parametrize(
        ("typed", "targets"),
        [
            ("", ()),
            ("  ", ()),
            ("Windows the", ("Windows", "the")),
            ('" See" x', (" See", "x")),
            ("' a b' c", (" a b", "c")),
            (r'"a\n" "\"" b\n', ("a\n", '"', r"b\n")),
            ("a a 'a'", ("a",)),
            ("it's", ("it's",)),
        ],
    )
    def test_targets_are_separated_by_spaces_and_quotes_keep_them(self, typed: str, targets: tuple[str, ...]) -> None:
        assert parse_targets(typed) == targets

    def test_an_open_quote_is_told(self) -> None:
        with pytest.raises(FormError, match="not closed"):
            parse_targets('a " See')


class TestPane:
    async def test_an_empty_pane_says_which_key_fills_it(self) -> None:
        app = Harness(LogprobsPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            await pilot.pause()
            assert any("press l to ask mynah" in line for line in app.screen_lines())

    async def test_every_model_that_can_run_is_asked_with_the_template(self) -> None:
        app = Harness(LogprobsPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.run_default()
            await pilot.pause()
            assert app.asked == [
                ReadLogprobs(models=NAMES, template=TEMPLATE, token_id=742, token_is_target=True, top_k=10)
            ]

    async def test_the_model_of_the_token_comes_first_and_must_be_ticked_or_have_a_like(self) -> None:
        selection = Selection(roster=SELECTION.roster, model=MODELS[3], token=token_row(12, b" Gannet"))
        app = Harness(LogprobsPane(), selection)
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.run_default()
            await pilot.pause()
            first = app.asked[0]
            assert isinstance(first, ReadLogprobs)
            assert first.models == ("starling", "mynah", "mynah-instruct", "lyrebird")
            app.pane.query_one(Ticks).focus()
            await pilot.press("left", "x", "shift+tab", "enter")
            assert len(app.asked) == 1
            assert any("tick starling" in line for line in app.screen_lines())

    async def test_edited_text_is_free_text_and_needs_no_token_without_a_slot(self) -> None:
        app = Harness(LogprobsPane(), Selection(roster=SELECTION.roster, model=MODELS[0]))
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.run_default()
            await pilot.pause()
            assert app.asked == []
            assert "select a token" in app.remarks[0]
            app.pane.query_one(PromptArea).text = "Once upon a time"
            app.pane.query_one("#targets", Field).value = '" there" Lily'
            await pilot.pause()
            assert app.pane.query_one("#prompt", Choice).chosen == "free text"
            app.pane.query_one("#targets").focus()
            await pilot.press("enter")
            asked = app.asked[0]
            assert asked == ReadLogprobs(models=NAMES, prompt="Once upon a time", targets=(" there", "Lily"))

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [("#targets", '" See', "is not closed"), ("#top-k", "0", "from 1 to"), ("#text", "", "prompt is empty")],
    )
    async def test_what_cannot_be_asked_is_said_in_place(self, field: str, value: str, said: str) -> None:
        app = Harness(LogprobsPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            widget = app.pane.query_one(field)
            if isinstance(widget, PromptArea):
                widget.text = value
            elif isinstance(widget, Field):
                widget.value = value
            await pilot.pause()
            assert any(said in line for line in app.screen_lines())
            app.pane.run_default()
            await pilot.pause()
            assert app.asked == []

    async def test_arrows_and_o_sort_by_a_model_and_f_changes_the_form(self) -> None:
        pane = LogprobsPane()
        async with Harness(pane).run_test(size=SIZES[2]) as pilot:
            pane.show(step(REQUEST, TABLE))
            view = pane.query_one(LogprobView)
            view.focus()
            await pilot.press("right", "o")
            assert view.view is not None
            assert (view.view.cursor, view.view.sort, view.view.reverse) == (1, 1, False)
            body = [line.plain.split()[0] for line in view.lines if line.plain.startswith(("·See", "·the", "Velvet"))]
            assert body[:3] == ["·the", "·See", "VelvetTurbine"]
            await pilot.press("enter", "enter", "F")
            assert (view.view.sort, view.view.form) == (None, "paired"), "the full form is what is shown"

    async def test_every_press_of_f_is_seen(self) -> None:
        pane = LogprobsPane()
        async with Harness(pane).run_test(size=SIZES[2]) as pilot:
            pane.show(step(REQUEST, TABLE))
            view = pane.query_one(LogprobView)
            view.focus()
            for turn in ("", "T"):
                await pilot.press(*turn)
                for _ in range(4):
                    before = [line.plain for line in view.lines]
                    await pilot.press("F")
                    assert [line.plain for line in view.lines] != before, "a key that is hinted does something"

    async def test_a_table_that_is_turned_before_it_is_there_comes_turned(self) -> None:
        pane = LogprobsPane()
        async with Harness(pane).run_test(size=SIZES[1]) as pilot:
            view = pane.query_one(LogprobView)
            view.focus()
            await pilot.press("T")
            pane.show(step(REQUEST, TABLE))
            assert view.view is not None
            assert view.view.shape == "one"

    async def test_a_step_from_a_file_is_shown_without_a_token_or_a_model(self) -> None:
        pane = LogprobsPane()
        async with Harness(pane, None).run_test(size=SIZES[0]):
            pane.show(step(REQUEST, TABLE))
            assert any("-1.410" in line.plain for line in pane.query_one(LogprobView).lines)

    def test_the_slot_of_a_table_from_a_file_is_highlighted_too(self) -> None:
        unknown = dataclasses.replace(VIEW, token=None)
        assert plain(unknown, 97) == plain(VIEW, 97)

    async def test_a_table_comes_back_with_its_token(self) -> None:
        pane = LogprobsPane()
        async with Harness(pane).run_test(size=SIZES[0]) as pilot:
            pane.show_asked(REQUEST)
            pane.show(step(REQUEST, TABLE))
            pane.selection = Selection(roster=SELECTION.roster, model=MODELS[0], token=token_row(5, b" Factory"))
            await pilot.pause()
            assert pane.query_one(LogprobView).view is None
            pane.selection = SELECTION
            await pilot.pause()
            assert pane.query_one(LogprobView).view is not None

    @pytest.mark.parametrize(
        ("outcome", "said"),
        [
            (Failure(message="out of memory [/x]", hint="Unload a model."), "✗ out of memory [/x]"),
            (Cancelled(), "■ cancelled"),
            (Cancelled(partial=TABLE), "■ cancelled"),
        ],
    )
    async def test_unhappy_ends_are_said(self, outcome: Failure | Cancelled, said: str) -> None:
        pane = LogprobsPane()
        app = Harness(pane)
        async with app.run_test(size=SIZES[0]) as pilot:
            pane.show_asked(REQUEST)
            await pilot.pause()
            assert any("asking mynah" in line for line in app.screen_lines())
            pane.show(step(REQUEST, outcome))
            await pilot.pause()
            assert any(said in line for line in app.screen_lines())

    @pytest.mark.parametrize("size", SIZES)
    async def test_hostile_targets_reach_no_terminal(self, size: tuple[int, int]) -> None:
        pane = LogprobsPane()
        app = Harness(pane)
        async with app.run_test(size=size) as pilot:
            cells = tuple(
                LogprobCell(target=token.decode("utf-8", "replace"), target_ids=(1, 2), logprob=-1.5, rank=None)
                for token in HOSTILE
            )
            hostile = column("\x1b[31m[/x]", LOGPROBS[0])
            one = LogprobColumn(
                model=hostile.model, prompt_ids=(1,), prompt="\x1b[2J\n", entropy=0.0, cells=cells, top=hostile.top
            )
            table = LogprobTable(targets=tuple(cell.target for cell in cells), columns=(one,))
            pane.show(step(REQUEST, table))
            pane.query_one(PromptArea).text = "\x1b[31m {token}\u202e"
            await pilot.pause()
            for line in app.screen_lines():
                assert not any(ord(character) < 32 or character == "\u202e" for character in line)
