"""A session file opens whatever happened to it: what is good is there, what is not is said, nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explorer.base.errors import ExplorerError
from explorer.base.records.inspect import TokenDetail
from explorer.base.records.notes import Noted, WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.speakability import SpeakabilityCertificate
from explorer.sessions.file.checks import problem_of
from explorer.sessions.file.form import FORMAT, read_step
from explorer.sessions.file.reader import CHUNK, SessionFile
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.sessions.report.section import section_of
from explorer.specs.registry import describe, summarise
from tests.measuring import STALL, fastest
from tests.sessions.example_sessions import exchanges, write_large_session, write_session


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_session(tmp_path_factory.mktemp("example") / "s.jsonl", exchanges())


def test_the_steps_are_those_that_were_written(example: Path) -> None:
    session = SessionFile(example)
    assert session.complete
    assert [(step.request, step.outcome) for step in session] == exchanges()
    assert list(session) == list(read_session(example).steps)
    assert session[-1] == session[len(session) - 1]
    assert session[2:4] == [session[2], session[3]]


def test_a_position_outside_the_session_is_an_index_error(example: Path) -> None:
    session = SessionFile(example)
    for position in (len(session), -len(session) - 1):
        with pytest.raises(IndexError):
            session[position]


def test_a_file_cut_at_any_byte_of_its_last_three_records_keeps_every_whole_step(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # thousands of them; what is tested here is reading
    whole = example.read_bytes()
    ends = [place for place, byte in enumerate(whole) if byte == 10]
    path = tmp_path / "cut.jsonl"
    for cut in range(ends[-4] + 1, len(whole)):
        path.unlink(missing_ok=True)
        path.write_bytes(whole[:cut])
        session = SessionFile(path)
        good = sum(end <= cut for end in ends) - 1  # a line that lacks nothing but its newline is whole
        assert [step.number for step in session] == list(range(1, good + 1))
        assert bool(session.warning) == (cut - 1 not in ends and cut not in ends)
        writer = SessionWriter(path)
        assert writer.append(writer.step(WriteNote(text="on"), Noted(), 0.0))
        assert [step.number for step in read_session(path).steps] == list(range(1, good + 2))
        writer.close()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edits") / "edited.jsonl"


EDITS = st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), min_size=50, max_size=50)


@settings(max_examples=200, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=EDITS)
def test_any_changed_byte_leaves_what_is_good_or_is_refused_in_one_line(
    example: Path, scratch: Path, edits: list[tuple[int, int]]
) -> None:
    whole = example.read_bytes()
    if not scratch.exists():
        scratch.write_bytes(whole)
    for place, byte in edits:  # 200 times 50: ten thousand single edits
        at = place % len(whole)
        with scratch.open("r+b", buffering=0) as file:
            file.seek(at)
            file.write(bytes([byte]))
            try:
                look_at(scratch, whole, at)
            finally:
                file.seek(at)
                file.write(whole[at : at + 1])


def look_at(path: Path, whole: bytes, at: int) -> None:
    """Open a file that differs from `whole` in the byte at `at`, and show what stands around it."""
    try:
        session = SessionFile(path)
    except ExplorerError as error:
        refused_in_one_line = at <= whole.index(b"\n") and "\n" not in error.message
        assert refused_in_one_line  # and only a changed header can make it no session
        return
    lines = whole.count(b"\n") - 1
    assert lines - 1 <= len(session) <= lines + 1
    changed = whole[:at].count(b"\n") - 1
    for position in (changed - 1, changed, changed + 1):
        if 0 <= position < len(session):
            step = session[position]
            assert "\n" not in describe(step.request) + summarise(step.outcome)
            assert section_of(step).number == step.number


def test_a_damaged_line_stands_among_the_steps_and_says_so(example: Path, tmp_path: Path) -> None:
    lines = example.read_bytes().splitlines(keepends=True)
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"".join([*lines[:3], b'{"kind":"Step"}\n', *lines[4:]]))
    session = SessionFile(path)
    assert len(session) == len(exchanges())
    outcome = session[2].outcome
    assert isinstance(outcome, Failure)
    assert "line 4 is damaged" in outcome.message
    assert session[3].outcome == exchanges()[3][1]


NOTE = (
    b'{"kind":"Step","number":1,"at":"","seconds":0,"request":{"kind":"WriteNote","text":"x"},'
    b'"outcome":{"kind":"Noted"}}'
)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 200_000,
        NOTE[:-1] + b',"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        NOTE.replace(b'"number":1', b'"number":1' + b"0" * 40),
        NOTE.replace(b'"number":1', b'"number":' + b"9" * 5000),
        NOTE.replace(b'"number":1', b'"number":-1'),
        NOTE.replace(b'"seconds":0', b'"seconds":"nan"'),
        NOTE.replace(b'"seconds":0', b'"seconds":1e999'),
        NOTE.replace(b'"x"', b'"\\ud800"'),
        NOTE.replace(b'"x"', b'"\xff\xfe"'),
        NOTE.replace(b'"x"', b"5"),
        NOTE.replace(b'{"kind":"WriteNote","text":"x"}', b'{"kind":"Wr1te"}'),
        NOTE.replace(b'{"kind":"WriteNote","text":"x"}', b'{"kind":"ReadVocabulary","model":"m"}'),
        NOTE.replace(
            b'{"kind":"Noted"}', b'{"kind":"RankedTokens","model":"m","sort":"","default_rule":"","rows":[],'
            b'"matching":9000000000000000000,"total":9000000000000000001,"digest":""}'
        ),
        NOTE.replace(
            b'{"kind":"Noted"}', b'{"kind":"LogprobTable","targets":["a"],"columns":[{"model":"m","prompt_ids":[],'
            b'"prompt":"","entropy":0,"cells":[],"top":[]}]}'
        ),
        NOTE.replace(
            b'{"kind":"Noted"}', b'{"kind":"LogprobTable","targets":["a"],"columns":[{"model":"m","prompt_ids":[],'
            b'"prompt":"","entropy":0,"cells":[{"target":"a","target_ids":[1],"logprob":1e308,"rank":0}],"top":[]}]}'
        ),
        NOTE.replace(
            b'{"kind":"Noted"}', b'{"kind":"RankedTokens","model":"m","sort":"","default_rule":"","matching":1,'
            b'"total":1,"digest":"","rows":[{"token_id":1,"token_bytes":"zz","text":"","category":"ok","indicators":{},'
            b'"percentiles":{},"robust_z":{}}]}'
        ),
    ],
)  # fmt: skip
def test_what_no_program_of_ours_writes_is_damage(example: Path, tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(example.read_bytes().split(b"\n")[0] + b"\n" + line + b"\n" + NOTE + b"\n")
    session = SessionFile(path)
    assert len(session) == 2
    assert isinstance(session[0].outcome, Failure)
    assert "\n" not in session[0].outcome.message
    assert session[1].request == WriteNote(text="x")


def test_a_proof_has_a_weight_for_each_of_its_tokens() -> None:
    assert not problem_of(SpeakabilityCertificate(kind="weights", token_ids=(1, 2), weights=(0.5, 0.5)))
    assert "1 weights" in problem_of(SpeakabilityCertificate(kind="weights", token_ids=(1, 2), weights=(1.0,)))


def test_a_line_without_end_is_not_read_into_memory(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.sessions.file.reader.LONGEST_LINE", 1000)
    path = tmp_path / "s.jsonl"
    header = example.read_bytes().split(b"\n")[0]
    path.write_bytes(header + b"\n" + b"x" * (2 * CHUNK) + b"\n" + NOTE + b"\n" + b"y" * 3000)
    session = SessionFile(path).index_all()
    assert "longer than any step" in summarise(session[0].outcome)
    assert session[1].request == WriteNote(text="x")
    assert (session.torn_bytes, len(session)) == (3000, 2)


@pytest.mark.parametrize("version", [b'"2"', b"true", b"0", b"-1", b"null", b"[]", b"9" * 400])
def test_a_header_without_a_sensible_format_is_refused(example: Path, tmp_path: Path, version: bytes) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(example.read_bytes().replace(b'"format":%d' % FORMAT, b'"format":' + version, 1))
    with pytest.raises(ExplorerError, match=r"is not a session file|newer version"):
        SessionFile(path)


def test_a_file_that_is_cut_while_it_is_read_ends_there(example: Path, tmp_path: Path) -> None:
    path = write_large_session(tmp_path / "s.jsonl", 2000)
    session = SessionFile(path)
    known = len(session)
    with path.open("r+b") as file:
        file.truncate(CHUNK)
    session.index_all()
    assert session.complete
    assert len(session) >= known
    assert summarise(session[len(session) - 1].outcome)  # gone from the file by now, or whole; no exception


# ── large ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_large_session(tmp_path_factory.mktemp("large") / "large.jsonl", 100_000)


def test_the_first_steps_of_100_000_are_there_at_once(large: Path) -> None:
    assert large.stat().st_size > 190e6

    def seconds() -> float:
        began = time.thread_time()  # what other programs do meanwhile does not count
        session = SessionFile(large)
        first = session[:50]
        taken = time.thread_time() - began
        assert [step.number for step in first] == list(range(1, 51))
        assert not session.complete
        return taken

    assert fastest(seconds, 2.0) < 2.0


@pytest.mark.usefixtures("own_garbage")
def test_no_look_at_a_large_session_takes_long(large: Path) -> None:
    assert fastest(lambda: longest_look(large), STALL) < STALL


def longest_look(large: Path) -> float:
    """Of this thread's own work, so that other programs on the machine do not count."""
    session = SessionFile(large)
    longest, ended = 0.0, False
    while not ended:
        began = time.thread_time()
        ended = session.index_more()
        longest = max(longest, time.thread_time() - began)
    assert len(session) == 100_000
    for position in range(0, 100_000, 997):
        began = time.thread_time()
        assert session[position].number == position + 1
        longest = max(longest, time.thread_time() - began)
    return longest


