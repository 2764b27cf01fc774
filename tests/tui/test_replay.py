"""Laws of the replay: what was on the screen is on the screen again, with no engine and no model."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Tabs

from explorer.base.errors import ExplorerError
from explorer.base.records.inspect import InspectToken
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Request
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.unions import Step
from explorer.base.records.vocabulary import RankTokens
from explorer.engine.handlers import Engine
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.recent import sample_sessions
from explorer.sessions.search import Query, SessionIndex
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.panes.logprobs import form as logprobs
from explorer.tui.panes.repeat_back import form as repeat_back
from explorer.tui.replay.app import ReplayApp
from explorer.tui.replay.chosen_steps import ChosenSteps
from explorer.tui.replay.foot import Place, ReplayFoot, place_line
from explorer.tui.replay.player import LEAST_WAIT, LONGEST_WAIT, pause_between, wait_for
from explorer.tui.replay.situation import Situations
from explorer.tui.shell.commands import REPLAY_COMMANDS
from explorer.tui.shell.openings import OpenLive
from tests.app_driver import SIZES, asked, on_screen, running, screen_text, settled, steps, until
from tests.measuring import STALL, bursts, fastest, fastest_of
from tests.replay_driver import at, rendered, replaying
from tests.sessions.example_sessions import HOSTILE, Exchange, exchanges, info, write_large_session, write_session

SAMPLES = [listed.path for listed in sample_sessions()]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def has_asked(app: ExplorerApp, kind: type[Request], count: int) -> bool:
    return len(asked(app, kind)) == count and not app.runs.running


def is_at(app: ReplayApp, position: int) -> bool:
    return app.current.position == position


def position_of(app: ReplayApp, step: Step) -> int:
    return next(place for place, other in enumerate(app.session) if other.number == step.number)


# ── the panes look as they did ────────────────────────────────────────────────────────────────────────────

KEYS: dict[str, tuple[str, type[Request], int]] = {
    "r": ("repeat", RepeatBack, 2),
    "l": ("logprobs", ReadLogprobs, 1),
    "n": ("neighbours", FindNeighbours, 1),
}


def without_asking(lines: list[str]) -> list[str]:
    """What a live pane shows, without the keys that ask: a form in a replay names the others alone."""
    for keys in (repeat_back.RUN, logprobs.RUN):
        lines = [line.replace(f"{keys}  ", "") for line in lines]
    return lines


@pytest.mark.parametrize("size", SIZES)
async def test_a_replayed_step_looks_as_the_live_one_did(engine: Engine, tmp_path: Path, size: tuple[int, int]) -> None:
    seen: dict[str, tuple[Step, list[str]]] = {}
    async with running(engine, tmp_path, size) as (app, pilot):
        await pilot.press("down", "down", "s")
        await until(pilot, lambda: len(asked(app, RankTokens)) >= 1 and not app.runs.running)
        seen["tokens"] = (asked(app, RankTokens)[-1], rendered(app.workspace.token_pane))
        for key, (tab, kind, count) in KEYS.items():
            if app.screen.has_class("-narrow"):
                await pilot.press("1")
            await pilot.press(key)
            await until(pilot, partial(has_asked, app, kind, count))
            await settled(pilot)
            seen[tab] = (asked(app, kind)[-1], rendered(app.query_one(f"#{tab}-pane")))
        await app.recorder.finish(60)
    foot = 3 if size[1] < 32 else 4
    async with replaying(tmp_path / "session.jsonl", (size[0], size[1] + foot)) as (app, pilot):
        for tab, (step, lines) in seen.items():
            app.workspace.show_tab(tab)
            await at(app, pilot, position_of(app, step))
            app.workspace.show_tab(tab)
            await settled(pilot)
            assert rendered(app.query_one(f"#{tab}-pane")) == without_asking(lines), tab


async def test_going_back_shows_the_earlier_state_and_forward_again_the_later(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 1)
        await pilot.press("space", "down", "space")
        await until(pilot, lambda: len(asked(app, MarkToken)) == 2)
        await pilot.press("i", "r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 2 and len(asked(app, InspectToken)) == 1)
        await app.recorder.finish(60)
        count = len(steps(app))
    async with replaying(tmp_path / "session.jsonl") as (app, pilot):
        screens = []
        for position in range(count):
            await at(app, pilot, position)
            screens.append(screen_text(app))
        marks = [len(situation.selection.marked) for situation in map(app.reading.situations.at, range(count))]
        assert max(marks) == 2
        assert marks == sorted(marks)
        for position in reversed(range(count)):
            app.workspace.show_tab("tokens") if position == 0 else None
            await at(app, pilot, position)
            assert app.selection.marked == app.reading.situations.at(position).selection.marked
            assert f"step {position + 1}/{count}" in screen_text(app)
        await at(app, pilot, 0)
        assert "exact" not in screen_text(app)
        await at(app, pilot, count - 1)
        assert screen_text(app) == screens[-1]


async def test_flags_and_marks_of_a_replayed_table_are_those_of_the_live_one(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 1)
        await pilot.press("space")
        await until(pilot, lambda: len(asked(app, MarkToken)) == 1)
        await settled(pilot)
        live = [line[:4] for line in rendered(app.workspace.token_pane.table)]
        await app.recorder.finish(60)
    assert any("✓" in line for line in live)
    assert any("w" in line for line in live)
    async with replaying(tmp_path / "session.jsonl", (120, 44)) as (app, pilot):
        await at(app, pilot, len(app.session) - 1)
        assert [line[:4] for line in rendered(app.workspace.token_pane.table)] == live


# ── every sample, at every size ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
async def test_a_sample_replays_from_end_to_end(path: Path, size: tuple[int, int]) -> None:
    async with replaying(path, size) as (app, pilot):
        await pilot.press("less_than_sign")
        await until(pilot, partial(is_at, app, 0))
        for position in range(1, len(app.session)):
            await pilot.press("full_stop")
            await until(pilot, partial(is_at, app, position))
        await settled(pilot)
        screen = screen_text(app)
        assert f"step {len(app.session)}/{len(app.session)}" in screen
        assert app.selection.model is not None
        assert app.selection.model.name[:12] in screen  # a long name is cut in the bar
        assert app.is_running


async def test_a_hostile_session_reaches_no_terminal_code(tmp_path: Path) -> None:
    path, forbidden = write_session(tmp_path / "s.jsonl", exchanges(HOSTILE)), set("\x1b\x07\u202e\u200d")
    async with replaying(path) as (app, pilot):
        for position in range(len(app.session)):
            await at(app, pilot, position)
            # Every step is shown in its own tab; the others stand as they stood.
            assert not set(screen_text(app)) & forbidden
        for tab in ("repeat", "logprobs", "neighbours", "session"):
            app.workspace.show_tab(tab)
            await pilot.pause(0)
            assert not set(screen_text(app)) & forbidden


# ── going through it ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    pairs = exchanges()
    pairs += [(WriteNote(text="the odd one [/b]", step=4, tags=("odd",)), Noted())]
    return write_session(tmp_path / "s.jsonl", pairs)


async def test_steps_jumps_and_searches_go_where_they_say(noted: Path) -> None:
    async with replaying(noted) as (app, pilot):
        last = len(app.session) - 1
        assert app.current.position == 1, "the first step loads a model"
        await pilot.press("full_stop", "full_stop", "comma")
        await until(pilot, lambda: app.current.position == 2)
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: app.current.position == last)
        await pilot.press("less_than_sign")
        await until(pilot, lambda: app.current.position == 0)
        await pilot.press("g")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("4", "enter")
        await until(pilot, lambda: app.current.position == 3)
        assert "the odd one [/b]" in screen_text(app)
        await pilot.press("slash")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("O", "D", "D", "space", "o", "n", "e", "enter")
        await until(pilot, lambda: app.current.position == last)
        await pilot.press("n")
        await until(pilot, lambda: "no such step" in screen_text(app))
        assert app.current.position == last


async def test_only_this_token_and_only_this_model_pass_the_others_over(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 2)
        await pilot.press("down")
        await until(pilot, lambda: not app.runs.running)
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 4)
        await app.recorder.finish(60)
    async with replaying(tmp_path / "session.jsonl") as (app, pilot):
        for key, wants in (("o", "token_id"), ("m", "models")):
            await at(app, pilot, next(p for p, s in enumerate(app.session) if isinstance(s.request, RepeatBack)))
            await pilot.press(key)
            await settled(pilot)
            wanted = app.current.only
            listed = [app.session[place] for place in app.reading.index.positions(wanted)]
            assert 0 < len(listed) < len(app.session)
            assert list(app.workspace.session_pane.steps) == listed
            visited = [app.current.position]
            while True:
                before = app.current.position
                await pilot.press("full_stop")
                await settled(pilot)
                if app.current.position == before:
                    break
                visited.append(app.current.position)
            assert visited == [place for place in app.reading.index.positions(wanted) if place >= visited[0]], wants
            await pilot.press(key)
            assert app.current.only != wanted


async def test_the_arrows_step_in_lists_and_stay_with_tables_of_columns(noted: Path) -> None:
    async with replaying(noted) as (app, pilot):
        assert app.current.position == 1
        await pilot.press("5", "right")
        await until(pilot, lambda: app.current.position == 2)
        await pilot.press("left")
        await until(pilot, lambda: app.current.position == 1)
        await pilot.press("1", "right")
        await settled(pilot)
        assert app.current.position == 1


async def test_playing_goes_to_the_end_and_stops(noted: Path) -> None:
    async with replaying(noted) as (app, pilot):
        for _ in range(8):
            await pilot.press("plus")
        assert app.current.speed == 64
        assert app.current.position == 1, "it plays on from the step that it opened at"
        await pilot.press("space")  # a short session may be over before the next look
        await until(pilot, lambda: app.current.position == len(app.session) - 1 and not app.current.playing)


def loading(name: str) -> Exchange:
    return LoadModel(source=f"zoo:{name}"), ModelLoaded(info=info(name))


async def test_a_replay_opens_at_its_first_table_with_the_models_loaded_and_goes_back_to_its_first_step(
    tmp_path: Path,
) -> None:
    first: list[Exchange] = [loading("mynah"), (WriteNote(text="what this is"), Noted()), loading("starling")]
    path = write_session(tmp_path / "s.jsonl", [*first, *exchanges()[1:]])
    async with replaying(path) as (app, pilot):
        screen = screen_text(app)
        assert app.current.position == 3
        assert f"step 4/{len(app.session)}" in screen
        assert {"mynah", "starling"} == {each.info.name for each in app.current.situation.loaded}
        assert app.workspace.token_pane.table.display
        assert "N what this is" in screen, "a note on what was passed over"
        assert "known as      not recorded" in screen, "nothing is awaited"
        await pilot.press("less_than_sign")
        await until(pilot, lambda: app.current.position == 0)
        await settled(pilot)
        assert not app.workspace.token_pane.table.display
        assert "Up to here the session holds no view" in screen_text(app)


@pytest.mark.parametrize("exchanges", [[loading("mynah"), loading("starling")], [(WriteNote(text="x"), Noted())]])
async def test_a_session_that_shows_nothing_opens_at_its_first_step(tmp_path: Path, exchanges: list[Exchange]) -> None:
    async with replaying(write_session(tmp_path / "s.jsonl", exchanges)) as (app, _):
        assert app.current.position == 0
        assert f"step 1/{len(exchanges)}" in screen_text(app)


def test_the_recorded_pace_is_kept_and_long_pauses_are_cut() -> None:
    times = ("2026-11-20T10:00:00Z", "2026-11-20T10:00:02.500Z", "2026-11-20T12:00:00Z", "nonsense", "2026-11-20")
    note = Step(number=1, at="", seconds=0, request=WriteNote(text=""), outcome=Noted())
    recorded = [msgspec.structs.replace(note, at=at) for at in times]
    assert [pause_between(recorded, n, n + 1) for n in range(len(times))] == [2.5, LONGEST_WAIT, 0, 0, 0]


def test_a_step_is_shown_long_enough_to_be_read() -> None:
    assert wait_for(0.0, 1) == LEAST_WAIT >= 2
    assert wait_for(4.0, 1) == 4.0
    assert wait_for(0.0, 4) == LEAST_WAIT / 4
    assert wait_for(0.0, 64) > 0


async def test_a_search_goes_on_from_the_first_step_after_the_last(tmp_path: Path) -> None:
    notes: list[Exchange] = [(WriteNote(text=text), Noted()) for text in ("one", "match a", "two", "match b", "three")]
    async with replaying(write_session(tmp_path / "s.jsonl", notes)) as (app, pilot):
        app.seeker.sought = Query(text="match")
        for key, place in (("n", 1), ("n", 3), ("n", 1), ("N", 3), ("N", 1)):
            await pilot.press(key)
            await until(pilot, lambda place=place: app.current.position == place)  # type: ignore[misc]
        app.current.jump(4)
        await until(pilot, lambda: app.current.position == 4)
        await pilot.press("n")
        await until(pilot, lambda: "from the first step on" in screen_text(app))
        assert app.current.position == 1


async def test_each_note_of_a_sample_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(ReplayFoot, "show_notes", lambda self, notes: shown.extend(note.text for note in notes))
    async with replaying(next(path for path in SAMPLES if path.stem == "first-look")) as (app, pilot):
        shown.clear()
        for position in range(len(app.session)):
            await at(app, pilot, position)
        texts = [step.request.text for step in app.session if isinstance(step.request, WriteNote)]
    assert shown == texts


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_shows_tokens_from_its_second_step_on_and_was_recorded_at_a_readers_pace(path: Path) -> None:
    session = SessionFile(path).index_all()
    assert isinstance(session[1].request, RankTokens)
    answers = [step for step in session if not isinstance(step.request, WriteNote | MarkToken)]
    times = [datetime.fromisoformat(step.at) for step in answers]
    assert all((after - before).total_seconds() >= 2 for before, after in pairwise(times))


@pytest.mark.parametrize("width", [20, 60, 80, 120])
def test_the_place_fits_its_line(width: int) -> None:
    step = Step(number=12, at="2026-11-20T00:47:03Z", seconds=1, request=WriteNote(text="long " * 90), outcome=Noted())
    line = place_line(Place(11, 48, True, step, playing=True, speed=4), width)
    assert line.cell_length <= width
    assert line.plain.startswith(" ▶ step 12/48")
    assert "speed 4x" in line.plain or width < 60


def test_no_two_commands_of_the_replay_share_a_key_and_each_has_an_action() -> None:
    keys = [key for command in REPLAY_COMMANDS for key in command.key.split(",")]
    assert len(keys) == len(set(keys))


async def test_every_tab_and_dialogue_of_the_replay_opens(noted: Path) -> None:
    async with replaying(noted, (80, 24)) as (app, pilot):
        for key in ("2", "3", "4", "5", "1"):
            await pilot.press(key)
            await pilot.pause()
        for key in ("question_mark", "g", "slash", "ctrl+p"):
            await pilot.press(key)
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.press("r", "l")
        assert app.is_running


async def test_going_live_names_the_models_of_that_moment(noted: Path) -> None:
    async with replaying(noted) as (app, pilot):
        await at(app, pilot, 5)
        await pilot.press("c")
        await until(pilot, lambda: app.ending.then is not None)
    assert app.ending.then == OpenLive(noted, (LoadModel(source="zoo:mynah"),))


# ── large and broken files ────────────────────────────────────────────────────────────────────────────────


async def test_of_100_000_steps_the_first_is_on_the_screen_before_the_last_is_read(tmp_path: Path) -> None:
    path = write_large_session(tmp_path / "large.jsonl", 100_000)
    app, read = ReplayApp(SessionFile(path), Settings()), list[int]()

    def is_shown() -> bool:
        read.extend([len(app.reading.index)] if app.current.position == 0 else [])
        return bool(read)

    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, is_shown)
        assert "step 1/" in screen_text(app)
    assert read[0] < 50_000


async def test_100_000_steps_are_searched_and_paged_without_stalls(tmp_path: Path) -> None:
    path = write_large_session(tmp_path / "large.jsonl", 100_000)
    async with replaying(path) as (app, pilot):
        assert len(app.session) == 100_000
        assert await fastest_of(lambda: longest_stall(app, pilot), STALL) < STALL
        app.current.jump(99_999)
        await until(pilot, lambda: app.current.position == 99_999)
        await pilot.press("5")
        assert "step 100,000/100,000" in screen_text(app)


async def longest_stall(app: ReplayApp, pilot: Pilot[None]) -> float:
    """The longest that the event loop was busy while a search goes through everything."""
    app.workspace.show_tab("session")
    await settled(pilot)
    async with bursts() as stalls:
        app.seeker.sought = Query(text="nowhere to be found")
        app.seeker.search(1)
        await until(pilot, lambda: all(worker.is_finished for worker in app.workers if worker.group == "seek"))
    return max(stalls)


def test_any_step_of_100_000_is_found_at_once(tmp_path: Path) -> None:
    path = write_large_session(tmp_path / "large.jsonl", 100_000)
    situations = Situations(SessionIndex(SessionFile(path)).index_all())
    situations.take_in()

    def seconds() -> float:
        began = time.process_time()
        for position in range(99_999, 0, -4999):
            assert situations.at(position).showing["ReadLogprobs"].steps[-1].number == position + 1
        return (time.process_time() - began) / 20

    assert fastest(seconds, 0.02) < 0.02


async def test_a_torn_line_is_said_and_the_good_part_shown(noted: Path) -> None:
    whole = noted.read_bytes()
    noted.write_bytes(whole[:-20])
    async with replaying(noted) as (app, _):
        assert len(app.session) == len(whole.splitlines()) - 2
        assert any("torn" in notification.message for notification in app._notifications)


async def test_a_session_without_steps_opens(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(write_session(tmp_path / "t.jsonl", [(WriteNote(text="x"), Noted())]).read_bytes().split(b"\n")[0])
    async with replaying(path) as (app, pilot):
        await pilot.press("full_stop", "comma", "greater_than_sign", "space", "o", "m", "n", "c")
        await settled(pilot)
        assert app.current.position == -1
        assert app.query_one(ReplayFoot).is_mounted
        assert app.query_one("#tabs", Tabs).active == "tokens"


def test_no_session_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text("hello")
    with pytest.raises(ExplorerError, match="not a session file"):
        SessionFile(tmp_path / "s.jsonl")


def test_the_replay_imports_no_torch_and_starts_no_engine() -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
from explorer.settings import Settings
from explorer.sessions.file.reader import SessionFile
from explorer.tui.panes.logprobs import form as logprobs
from explorer.tui.panes.repeat_back import form as repeat_back
from explorer.tui.replay.app import ReplayApp
from explorer.tui.replay.chosen_steps import ChosenSteps
async def main():
    app = ReplayApp(SessionFile(Path({str(SAMPLES[0])!r})), Settings())
    async with app.run_test() as pilot:
        while app.current.position < len(app.session) - 1 or not app.reading.index.complete:
            await pilot.press("full_stop")
            await pilot.pause()
asyncio.run(main())
heavy = {{"torch", "transformers", "transformer_lens", "scipy", "sklearn", "sentence_transformers"}}
print(sorted(heavy & set(sys.modules)), "explorer.engine.server" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[] False"


def test_chosen_steps_are_a_list_of_their_own(tmp_path: Path) -> None:
    session = SessionFile(sample_sessions()[0].path).index_all()
    chosen = ChosenSteps(session, [1, 3, 4])
    assert list(chosen) == [session[1], session[3], session[4]]
    assert [chosen.place_of(position) for position in range(6)] == [0, 0, 0, 1, 2, 2]
