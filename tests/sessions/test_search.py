"""Finding steps: by words, token, model, tag; and notes and marks at any moment of a session."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from explorer.base.records.inspect import InspectToken, TokenDetail
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.tokens import TokenRow
from explorer.base.records.verification import ReadEvidence, Verify
from explorer.base.records.vocabulary import RankTokens
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.search import Query, SessionIndex
from explorer.specs.registry import models_of
from tests.measuring import STALL, fastest
from tests.sessions.example_sessions import info, logprob_table, write_large_session, write_session


@pytest.fixture
def index(tmp_path: Path) -> SessionIndex:
    return indexed(
        tmp_path,
        [
            (LoadModel(source="zoo:mynah"), ModelLoaded(info=info("mynah"))),
            (InspectToken(model="mynah", token_id=5), Failure(message="nothing of the kind")),
            (ReadLogprobs(models=("mynah", "heron"), prompt="The Cat\n'sat'", token_id=5), logprob_table(-1.0)),
            (MarkToken(model="mynah", token_id=5), Noted()),
            (MarkToken(model="heron", token_id=6), Noted()),
            (WriteNote(text="odd one", model="mynah", token_id=5, tags=("odd", "later")), Noted()),
            (WriteNote(text="on the second", step=2), Noted()),
            (MarkToken(model="mynah", token_id=5, marked=False), Noted()),
            (InspectToken(model="heron", token_id=5), Failure(message="gone")),
        ],
    )


def indexed(folder: Path, pairs: list) -> SessionIndex:  # type: ignore[type-arg]
    return SessionIndex(SessionFile(write_session(folder / "s.jsonl", pairs))).index_all()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), list(range(9))),
        (Query(model="heron"), [2, 4, 8]),
        (Query(model="mynah"), [0, 1, 2, 3, 5, 7]),
        (Query(token_id=5), [1, 2, 3, 5, 7, 8]),
        (Query(token_id=5, model="heron"), [2, 8]),
        (Query(kinds=frozenset({"InspectToken", "LoadModel"})), [0, 1, 8]),
        (Query(tag="odd"), [5]),
        (Query(text="ODD ONE"), [5]),
        (Query(text="cat\n'SAT"), [2]),
        (Query(text="of the kind"), [1]),
        (Query(text="inspect token"), [1, 8]),
        (Query(text="token_id"), []),
        (Query(text="Noted"), []),
    ],
)
def test_a_query_finds_the_steps_it_describes(index: SessionIndex, query: Query, found: list[int]) -> None:
    assert index.positions(query) == found
    forwards, position = [], 0
    while (hit := index.find(query, position).position) is not None:
        forwards.append(hit)
        position = hit + 1
    assert forwards == found
    backwards, position = [], 8
    while (hit := index.find(query, position, step=-1).position) is not None:
        backwards.append(hit)
        position = hit - 1
    assert backwards == found[::-1]


def test_notes_are_found_by_their_step_and_by_their_token(index: SessionIndex) -> None:
    assert [note.text for note in index.notes_on_step(2)] == ["on the second"]
    assert [note.text for note in index.notes_on_token("mynah", 5)] == ["odd one"]
    assert index.notes_on_step(3) == index.notes_on_token("heron", 5) == ()


def test_marks_are_those_of_the_moment(index: SessionIndex) -> None:
    assert index.marked_before(3) == {}
    assert index.marked_before(4) == {"mynah": frozenset({5})}
    assert index.marked_before(6) == {"mynah": frozenset({5}), "heron": frozenset({6})}
    assert index.marked_before(9) == {"mynah": frozenset(), "heron": frozenset({6})}


def test_a_damaged_line_is_about_nothing_and_disturbs_no_search(tmp_path: Path) -> None:
    path = write_session(tmp_path / "s.jsonl", [(WriteNote(text=f"note {n}"), Noted()) for n in range(3)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    path.write_bytes(b"".join([*lines[:2], b'{"request":{"model":[]},\xff\n', lines[3]]))
    index = SessionIndex(SessionFile(path)).index_all()
    assert index.positions(Query(text="note")) == [0, 2]
    assert index.fact(1).kind == ""


def test_a_question_about_a_sweep_is_about_its_model(tmp_path: Path) -> None:
    index = indexed(
        tmp_path,
        [
            (ReadEvidence(of=Verify(model="heron"), definition="plain", token_id=5), Failure(message="gone")),
            (ReadLogprobs(models=("mynah",), prompt="a", top_of="heron"), logprob_table(-1.0)),
            (InspectToken(model="mynah", token_id=5), Failure(message="gone")),
        ],
    )
    assert index.positions(Query(model="heron")) == [0, 1]
    assert index.fact(0).models == models_of(index.session[0].request)


@pytest.mark.parametrize("text", ["by D(w_e)", "by input_centroid_distance", "‖W_E‖<0.9", "input_norm<0.9"])
def test_an_indicator_is_found_by_its_name_and_as_the_screen_calls_it(tmp_path: Path, text: str) -> None:
    how = "‖W_E‖<0.9" if "‖" in text else "input_norm<0.9"
    asked = RankTokens(model="mynah", sort="input_centroid_distance", filter=how)
    index = indexed(tmp_path, [(WriteNote(text="no"), Noted()), (asked, Failure(message="gone"))])
    assert index.positions(Query(text=text)) == [1]


def test_a_token_is_found_as_the_screen_writes_it(tmp_path: Path) -> None:
    none: dict[str, float] = {}
    row = TokenRow(
        token_id=9, token_bytes="cb", text="\ufffd", category="byte", indicators=none, percentiles=none, robust_z=none
    )
    pairs = [
        (MarkToken(model="mynah", token_id=5, text=" toget"), Noted()),
        (MarkToken(model="mynah", token_id=6, text="toget"), Noted()),
        (MarkToken(model="mynah", token_id=7, text="\u202eab"), Noted()),
        (InspectToken(model="mynah", token_id=9), TokenDetail(model="mynah", row=row)),
    ]
    index = indexed(tmp_path, pairs)
    assert index.positions(Query(text="·toget")) == [0]
    assert index.positions(Query(text="toget")) == [0, 1]
    assert index.positions(Query(text="\\u{202e}ab")) == [2]
    assert index.positions(Query(text="\\xcb")) == [3]
    assert index.positions(Query(text="\\xcb and")) == []


@pytest.mark.usefixtures("own_garbage")
def test_searching_a_large_session_never_holds_a_screen_up(tmp_path: Path) -> None:
    path = write_large_session(tmp_path / "s.jsonl", 20_000)
    assert fastest(lambda: longest_look(path), STALL) < STALL


def longest_look(path: Path) -> float:
    """Of this thread's own work, when a session is indexed and gone through for what is not in it."""
    index = SessionIndex(SessionFile(path))
    longest, ended = 0.0, False
    while not ended:
        began = time.thread_time()
        ended = index.index_more()
        longest = max(longest, time.thread_time() - began)
    assert index.positions(Query(token_id=77, model="mynah"))[:3] == [76, 3076, 6076]
    looks = 0
    go_on: int | None = 0
    while go_on is not None:
        began = time.thread_time()
        found = index.find(Query(text="not to be found"), go_on)
        longest = max(longest, time.thread_time() - began)
        assert found.position is None
        looks, go_on = looks + 1, found.go_on
    assert looks > 1
    return longest


def test_a_look_past_what_is_indexed_says_where_to_go_on(tmp_path: Path) -> None:
    session = SessionFile(write_large_session(tmp_path / "s.jsonl", 20_000))
    index = SessionIndex(session)
    index.index_more(0.0)
    first = index.find(Query(token_id=2999), 0, seconds=10)
    assert first.position is None
    assert first.go_on is not None
    index.index_all()
    assert index.find(Query(token_id=2999), first.go_on, seconds=10).position == 2998
