from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from textual.content import Content

from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, ReplyPart, TokenReplies
from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import Cancelled
from explorer.base.templates import TEMPLATES, Template
from explorer.tui.panes.repeat_back import lines as lines_module
from explorer.tui.panes.repeat_back.attempts import Attempt
from explorer.tui.panes.repeat_back.form import RepeatOptions, escape, unescape
from explorer.tui.panes.repeat_back.lines import SIGNS, attempt_lines
from explorer.tui.panes.repeat_back.pane import RepeatBackPane
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.option_line import Choice, Field, Ticks
from explorer.tui.widgets.prompt_area import PromptArea
from explorer.tui.widgets.prompt_lines import fit, prompt_lines, slot_spans
from tests.app_driver import settled
from tests.measuring import STALL, fastest
from tests.tui.pane_samples import (
    HOSTILE,
    MODELS,
    SELECTION,
    SIZES,
    TOKEN,
    Harness,
    probe,
    ref,
    reply,
    step,
    token_row,
)

FORM = TEMPLATES[0].question
NAMES = ("mynah", "mynah-instruct", "lyrebird")


def ticked(ticks: Ticks) -> tuple[str, ...]:
    """Asked anew at every call, which an attribute is not for the type checker."""
    return ticks.ticked


def request(samples: int = 3, token: TokenRow = TOKEN, controls: int = 1, model: str = "mynah") -> RepeatBack:
    return RepeatBack(
        model=model,
        token_id=token.token_id,
        template=TEMPLATES[0],
        samples=samples,
        temperature=0.7,
        controls=controls,
    )


def result(subject: TokenReplies, *controls: TokenReplies, model: str = "mynah") -> RepeatBackResult:
    return RepeatBackResult(model=model, template="repeat-1", probe=subject, controls=controls)


def part(sample: int, text: str, subject: int = TOKEN.token_id) -> ReplyPart:
    return ReplyPart(subject=subject, sample=sample, token_id=900, text=text, logprob=-1.0)


def plain(lines: Sequence[Content]) -> list[str]:
    return [line.plain for line in lines]


def shown(pane: RepeatBackPane) -> str:
    return "\n".join(line.plain for line in pane.query_one(LinesView).lines)


