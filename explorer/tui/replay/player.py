"""Playing a session at its recorded pace, faster or slower."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from explorer.base.records.unions import Step
from explorer.tui.replay.current_step import CurrentStep
from explorer.tui.replay.reading import Reading
from explorer.tui.replay.seeker import Seeker
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.stage import Stage

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
LONGEST_WAIT = 10.0
"""Seconds between two steps at speed 1, at most: nobody wants to sit through a lunch break."""
LEAST_WAIT = 2.5
"""Seconds at speed 1 that a step is looked at, at least: a program asks faster than anybody reads."""
SHORTEST_WAIT = 0.05
"""Seconds at any speed."""


class Player:
    """Goes from step to step until it is stopped or there are no more."""

    def __init__(self, stage: Stage, reading: Reading, current: CurrentStep, seeker: Seeker) -> None:
        self._stage = stage
        self._reading = reading
        self._current = current
        self._seeker = seeker

    def toggle(self) -> None:
        """Play, or stop playing."""
        self._current.playing = not self._current.playing
        if self._current.playing:
            run_guarded(self._stage, self._play, group="play", exclusive=True)
        else:
            self._stage.workers.cancel_group(self._stage, "play")
        self._current.show()

    async def _play(self) -> None:
        said = ""
        try:
            while True:
                position = self._current.position
                upcoming = await self._seeker.next_position(1)
                if upcoming is None:
                    said = "played to the end: < goes to the first step"
                    break
                pause = pause_between(self._reading.session, position, upcoming)
                await asyncio.sleep(wait_for(pause, self._current.speed))
                self._current.go_to(upcoming)
        finally:
            self._current.playing = False
            self._current.show(said)

    def change_speed(self, by: int) -> None:
        """Twice as fast (1) or half as fast (−1)."""
        current = self._current
        current.speed = SPEEDS[max(0, min(SPEEDS.index(current.speed) + by, len(SPEEDS) - 1))]
        current.show()


def wait_for(pause: float, speed: float) -> float:
    """Seconds that a step is shown that was recorded `pause` seconds before the next one."""
    return max(SHORTEST_WAIT, max(LEAST_WAIT, pause) / speed)


def pause_between(session: Sequence[Step], position: int, upcoming: int) -> float:
    """Seconds that passed between two steps, at most `LONGEST_WAIT`; 0 where that is not known."""
    if not 0 <= position < upcoming < len(session):
        return 0.0
    try:
        then, after = (datetime.fromisoformat(session[place].at) for place in (position, upcoming))
        passed = (after - then).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no time, or one with a zone and one without
        return 0.0
    return max(0.0, min(passed, LONGEST_WAIT))
