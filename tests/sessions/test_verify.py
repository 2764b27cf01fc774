"""Asking a session's questions again: of an engine that says what it is told to, and of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec
import numpy as np
import pytest

from explorer.engine.client import Answered, OnPart, Pending
from explorer.errors import ExplorerError
from explorer.records import (
    CATEGORIES,
    AnyOutcome,
    AnyRequest,
    Array,
    Cancelled,
    Failure,
    LoadModel,
    MarkToken,
    ModelLoaded,
    ModelUnloaded,
    Noted,
    RankTokens,
    ReadLogprobs,
    ReadVocabulary,
    Step,
    UnloadModel,
    Verify,
    VocabularyColumns,
    WriteNote,
)
from explorer.sessions.naming import models_of, parse_model_map, renamed
from explorer.sessions.verify import Checked, Verifier, tally
from explorer.table import TokenColumns, ranked, select
from tests.sessions.example_sessions import exchanges, info, logprob_table

Answer = Callable[[AnyRequest], AnyOutcome]


class ToldEngine:
    """Answers every request by a function, at once, and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[AnyRequest] = []
        self._answer = answer

    def submit(self, request: AnyRequest, on_part: OnPart | None = None) -> Pending:
        self.asked.append(request)
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        answer.set_result(Answered(self._answer(request), 0.0))
        return Pending(len(self.asked), request, answer)

    def cancel(self, number: int) -> None:
        raise AssertionError("nothing is cancelled here")


def steps(*pairs: tuple[AnyRequest, AnyOutcome]) -> list[Step]:
    return [
        Step(number=number, at="", seconds=0.0, request=request, outcome=outcome)
        for number, (request, outcome) in enumerate(pairs, start=1)
    ]


async def verified(engine: ToldEngine, told: Iterable[Step], **chosen: object) -> list[Checked]:
    return [check async for check in Verifier(engine, **chosen).run(told)]  # type: ignore[arg-type]


def recorded_answers(pairs: Iterable[tuple[AnyRequest, AnyOutcome]]) -> Answer:
    known = [(request, outcome) for request, outcome in pairs if not isinstance(outcome, Cancelled)]

    def answer(request: AnyRequest) -> AnyOutcome:
        if isinstance(request, LoadModel):
            return next(outcome for asked, outcome in known if getattr(asked, "source", "") == request.source)
        if isinstance(request, Verify):
            assert request.fresh  # else the engine would answer from its disk
            request = msgspec.structs.replace(request, fresh=False)
        return next(outcome for asked, outcome in known if asked == request)

    return answer


async def test_a_session_answered_alike_agrees_throughout() -> None:
    pairs = exchanges()
    checks = await verified(ToldEngine(recorded_answers(pairs)), steps(*pairs))
    verdicts = {type(check.step.request).__name__: check.verdict for check in checks if check.verdict != "cannot run"}
    assert set(verdicts.values()) == {"agree", "nothing to run"}
    assert {name for name, verdict in verdicts.items() if verdict == "nothing to run"} == {
        "ListModels", "MarkToken", "WriteNote",
    }  # fmt: skip
    assert [type(check.step.outcome) for check in checks if check.verdict == "cannot run"] == [Cancelled]


LOAD = (LoadModel(source="zoo:mynah"), ModelLoaded(info=info()))
QUESTION = ReadLogprobs(models=("mynah",), prompt="x")


async def test_the_first_difference_is_said() -> None:
    def answer(request: AnyRequest) -> AnyOutcome:
        return LOAD[1] if isinstance(request, LoadModel) else logprob_table(-1.0, -9.0)

    checks = await verified(ToldEngine(answer), steps(LOAD, (QUESTION, logprob_table(-1.0, -2.0))))
    assert [check.verdict for check in checks] == ["agree", "differ"]
    assert "-2 was recorded, -9 came" in checks[1].said
    assert tally(checks) == "1 agree, 1 differ"


async def test_another_models_digests_are_named_and_its_answers_still_compared() -> None:
    def answer(request: AnyRequest) -> AnyOutcome:
        return ModelLoaded(info=info(digest="f" * 32)) if isinstance(request, LoadModel) else logprob_table(-1.0)

    checks = await verified(ToldEngine(answer), steps(LOAD, (QUESTION, logprob_table(-1.0))))
    assert [check.verdict for check in checks] == ["differ", "agree"]
    assert "weights" in checks[0].digests


async def test_a_mapped_model_is_loaded_instead_and_asked_by_its_own_name() -> None:
    def answer(request: AnyRequest) -> AnyOutcome:
        return ModelLoaded(info=info("heron-2")) if isinstance(request, LoadModel) else logprob_table(-1.0)

    for old in ("mynah", "zoo:mynah"):
        engine = ToldEngine(answer)
        checks = await verified(engine, steps(LOAD, (QUESTION, logprob_table(-1.0))), model_map={old: "./heron"})
        assert [check.verdict for check in checks] == ["agree", "agree"]
        assert engine.asked == [
            LoadModel(source="./heron", dtype="float32"), ReadLogprobs(models=("heron-2",), prompt="x"),
        ]  # fmt: skip


