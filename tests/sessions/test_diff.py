"""Two sessions compared: paired by question, whatever the order and whatever the models are called."""

from __future__ import annotations

from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.notes import WriteNote
from explorer.base.records.unions import Cancelled, Step
from explorer.sessions.checking.diff import diff_sessions
from tests.sessions.example_sessions import exchanges, info, logprob_table
from tests.sessions.test_check import steps


def session(model: str, *logprobs: float, dtype: str = "float32", digest: str = "a" * 32) -> list[Step]:
    """Load a model, and ask it one prompt for each logprob."""
    load = (LoadModel(source=f"zoo:{model}"), ModelLoaded(info=info(model, dtype=dtype, digest=digest)))
    asked = [
        (ReadLogprobs(models=(model,), prompt=f"prompt {place}"), logprob_table(value, models=(model,)))
        for place, value in enumerate(logprobs)
    ]
    return steps(load, *asked)


def test_a_session_does_not_differ_from_itself() -> None:
    whole = steps(*exchanges())
    difference = diff_sessions(whole, whole)
    assert difference.is_none
    assert [type(pair.first.request).__name__ for pair in difference.pairs] == [
        "RankTokens", "InspectToken", "RepeatBack", "ReadLogprobs", "FindNeighbours", "CompareTokens", "ViewMap",
        "FindLineage", "Verify", "ReadEvidence", "SelfTest", "MatchTokenList", "ProveSpeakability",
    ]  # fmt: skip
    assert [pair.difference for pair in difference.models] == [""]


def test_what_differs_is_the_same_from_both_sides() -> None:
    one, other = session("mynah", -1.0, -2.0, -3.0), session("mynah", -1.0, -2.5)
    there, back = diff_sessions(one, other), diff_sessions(other, one)
    assert [bool(pair.found.difference) for pair in there.pairs] == [False, True]
    assert [bool(pair.found.difference) for pair in back.pairs] == [False, True]
    assert there.only_first == back.only_second
    assert [step.number for step in there.only_first] == [4]
    assert not there.is_none


def test_models_of_different_names_stand_for_each_other_in_order() -> None:
    difference = diff_sessions(session("mynah", -1.0), session("heron", -1.0, digest="f" * 32))
    assert len(difference.pairs) == 1
    assert difference.is_none
    (models,) = difference.models
    assert (models.first.name, models.second.name) == ("mynah", "heron")
    assert "weights" in models.difference


def test_names_can_be_given_instead() -> None:
    one = session("mynah", -1.0)
    two = [*session("heron", -9.0), *session("wren", -1.0)]
    assert diff_sessions(one, two).pairs[0].found.difference != ""
    chosen = diff_sessions(one, two, {"mynah": "wren"})
    assert chosen.pairs[0].found.difference == ""
    assert len(chosen.only_second) == 1


def test_another_dtype_is_named_and_widens_the_tolerance() -> None:
    one, other = session("mynah", -1.0), session("mynah", -1.1, dtype="bfloat16")
    difference = diff_sessions(one, other)
    assert "dtype float32 and bfloat16" in difference.models[0].difference
    assert difference.is_none
    assert not diff_sessions(one, session("mynah", -1.1)).is_none


def test_a_question_asked_twice_is_paired_twice() -> None:
    question = (ReadLogprobs(models=("mynah",), prompt="x"), logprob_table(-1.0))
    difference = diff_sessions(steps(question, question), steps(question, question, question))
    assert [(pair.first.number, pair.second.number) for pair in difference.pairs] == [(1, 1), (2, 2)]
    assert [step.number for step in difference.only_second] == [3]


def test_stopped_requests_and_notes_are_left_out() -> None:
    stopped = (ReadLogprobs(models=("mynah",), prompt="x"), Cancelled())
    note = (WriteNote(text="x"), exchanges()[-1][1])
    assert diff_sessions(steps(stopped, note), []).is_none