class TestLines:
    def test_rows_are_kept_free_so_that_streaming_changes_no_line_count(self) -> None:
        attempt = Attempt(request(samples=3, controls=2), TOKEN.token_bytes)
        counts = [len(attempt_lines([attempt], 60))]
        for sample in (0, 2, 1):
            for text in (" See", " the", "\n", " long words" * 20):
                attempt.add(part(sample, text))
                counts.append(len(attempt_lines([attempt], 60)))
        attempt.add(part(0, " Factory", subject=5))
        counts.append(len(attempt_lines([attempt], 60)))
        assert set(counts) == {counts[0]}

    def test_an_answer_takes_the_rows_that_were_kept_for_it(self) -> None:
        attempt = Attempt(request(samples=2, controls=1), TOKEN.token_bytes)
        before = len(attempt_lines([attempt], 60))
        attempt.outcome = result(
            probe(TOKEN, FORM, [reply(0, " See"), reply(1, " See")]),
            probe(token_row(5, b" Factory"), FORM, [reply(0, " Factory", "exact"), reply(1, " Factory", "exact")]),
        )
        assert len(attempt_lines([attempt], 60)) == before

    @pytest.mark.parametrize("width", [40, 57, 76, 97, 160])
    @pytest.mark.parametrize("token_bytes", HOSTILE)
    def test_no_line_is_wider_than_asked_or_holds_a_control_character(self, token_bytes: bytes, width: int) -> None:
        token = token_row(7, token_bytes)
        replies = [reply(number, other.decode("utf-8", "replace")) for number, other in enumerate(HOSTILE)]
        attempt = Attempt(request(token=token), token.token_bytes, result(probe(token, FORM, replies)))
        for ids, whole in ((False, False), (True, True)):
            for line in attempt_lines([attempt], width, ids=ids, whole=whole):
                assert line.cell_length <= width
                assert not any(ord(character) < 32 or character == "\u202e" for character in line.plain)

    def test_a_reply_s_class_is_told_by_sign_and_word(self) -> None:
        replies = [reply(number, "x", outcome) for number, outcome in enumerate(SIGNS)]
        attempt = Attempt(request(samples=len(SIGNS)), TOKEN.token_bytes, result(probe(TOKEN, FORM, replies)))
        text = "\n".join(plain(attempt_lines([attempt], 80)))
        for outcome, (sign, _) in SIGNS.items():
            assert f"{sign} {outcome}" in text

    def test_the_share_has_its_interval_and_controls_stand_below_in_the_same_columns(self) -> None:
        control = probe(token_row(5, b" Factory"), FORM, [reply(0, " Factory", "exact", -0.0123)])
        attempt = Attempt(request(samples=1), TOKEN.token_bytes, result(probe(TOKEN, FORM, [reply(0, "x")]), control))
        lines = plain(attempt_lines([attempt], 97))
        token_line = next(line for line in lines if line.startswith("  token"))
        control_line = next(line for line in lines if line.startswith("  control "))
        assert "✗ exact 0/1 [0.00, 0.32]" in token_line
        assert "✓ exact 1/1" in control_line
        assert token_line.index("exact") == control_line.index("exact")
        assert token_line.index(".13") == control_line.index(".0123"), "decimal points stand below one another"
        assert token_line.index("rank") == control_line.index("rank")
        assert "controls exact 1/1" in lines[-1]

    @pytest.mark.parametrize(
        ("width", "heading"), [(38, "logprob"), (60, "logprob"), (97, "logprob / prob of the token")]
    )
    def test_the_numbers_have_a_heading_above_them_at_every_width(self, width: int, heading: str) -> None:
        subject = probe(TOKEN, FORM, [reply(0, "x", logprob=-1.5)])
        lines = plain(attempt_lines([Attempt(request(samples=1), TOKEN.token_bytes, result(subject))], width))
        at = next(index for index, line in enumerate(lines) if line.startswith("    class"))
        assert lines[at].rstrip().endswith(heading), lines[at]
        assert lines[at].index(heading) <= lines[at + 1].index("-1.5") < lines[at].index(heading) + len(heading)
        token = next(line for line in lines if line.startswith("  token"))
        assert token.index("-1.5") == lines[at + 1].index("-1.5"), "the summary below has the same column"
        assert max(map(len, lines)) <= width

    @pytest.mark.parametrize("width", range(38, 120))
    def test_a_number_or_interval_is_whole_or_not_there(self, width: int) -> None:
        subject, control = (
            probe(token, FORM, [reply(number, "x", "exact") for number in range(3)])
            for token in (TOKEN, token_row(5, b" a token with a long name"))
        )
        attempt = Attempt(request(), TOKEN.token_bytes, result(subject, control))
        lines = plain(attempt_lines([attempt], width))
        assert max(map(len, lines)) <= width
        shares = [line for line in lines if "3/3" in line]
        assert len(shares) == 4
        for line in shares:
            assert line.count("[") == len(re.findall(r"\[\d\.\d\d, \d\.\d\d\]", line)), line
        assert ("contains 3/3 [0.44, 1.00]" in lines[-1]) == (width >= 69)
        assert lines[-1].rstrip().endswith("contains 3/3") == (43 <= width < 69)
        assert re.search(r"  seed 0 |(samples|T|T 0\.7) +… ", lines[0]), lines[0]

    def test_greedy_decoding_keeps_one_row_free(self) -> None:
        greedy = msgspec.structs.replace(request(samples=8), temperature=0.0)
        assert Attempt(greedy, TOKEN.token_bytes).samples == 1

    def test_a_stopped_reply_says_so_and_keeps_what_was_said(self) -> None:
        attempt = Attempt(request(), TOKEN.token_bytes, Cancelled())
        attempt.add(part(0, " See"))
        text = "\n".join(plain(attempt_lines([attempt], 80)))
        assert "■ stopped" in text
        assert "·See" in text
        assert "▌" not in text

    def test_a_failure_stands_in_the_place_of_the_rows(self) -> None:
        failure = Failure(message="needs 6.2 GB; 1.9 GB is free [/x]", hint="Unload a model with m.")
        lines = plain(attempt_lines([Attempt(request(), TOKEN.token_bytes, failure)], 60))
        assert "  ✗ needs 6.2 GB; 1.9 GB is free [/x]" in lines
        assert "  Unload a model with m." in lines
        assert not any("control" in line for line in lines)

    def test_models_that_read_the_same_prompt_show_it_once(self) -> None:
        attempts = [Attempt(request(model=name), TOKEN.token_bytes) for name in ("mynah", "lyrebird")]
        text = "\n".join(plain(attempt_lines(attempts, 97)))
        assert text.count("repeat back the string") == 1
        assert text.count("the same prompt as above") == 1

    def test_a_prompt_whose_text_encodes_otherwise_is_noted(self) -> None:
        subject = probe(TOKEN, FORM, [reply(0, "x")], reencodes=False)
        attempt = Attempt(request(samples=1), TOKEN.token_bytes, result(subject))
        assert any("encode to other ids" in line for line in plain(attempt_lines([attempt], 97)))


