"""Rates and times left: one rule, in units that are read at once."""

from __future__ import annotations

import io
import time

import msgspec
import pytest

from explorer.base.pace import describe_pace, find_pace, format_duration, format_rate
from explorer.base.records.record import Progress
from explorer.headless.progress import ProgressLine


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "<1 s"), (45, "45 s"), (119, "119 s"), (720, "12 min"), (3570, "1 h"), (11_100, "3 h 5 min"),
        (86_399, "1 d"), (330_671, "3 d 20 h"), (86_237 * 1000, "998 d 3 h"),
    ],
)  # fmt: skip
def test_a_duration_has_the_units_that_matter(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(
    ("rate", "words"), [(312.4, "312/s"), (4.22, "4.22/s"), (0.0593, "3.56/min"), (0.0005, "1.8/h"), (1e-6, "0.0864/d")]
)
def test_a_rate_is_never_nothing(rate: float, words: str) -> None:
    assert format_rate(rate) == words


def test_what_was_on_disk_is_no_speed() -> None:
    resumed = Progress(done=900, total=1000, what="tokens", reused=880)
    assert find_pace(resumed, elapsed=10.0) == (2.0, 50.0)
    assert find_pace(Progress(done=900, total=1000, what="tokens", reused=900), elapsed=10.0) == (0.0, None)


def test_what_the_engine_measured_goes_first() -> None:
    told = Progress(done=500, total=1000, what="tokens", rate=0.05, seconds_left=330_671.0)
    assert find_pace(told, elapsed=1.0) == (0.05, 330_671.0)
    assert describe_pace(told) == "3/min, 3 d 20 h left"
    assert describe_pace(Progress(done=0, total=0, what="tokens")) == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_waited_for_is_told_and_the_rest_stays() -> None:
    out = Terminal()
    line = ProgressLine(out)
    wait = Progress(done=0, total=0, what="", waits="waiting 10 of 60 s for lab")
    line.tell(wait)
    line.tell(msgspec.structs.replace(wait, waits=""))
    counted = Progress(done=3, total=8, what="tokens verified", rate=1.0)
    for part in (counted, wait, msgspec.structs.replace(counted, done=4)):
        line.tell(part)
    assert [each.removesuffix("\x1b[K") for each in out.getvalue().split("\r")] == [
        "", "waiting 10 of 60 s for lab", "", "3 of 8 tokens verified, 1/s",
        "waiting 10 of 60 s for lab, 3 of 8 tokens verified, 1/s", "4 of 8 tokens verified, 1/s",
    ]  # fmt: skip
    assert line.reached is not None
    assert line.reached.done == 4


def test_off_a_terminal_there_is_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    out = io.StringIO()
    line = ProgressLine(out, quiet=True)
    for second in range(0, 150, 10):
        clock[0] = float(second)
        line.tell(Progress(done=second + 1, total=151, what="tokens verified", note="2 threads"))
    assert out.getvalue().splitlines() == [
        "61 of 151 tokens verified, 1.02/s, 89 s left, 2 threads",
        "121 of 151 tokens verified, 1.01/s, 30 s left, 2 threads",
    ]


def test_a_count_that_begins_again_has_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    out = io.StringIO()
    line = ProgressLine(out)
    for second, done in ((600, 16), (660, 1), (720, 2)):
        clock[0] = float(second)
        line.tell(Progress(done=done, total=16, what="prompts"))
    assert out.getvalue().splitlines()[-1] == "2 of 16 prompts, 1/min, 14 min left"


def test_on_a_terminal_the_line_is_written_over_unless_rows_are_printed() -> None:
    part, shown, hidden = Progress(done=1, total=4, what="shards"), Terminal(), Terminal()
    ProgressLine(shown).tell(part)
    ProgressLine(hidden, quiet=True).tell(part)
    assert shown.getvalue().startswith("\r1 of 4 shards")
    assert "\n" not in shown.getvalue()
    assert hidden.getvalue() == ""


def test_what_is_counted_stands_in_a_rate() -> None:
    assert format_rate(491.2, "tokens") == "491 tokens/s"
    assert format_rate(0.05, "tokens") == "3 tokens/min"
