"""The experiments of the two posts on the screen, in at most 30 keys at 120x40."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.speakability import ProveSpeakability, SpeakabilityResult
from explorer.base.records.unions import Step
from explorer.engine.handlers import Engine
from explorer.sessions.file.store import read_session
from tests.app_driver import asked, running, screen_text, until

FOUR = ("zoo:mynah", "zoo:mynah-instruct", "zoo:lyrebird", "zoo:starling")
MOST = 30


def has_proved(steps: Sequence[Step]) -> bool:
    """Whether one of them has an outcome that is not partial."""
    return any(isinstance(step.outcome, SpeakabilityResult) for step in steps)


async def test_the_tour_of_the_posts_takes_at_most_thirty_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys: list[str] = []
    async with running(Engine(), tmp_path, models=FOUR) as (app, pilot):

        async def press(*given: str) -> None:
            keys.extend(given)
            await pilot.press(*given)

        # whole tokens close to the centroid
        await press("s", "slash", *"cat:ok", "enter")
        await until(pilot, lambda: "2,849 match" in screen_text(app) and app.selection.token is not None)
        # four models asked to repeat one
        await press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 4)
        assert all(isinstance(step.outcome, RepeatBackResult) for step in asked(app, RepeatBack))
        # base and instruct in the form of the post: a line for each model
        await press("l")
        await until(pilot, lambda: len(asked(app, ReadLogprobs)) == 1)
        await press("T")
        await until(pilot, lambda: "target 1 of" in screen_text(app))
        table = asked(app, ReadLogprobs)[0].outcome
        assert isinstance(table, LogprobTable)
        lines = [line for line in screen_text(app).splitlines() if " / " in line and "%" in line and "'" in line]
        shown = [name for name in ("mynah ", "mynah-instruct ") if any(name in line for line in lines)]
        assert shown == ["mynah ", "mynah-instruct "]
        # a neighbourhood walked four steps, and back
        walked = []
        for step in range(1, 5):
            await press("n")
            await until(pilot, lambda: len(asked(app, FindNeighbours)) == step)  # noqa: B023
            assert app.selection.token is not None
            walked.append(app.selection.token.token_id)
            await press("enter")
            await until(pilot, lambda: app.selection.token is not None and app.selection.token.token_id != walked[-1])
        for token_id in reversed(walked):
            await press("backspace")
            await until(pilot, lambda: app.selection.token is not None and app.selection.token.token_id == token_id)  # noqa: B023
        # the list of tokens that are hard to speak, exported
        await press("A")
        await until(pilot, lambda: has_proved(asked(app, ProveSpeakability)))
        await press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1 and bool(list(tmp_path.glob("*.csv"))))
        (exported,) = tmp_path.glob("*.csv")
        assert "token_id" in exported.read_text().splitlines()[0]
        # the session replayed, and back
        await app.recorder.finish(60)
        recorded = len(read_session(app.session.path).steps)
        assert recorded >= 12
    assert len(keys) + len(("ctrl+o", "enter", "q")) <= MOST, len(keys)