class TestPromptLines:
    def test_every_slot_is_found_also_inside_a_chat_template(self) -> None:
        form = "say '{token}' and '{token}'\n\nIt is '"
        prompt = "<user>\nsay ' x' and ' x'\n<assistant>\nIt is '"
        spans = slot_spans(prompt, form, " x")
        assert [prompt[start:end] for start, end in spans] == [" x", " x"]
        assert all(prompt[start - 1] == "'" == prompt[end] for start, end in spans)

    def test_text_like_the_token_elsewhere_is_not_taken_for_the_slot(self) -> None:
        prompt = "a cat sat: a"
        assert slot_spans(prompt, "a cat sat: {token}", "a") == [(11, 12)]

    @pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
    def test_a_shortened_prompt_keeps_the_last_slot_in_sight(self, template: Template) -> None:
        form = template.question + template.prefill
        lines = prompt_lines(form.replace("{token}", TOKEN.text), form, ref(TOKEN), 60, 4)
        assert len(lines) <= 4
        assert any(span.style == "bold $accent" for line in lines for span in line.spans)

    def test_fitting_gives_exactly_the_width_also_where_wide_characters_are_cut(self) -> None:
        for width in range(1, 9):
            assert fit("漢字漢字", width).cell_length == width


class TestOptions:
    @pytest.mark.parametrize("text", ["\n\nThe string is '", "a\\n", "\t\x1b[0m\\", "«", ""])
    def test_unescaping_undoes_escaping(self, text: str) -> None:
        assert unescape(escape(text)) == text
        assert escape(text).isprintable()

    async def test_one_request_a_ticked_model_that_has_the_same_tokenizer(self) -> None:
        app = Harness(RepeatBackPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.run_default()
            await pilot.pause()
            asked = [each for each in app.asked if isinstance(each, RepeatBack)]
            assert [each.model for each in asked] == ["mynah", "mynah-instruct", "lyrebird"]
            assert {each.token_id for each in asked} == {742}
            assert any("starling: other tokenizer" in line for line in app.screen_lines())

    async def test_x_unticks_and_enter_in_any_text_field_runs_with_the_options_shown(self) -> None:
        app = Harness(RepeatBackPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.query_one("#samples", Field).value = "4"
            app.pane.query_one("#temperature", Field).value = "0.7"
            app.pane.query_one(Ticks).focus()
            await pilot.press("right", "x", "tab", "enter")
            first = app.asked[0]
            assert isinstance(first, RepeatBack)
            assert [each.model for each in app.asked if isinstance(each, RepeatBack)] == ["mynah", "lyrebird"]
            assert (first.samples, first.temperature, first.template.name) == (4, 0.7, "repeat-1")
            for field in ("#samples", "#question", "#prefill"):
                app.asked.clear()
                app.pane.query_one(field).focus()
                await pilot.press("enter")
                assert len(app.asked) == 2, field

    async def test_a_click_ticks_the_name_it_hits_also_on_the_second_line(self) -> None:
        app = Harness(RepeatBackPane())
        async with app.run_test(size=(40, 30)) as pilot:
            ticks = app.pane.query_one(Ticks)
            assert ticks.size.height == 2
            await pilot.click(Ticks, offset=(2, 1))
            assert ticked(ticks) == ("mynah", "mynah-instruct")
            await pilot.click(Ticks, offset=(1, 0))
            assert ticked(ticks) == ("mynah-instruct",)

    async def test_tab_reaches_every_field_and_the_replies(self) -> None:
        app = Harness(RepeatBackPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.query_one("#template").focus()
            seen = []
            for _ in range(10):
                await pilot.pause()
                seen.append(app.focused.id if app.focused else None)
                await pilot.press("tab")
            fields = ["controls", "samples", "temperature", "top-p", "seed", "max-new-tokens", "models", "question"]
            assert seen == ["template", *fields, "prefill"]
            assert app.focused is not None
            assert app.focused.id == "replies"

    async def test_editing_the_question_makes_the_template_edited_and_is_what_is_asked(self) -> None:
        app = Harness(RepeatBackPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            area = app.pane.query_one(PromptArea)
            area.focus()
            await pilot.press("end", "!", "enter")
            asked = app.asked[0]
            assert isinstance(asked, RepeatBack)
            assert asked.template.name == "edited"
            assert asked.template.question == FORM + "!"
            await pilot.press("backspace")
            await pilot.pause()
            assert app.pane.query_one("#template", Choice).chosen == "repeat-1", "undone: the shipped one again"

    async def test_a_missing_slot_is_said_in_place_and_nothing_is_asked(self) -> None:
        app = Harness(RepeatBackPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.query_one(PromptArea).text = "say it"
            await pilot.pause()
            assert any("has no slot: write {token}" in line for line in app.screen_lines())
            app.pane.run_default()
            await pilot.pause()
            assert app.asked == []

    @pytest.mark.parametrize(
        ("field", "value"),
        [("samples", "0"), ("samples", ""), ("temperature", "1.2.3"), ("top-p", "0"), ("max-new-tokens", "0")],
    )
    async def test_numbers_that_make_no_sense_are_said_in_place(self, field: str, value: str) -> None:
        app = Harness(RepeatBackPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.query_one(f"#{field}", Field).value = value
            await pilot.pause()
            assert any(f"✗ {field}: write" in line for line in app.screen_lines())
            app.pane.run_default()
            await pilot.pause()
            assert app.asked == []

    async def test_left_and_right_go_through_the_templates(self) -> None:
        app = Harness(RepeatBackPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.query_one("#template").focus()
            await pilot.press("right", "right", "right", "right")
            assert app.pane.query_one("#template", Choice).chosen == "string-is"
            assert app.pane.query_one("#prefill", Field).value == "\\n\\nThe string is '"
            app.pane.run_default()
            await pilot.pause()
            asked = app.asked[0]
            assert isinstance(asked, RepeatBack)
            assert asked.template == TEMPLATES[4]

    async def test_a_user_s_template_comes_before_a_shipped_one_of_the_same_name(self) -> None:
        own = Template(name="repeat-1", question="[/foo] {token}")
        app = Harness(RepeatBackPane((own, *TEMPLATES), RepeatOptions(controls=0)))
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.run_default()
            await pilot.pause()
            asked = app.asked[0]
            assert isinstance(asked, RepeatBack)
            assert (asked.template, asked.controls) == (own, 0)

    async def test_without_a_token_the_user_is_told_to_select_one(self) -> None:
        app = Harness(RepeatBackPane(), Selection(roster=SELECTION.roster, model=MODELS[0]))
        async with app.run_test(size=SIZES[0]) as pilot:
            app.pane.run_default()
            await pilot.pause()
            assert app.asked == []
            assert app.remarks == ["Select a token first: press 1."]


class TestShowing:
    async def test_an_empty_pane_says_which_key_fills_it(self) -> None:
        app = Harness(RepeatBackPane())
        async with app.run_test(size=SIZES[0]) as pilot:
            await pilot.pause()
            assert any("press r to ask mynah, mynah-instruct, lyrebird" in line for line in app.screen_lines())

    async def test_parts_stream_into_their_row_and_are_drawn_together(self) -> None:
        pane = RepeatBackPane()
        app = Harness(pane)
        async with app.run_test(size=SIZES[0]) as pilot:
            pane.show_asked(request())
            view = pane.query_one(LinesView)
            await pilot.pause()
            before = view.lines
            for number in range(500):
                pane.show_part(request(), part(number % 3, "x"))
            assert view.lines is before, "nothing is drawn while parts come in"
            view.redraw()
            await pilot.pause()
            assert sum("xxx…" in line for line in app.screen_lines()) == 3, "the rows are painted again"

    async def test_of_a_thousand_controls_only_those_in_sight_are_drawn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn: list[str] = []
        summary = lines_module._summary

        def count(kind: str, *rest: Any) -> Content:
            drawn.append(kind)
            return summary(kind, *rest)

        monkeypatch.setattr(lines_module, "_summary", count)
        pane = RepeatBackPane()
        app = Harness(pane)
        async with app.run_test(size=SIZES[0]) as pilot:
            for model in NAMES:
                pane.show_asked(request(controls=999, model=model))
            view = pane.query_one(LinesView)
            await pilot.pause()
            for number in range(500):
                pane.show_part(request(controls=999, model=NAMES[0]), part(0, "x", subject=1000 + number))
            drawn.clear()
            view.redraw()
            await pilot.pause()
            assert len(view.lines) > 999 * len(NAMES)
            assert len(drawn) <= len(NAMES) + 2 * view.size.height
            view.scroll_to(y=400, animate=False)
            await settled(pilot)
            assert sum("x▌" in line for line in app.screen_lines()) == view.size.height

    async def test_five_hundred_parts_and_their_drawing_take_less_than_a_stall(self) -> None:
        pane = RepeatBackPane()
        async with Harness(pane).run_test(size=SIZES[1]):
            asked = [request(samples=8, controls=3, model=each.name) for each in MODELS[:3]]
            for each in asked:
                pane.show_asked(each)
            for number in range(500):
                pane.show_part(asked[number % 3], part(number % 8, " word"))
            view = pane.query_one(LinesView)
            assert fastest(lambda: _seconds(view.redraw), STALL) < STALL

    async def test_a_step_from_a_file_is_shown_without_having_been_asked(self) -> None:
        pane = RepeatBackPane()
        async with Harness(pane, None).run_test(size=SIZES[0]):
            pane.show(step(request(), result(probe(TOKEN, FORM, [reply(0, " See")]))))
            assert "·VelvetTurbine" in shown(pane)
            assert "✗ other" in shown(pane)

    async def test_an_answer_about_another_token_does_not_push_itself_forward(self) -> None:
        pane = RepeatBackPane()
        app = Harness(pane)
        async with app.run_test(size=SIZES[0]) as pilot:
            pane.show_asked(request())
            other = token_row(5, b" Factory")
            pane.selection = Selection(roster=SELECTION.roster, model=MODELS[0], token=other)
            pane.show(step(request(), result(probe(TOKEN, FORM, [reply(0, " See")]))))
            await pilot.pause()
            assert "press r" in shown(pane)
            pane.selection = SELECTION
            await pilot.pause()
            assert "·See" in shown(pane), "and is there when its token is selected again"

    async def test_what_an_overtaken_request_says_stays_out_of_the_new_one_s_rows(self) -> None:
        pane = RepeatBackPane()
        async with Harness(pane).run_test(size=SIZES[0]):
            first, second = request(samples=3), request(samples=2)
            pane.show_asked(first)
            pane.show_asked(second)
            pane.show_part(first, part(0, " old"))
            pane.show(step(first, Cancelled()))
            pane.show_part(second, part(0, " new"))
            pane.query_one(LinesView).redraw()
            assert "·new▌" in shown(pane)
            assert "old" not in shown(pane)
            assert "stopped" not in shown(pane)

    async def test_a_second_step_from_a_file_is_brought_to_the_front_again(self) -> None:
        pane = RepeatBackPane()
        async with Harness(pane, None).run_test(size=SIZES[0]):
            other = token_row(5, b" Factory")
            for token, said in ((TOKEN, " one"), (other, " two"), (TOKEN, " three")):
                pane.show(step(request(token=token), result(probe(token, FORM, [reply(0, said)]))))
                assert f"·{said.strip()}" in shown(pane)

    async def test_the_same_id_in_another_vocabulary_is_another_token(self) -> None:
        pane = RepeatBackPane()
        async with Harness(pane).run_test(size=SIZES[0]) as pilot:
            pane.show(step(request(), result(probe(TOKEN, FORM, [reply(0, " See")]))))
            elsewhere = token_row(TOKEN.token_id, b" Gannet")
            pane.selection = Selection(roster=SELECTION.roster, model=MODELS[3], token=elsewhere)
            await pilot.pause()
            assert "·See" not in shown(pane)

    async def test_ids_and_whole_replies_are_a_key_away(self) -> None:
        pane = RepeatBackPane()
        async with Harness(pane).run_test(size=SIZES[0]) as pilot:
            long = " ".join(f"word{number}" for number in range(40))
            pane.show(step(request(samples=1, controls=0), result(probe(TOKEN, FORM, [reply(0, long)]))))
            pane.query_one(LinesView).focus()
            assert "word39" not in shown(pane)
            assert "ids 900 901" not in shown(pane)
            await pilot.press("w", "ctrl+t")
            assert "word39" in shown(pane)
            assert "ids 900 901" in shown(pane)

    @pytest.mark.parametrize("size", SIZES)
    async def test_hostile_tokens_reach_no_terminal(self, size: tuple[int, int]) -> None:
        pane = RepeatBackPane()
        app = Harness(pane)
        async with app.run_test(size=size) as pilot:
            for number, token_bytes in enumerate(HOSTILE):
                token = token_row(number, token_bytes)
                pane.selection = Selection(roster=SELECTION.roster, model=MODELS[0], token=token)
                await pilot.pause()
                replies = [reply(0, token.text), reply(1, token.text)]
                control = probe(token, FORM, replies)
                pane.show(step(request(token=token), result(probe(token, FORM, replies), control)))
                await pilot.pause()
                text = "\n".join(app.screen_lines())
                assert not any(ord(character) < 32 or character == "\u202e" for character in text.replace("\n", ""))


def _seconds(act: Callable[[], None]) -> float:
    begun = time.thread_time()  # what other programs do meanwhile does not count
    act()
    return time.thread_time() - begun


def test_whole_replies_of_a_thousand_controls_do_not_hold_up_a_key() -> None:
    said = probe(TOKEN, FORM, [reply(0, "x " * 40)])
    attempts = [Attempt(request(controls=999), "78", outcome=result(said, *[said] * 999)) for _ in range(4)]

    def draw() -> None:
        attempt_lines(attempts, 80, whole=True)

    drawn = attempt_lines(attempts, 80, whole=True)
    assert len(drawn) > 4 * 999
    assert sum("of the other 949 controls" in line for line in plain(drawn)) == 4
    assert fastest(lambda: _seconds(draw), 4 * STALL) < 4 * STALL
