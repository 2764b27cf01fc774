"""Unexpected errors of the screen's side: each is told once, can be copied, and ends nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from explorer.base.records.unions import Step
from explorer.engine.handlers import Engine
from explorer.tui.panes.session.pane import SessionPane
from explorer.tui.shell.guarded import Defects, describe_defect, run_guarded
from tests.app_driver import running, screen_text, until


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def fail(what: str) -> None:
    raise LookupError(what)


async def test_errors_in_a_worker_of_a_pane_one_of_the_app_and_a_handler_are_told_and_the_program_lives(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):

        async def work_of_pane() -> None:
            fail("in a pane's worker")

        async def work_of_app() -> None:
            fail("in a worker [/b] of the App")

        def show(self: SessionPane, step: Step) -> None:
            fail("in a handler")

        run_guarded(app.workspace.token_pane, work_of_pane)
        run_guarded(app, work_of_app)
        monkeypatch.setattr(SessionPane, "add", show)
        await pilot.press("space")  # a mark is a step
        defects = app.notices.defects.found
        await until(pilot, lambda: len(defects) == 3)
        told = "\n".join(notice.message for notice in app._notifications)
        for where in ("in a pane's worker", "in a worker [/b] of the App", "in a handler"):
            assert f"Internal error: LookupError: {where}" in told
        monkeypatch.undo()
        await pilot.press("2")
        await until(pilot, lambda: app.workspace.pane("repeat").has_focus_within)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "internal error: LookupError" in screen_text(app))
        await pilot.press("end", "enter")
        await until(pilot, lambda: "Traceback (most recent call last)" in screen_text(app))
        await pilot.press("y")
        assert app.clipboard == defects[-1].traceback
        await pilot.press("escape", "escape")
        assert len(app.screen_stack) == 1
        assert app.is_running
        defects.clear()


class Unspoken:
    """Work with much in it."""

    async def __call__(self) -> None:
        """Nothing to do."""

    def __repr__(self) -> str:
        raise AssertionError("nobody writes out what work holds: a whole map takes 100 ms")


async def test_work_is_begun_without_writing_out_what_it_holds(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, _):
        assert run_guarded(app, partial(Unspoken()), group="view").description == "view"


async def test_an_error_in_a_command_is_told_and_the_next_key_is_heard(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        app.dispatcher.acts["models"] = lambda: fail("in an act")
        await pilot.press("m")
        await until(pilot, lambda: len(app.notices.defects.found) == 1)
        await pilot.press("f12")
        await until(pilot, lambda: "LookupError: in an act" in screen_text(app))
        await pilot.press("escape", "question_mark")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        app.notices.defects.found.clear()


async def test_an_error_before_the_screen_is_there_ends_the_program(engine: Engine, tmp_path: Path) -> None:
    from explorer.sessions.file.store import SessionWriter
    from explorer.settings import Settings
    from explorer.tui.live.app import ExplorerApp
    from tests.direct_client import DirectClient

    app = ExplorerApp(DirectClient(engine), SessionWriter(tmp_path / "s.jsonl"), Settings(models=()))  # type: ignore[arg-type]

    async def begin() -> None:
        fail("while it starts")

    app.start.begin = begin  # type: ignore[method-assign]
    with pytest.raises(LookupError, match="while it starts"):
        async with app.run_test() as pilot:
            await pilot.pause()
    assert app.return_code == 1


def test_the_same_error_is_noted_once() -> None:
    defects, errors = Defects(), []
    for _ in range(2):
        try:
            fail("again and again")
        except LookupError as error:
            errors.append(error)
    assert defects.note(errors[0]) == describe_defect(errors[0])
    assert defects.note(errors[1]) is None
    assert len(defects.found) == 1