def test_replay_needs_no_heavy_library(large: Path, example: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.search import Query, SessionIndex
from explorer.sessions.report.page import html_report
session = SessionFile(Path({str(example)!r}))
index = SessionIndex(session).index_all()
index.find(Query(text="the"))
"".join(html_report(session))
heavy = {{"torch", "transformers", "scipy", "textual", "rich", "sklearn", "pandas"}}
print(len(session), sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == [str(len(exchanges())), "[]\n"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    # In another process: what waits for ever must not take the tests with it.
    tried = "\n".join(
        [
            "import sys, pathlib",
            "from explorer.base.errors import ExplorerError",
            "from explorer.sessions.file.store import SessionFile, SessionWriter",
            "for opened in (SessionFile, SessionWriter):",
            "    try:",
            "        opened(pathlib.Path(sys.argv[1]))",
            "    except ExplorerError as error:",
            "        print(error.line)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", tried, str(pipe)], capture_output=True, text=True, timeout=60)
    assert done.stdout.count("pipe.jsonl: not a regular file") == 2
    assert done.stderr == ""


def test_an_outcome_that_answers_another_request_is_damage(tmp_path: Path) -> None:
    asked, _ = exchanges()[0]
    _, other = next(pair for pair in exchanges() if isinstance(pair[1], TokenDetail))
    session = SessionFile(write_session(tmp_path / "s.jsonl", [(asked, other)]))
    assert list(session.damage()) == [
        f"line 2 is damaged: TokenDetail is no answer to {type(asked).__name__}. It was left out."
    ]
    assert section_of(session[0]) is not None


def test_what_a_damaged_line_quotes_is_cut(tmp_path: Path) -> None:
    header, step = (line.replace(b'"kind":"', b'"kind":"' + b"{" * 5000, 1) for line in _two_lines(tmp_path))
    (tmp_path / "no.jsonl").write_bytes(header + b"\n")
    with pytest.raises(ExplorerError) as refused:
        SessionFile(tmp_path / "no.jsonl")
    assert len(refused.value.line) < 400
    with pytest.raises(ExplorerError) as damaged:
        read_step(step)
    assert len(damaged.value.message) < 400


def _two_lines(folder: Path) -> list[bytes]:
    return write_session(folder / "s.jsonl", exchanges()[:1]).read_bytes().splitlines()[:2]