async def test_what_cannot_be_loaded_cannot_run_nor_can_what_is_asked_of_it() -> None:
    local = (LoadModel(source="…/gpt-x"), ModelLoaded(info=info("gpt-x")))
    question = ReadLogprobs(models=("gpt-x",), prompt="x")
    engine = ToldEngine(lambda request: Failure(message="no such thing"))
    checks = await verified(engine, steps(local, (question, logprob_table(-1.0)), LOAD))
    assert [check.verdict for check in checks] == ["cannot run"] * 3
    assert "--model-map" in checks[0].said
    assert "--model-map" in checks[1].said
    assert "no such thing" in checks[2].said


async def test_a_session_cannot_have_pickles_loaded_nor_a_device_chosen() -> None:
    engine = ToldEngine(lambda request: LOAD[1])
    hostile = LoadModel(source="zoo:mynah", allow_pickle=True, device="cuda:7")
    await verified(engine, steps((hostile, LOAD[1])))
    assert engine.asked == [LoadModel(source="zoo:mynah", dtype="float32")]
    await verified(engine, steps(LOAD), allow_pickle=True)
    assert engine.asked[-1] == LoadModel(source="zoo:mynah", dtype="float32", allow_pickle=True)


async def test_after_an_unload_a_model_is_not_asked() -> None:
    gone = (UnloadModel(model="mynah"), ModelUnloaded(model="mynah"))
    engine = ToldEngine(lambda request: LOAD[1] if isinstance(request, LoadModel) else ModelUnloaded(model="mynah"))
    checks = await verified(engine, steps(LOAD, gone, (QUESTION, Failure(message="mynah is not loaded"))))
    assert [check.verdict for check in checks] == ["agree"] * 3
    assert len(engine.asked) == 2


async def test_a_damaged_line_cannot_run() -> None:
    damaged = (WriteNote(text="unreadable"), Failure(message="line 3 is damaged"))
    (check,) = await verified(ToldEngine(lambda request: Noted()), steps(damaged))
    assert (check.verdict, check.said) == ("cannot run", "line 3 is damaged")


async def test_a_view_of_marked_tokens_is_made_from_the_marks_of_the_session() -> None:
    texts = [b" a", b" b", b" c"]
    columns = VocabularyColumns(
        model="mynah", token_bytes=Array.of(np.frombuffer(b"".join(texts), np.uint8)),
        offsets=Array.of(np.array([0, 2, 4, 6])), categories=Array.of(np.zeros(3, np.uint8)),
        indicators={"input_norm": Array.of(np.array([3, 1, 2], np.float32))}, default_indicator="input_norm",
        default_rule="", unused=(),
    )  # fmt: skip
    assert CATEGORIES[0] == "ok"
    view = RankTokens(model="mynah", filter="marked")
    table = TokenColumns(columns)
    seen = ranked(table, view, select(table, view, {0, 2}))
    assert seen.matching == 2

    def answer(request: AnyRequest) -> AnyOutcome:
        assert isinstance(request, LoadModel | ReadVocabulary)
        return LOAD[1] if isinstance(request, LoadModel) else columns

    marks = [(MarkToken(model="mynah", token_id=token_id), Noted()) for token_id in (0, 1, 2)]
    unmark = (MarkToken(model="mynah", token_id=1, marked=False), Noted())
    checks = await verified(ToldEngine(answer), steps(LOAD, *marks, unmark, (view, seen)))
    assert checks[-1].verdict == "agree"
    checks = await verified(ToldEngine(answer), steps(LOAD, *marks, (view, seen)))
    assert checks[-1].verdict == "differ"


def test_a_model_map_is_read_or_refused() -> None:
    assert parse_model_map(["a=zoo:b", "c=./d=e"]) == {"a": "zoo:b", "c": "./d=e"}
    for wrong in ("a", "=b", "a=", "="):
        with pytest.raises(ExplorerError, match="OLD=NEW"):
            parse_model_map([wrong])


@pytest.mark.parametrize("request_", [request for request, _ in exchanges()])
def test_renaming_there_and_back_changes_nothing(request_: AnyRequest) -> None:
    there = renamed(request_, {"mynah": "heron"})
    assert "mynah" not in models_of(there)
    assert renamed(there, {"heron": "mynah"}) == request_
    assert msgspec.structs.asdict(there).keys() == msgspec.structs.asdict(request_).keys()


@pytest.mark.parametrize(
    "message", ["the engine stopped: signal 9 (killed: out of memory?)", "the engine is not running"]
)
async def test_what_a_stopped_engine_could_not_answer_is_nothing_to_run(message: str) -> None:
    failure = Failure(message=message, hint="Start it again; the session is whole.")
    load, ask = LoadModel(source="zoo:mynah"), ReadLogprobs(models=("mynah",), prompt="x")
    answers = [(load, ModelLoaded(info=info("mynah"))), (ask, logprob_table())]
    told = steps(*answers, (ask, failure), (load, failure), (UnloadModel(model="mynah"), failure), *answers)
    engine = ToldEngine(recorded_answers(answers))
    checks = await verified(engine, told)
    assert [check.verdict for check in checks] == ["agree"] * 2 + ["nothing to run"] * 3 + ["agree"] * 2
    assert len(engine.asked) == 4


async def test_a_failure_that_only_speaks_of_an_engine_is_asked_again() -> None:
    load = LoadModel(source="zoo:mynah")
    engine = ToldEngine(lambda request: ModelLoaded(info=info("mynah")))
    (check,) = await verified(engine, steps((load, Failure(message="no room: the engine stopped: it"))))
    assert check.verdict == "differ"
