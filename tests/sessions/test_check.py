"""Asking a session's questions again: of an engine that says what it is told to, and of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec
import numpy as np
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.models import LoadModel, ModelLoaded, ModelUnloaded, UnloadModel
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Array, Failure
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.speakability import Certificates, CertificatesChecked, CheckCertificates, ReadCertificates
from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled, Step
from explorer.base.records.verification import Verify
from explorer.base.records.vocabulary import RankTokens, ReadVocabulary, VocabularyColumns
from explorer.base.templates import find_template
from explorer.pipe.client import Answered, OnPart, Pending
from explorer.sessions.checking.check import CheckedStep, SessionChecker, same_libraries, tally
from explorer.sessions.checking.naming import parse_model_map, renamed
from explorer.specs.registry import models_of
from explorer.tables.ranking import ranked, select
from explorer.tables.table import TokenColumns
from tests.sessions.example_sessions import (
    Exchange,
    exchanges,
    info,
    logprob_table,
    probe,
    ref,
    reply,
    speakability_exchanges,
)

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


def steps(*pairs: Exchange) -> list[Step]:
    return [
        Step(number=number, at="", seconds=0.0, request=request, outcome=outcome)
        for number, (request, outcome) in enumerate(pairs, start=1)
    ]


async def checked(engine: ToldEngine, told: Iterable[Step], **chosen: object) -> list[CheckedStep]:
    return [check async for check in SessionChecker(engine, **chosen).run(told)]  # type: ignore[arg-type]


def recorded_answers(pairs: Iterable[Exchange], refused: tuple[int, ...] = ()) -> Answer:
    known = [(request, outcome) for request, outcome in pairs if not isinstance(outcome, Cancelled)]

    def answer(request: AnyRequest) -> AnyOutcome:
        if isinstance(request, LoadModel):
            return next(outcome for asked, outcome in known if getattr(asked, "source", "") == request.source)
        if isinstance(request, Verify):
            assert request.fresh  # else the engine would answer from its disk
            request = msgspec.structs.replace(request, fresh=False)
        if isinstance(request, ReadCertificates):
            return Certificates(model="mynah", mode="ball", bias=True, folded=True, digest="e" * 32, rows=())
        if isinstance(request, CheckCertificates):
            assert request.digest == "e" * 32
            return CertificatesChecked(model="mynah", proved=len(request.rows), undecided=0, refused=refused)
        return next(outcome for asked, outcome in known if asked == request)

    return answer


async def test_a_session_answered_alike_agrees_throughout() -> None:
    pairs = exchanges()
    checks = await checked(ToldEngine(recorded_answers(pairs)), steps(*pairs))
    verdicts = {type(check.step.request).__name__: check.result for check in checks if check.result != "cannot run"}
    assert set(verdicts.values()) == {"agree", "nothing to run"}
    assert {name for name, verdict in verdicts.items() if verdict == "nothing to run"} == {
        "ListModels", "MarkToken", "WriteNote",
    }  # fmt: skip
    assert [type(check.step.outcome) for check in checks if check.result == "cannot run"] == [Cancelled]


LOAD = (LoadModel(source="zoo:mynah"), ModelLoaded(info=info()))
QUESTION = ReadLogprobs(models=("mynah",), prompt="x")


async def test_the_first_difference_is_said() -> None:
    def answer(request: AnyRequest) -> AnyOutcome:
        return LOAD[1] if isinstance(request, LoadModel) else logprob_table(-1.0, -9.0)

    checks = await checked(ToldEngine(answer), steps(LOAD, (QUESTION, logprob_table(-1.0, -2.0))))
    assert [check.result for check in checks] == ["agree", "differ"]
    assert "-2 was recorded, -9 came" in checks[1].said
    assert tally(checks) == "1 agree, 1 differ"


async def test_another_models_digests_are_named_and_its_answers_still_compared() -> None:
    def answer(request: AnyRequest) -> AnyOutcome:
        return ModelLoaded(info=info(digest="f" * 32)) if isinstance(request, LoadModel) else logprob_table(-1.0)

    checks = await checked(ToldEngine(answer), steps(LOAD, (QUESTION, logprob_table(-1.0))))
    assert [check.result for check in checks] == ["differ", "agree"]
    assert "weights" in checks[0].digests


async def test_a_mapped_model_is_loaded_instead_and_asked_by_its_own_name() -> None:
    def answer(request: AnyRequest) -> AnyOutcome:
        if isinstance(request, LoadModel):
            return ModelLoaded(info=info("heron-2"))
        return logprob_table(-1.0, models=("heron-2",))

    for old in ("mynah", "zoo:mynah"):
        engine = ToldEngine(answer)
        checks = await checked(engine, steps(LOAD, (QUESTION, logprob_table(-1.0))), model_map={old: "./heron"})
        assert [check.result for check in checks] == ["agree", "agree"]
        assert engine.asked == [
            LoadModel(source="./heron", dtype="float32"), ReadLogprobs(models=("heron-2",), prompt="x"),
        ]  # fmt: skip


async def test_what_cannot_be_loaded_cannot_run_nor_can_what_is_asked_of_it() -> None:
    local = (LoadModel(source="…/gpt-x"), ModelLoaded(info=info("gpt-x")))
    question = ReadLogprobs(models=("gpt-x",), prompt="x")
    engine = ToldEngine(lambda request: Failure(message="no such thing"))
    checks = await checked(engine, steps(local, (question, logprob_table(-1.0)), LOAD))
    assert [check.result for check in checks] == ["cannot run"] * 3
    assert "--model-map" in checks[0].said
    assert "--model-map" in checks[1].said
    assert "no such thing" in checks[2].said


async def test_a_session_cannot_have_pickles_loaded_nor_a_device_chosen() -> None:
    engine = ToldEngine(lambda request: LOAD[1])
    hostile = LoadModel(source="zoo:mynah", allow_pickle=True, device="cuda:7")
    await checked(engine, steps((hostile, LOAD[1])))
    assert engine.asked == [LoadModel(source="zoo:mynah", dtype="float32")]
    await checked(engine, steps(LOAD), allow_pickle=True)
    assert engine.asked[-1] == LoadModel(source="zoo:mynah", dtype="float32", allow_pickle=True)


async def test_after_an_unload_a_model_is_not_asked() -> None:
    gone = (UnloadModel(model="mynah"), ModelUnloaded(model="mynah"))
    engine = ToldEngine(lambda request: LOAD[1] if isinstance(request, LoadModel) else ModelUnloaded(model="mynah"))
    checks = await checked(engine, steps(LOAD, gone, (QUESTION, Failure(message="mynah is not loaded"))))
    assert [check.result for check in checks] == ["agree"] * 3
    assert len(engine.asked) == 2


async def test_a_proof_that_the_checker_refuses_differs() -> None:
    pairs = [LOAD, *speakability_exchanges("x")]
    for refused, verdict in (((), "agree"), ((5,), "differ")):
        checks = await checked(ToldEngine(recorded_answers(pairs, refused)), steps(*pairs))
        assert [check.result for check in checks] == ["agree", verdict]
    assert "does not hold for token 5" in checks[1].said


async def test_steps_out_of_order_are_named() -> None:
    engine = ToldEngine(recorded_answers([LOAD, (QUESTION, logprob_table(-1.0))]))
    told = steps(LOAD, (WriteNote(text="a"), Noted()), (QUESTION, logprob_table(-1.0)))
    for numbers, verdicts in (
        ((1, 2, 3), ["agree", "nothing to run", "agree"]),
        ((5, 5, 5), ["differ", "differ", "differ"]),
        ((1, 3, 4), ["agree", "differ", "agree"]),
        ((1, 3, 2), ["agree", "differ", "differ"]),
    ):
        counted = [msgspec.structs.replace(step, number=n) for step, n in zip(told, numbers, strict=True)]
        checks = await checked(engine, counted)
        assert [check.result for check in checks] == verdicts
        assert all("number: it is step" in check.said for check in checks if check.result == "differ")


async def test_what_is_told_of_a_loaded_model_is_compared() -> None:
    told = ModelLoaded(info=msgspec.structs.replace(info(), architecture="LlamaForCausalLM", n_parameters=7))
    (check,) = await checked(ToldEngine(lambda request: LOAD[1]), steps((LOAD[0], told)))
    assert (check.result, check.digests) == ("differ", "")
    assert "architecture" in check.said


SAMPLED = RepeatBack(model="mynah", token_id=1, template=find_template("repeat-1"), samples=2, temperature=0.7)


def sampled(ids: tuple[int, ...], text: str, outcome: str) -> RepeatBackResult:
    replies = (reply(number, outcome, ids, text) for number in range(2))
    asked = msgspec.structs.replace(probe(*replies), token=ref(1, " b"))
    return RepeatBackResult(model="mynah", template="repeat-1", probe=asked)


async def test_samples_are_held_to_the_seed_on_the_same_run_and_else_to_their_own_ids() -> None:
    columns = VocabularyColumns(
        model="mynah", token_bytes=Array.of(np.frombuffer(b" a b c", np.uint8)),
        offsets=Array.of(np.array([0, 2, 4, 6])), categories=Array.of(np.zeros(3, np.uint8)),
        indicators={"input_norm": Array.of(np.array([3, 1, 2], np.float32))}, default_indicator="input_norm",
        default_rule="", unused=(),
    )  # fmt: skip

    def engine_on(device: str) -> ToldEngine:
        def answer(request: AnyRequest) -> AnyOutcome:
            if isinstance(request, LoadModel):
                return ModelLoaded(info=msgspec.structs.replace(info(), device=device))
            return columns if isinstance(request, ReadVocabulary) else sampled((0, 0), " a a", "other")

        return ToldEngine(answer)

    async def check(recorded: RepeatBackResult, device: str, **chosen: object) -> CheckedStep:
        return (await checked(engine_on(device), steps(LOAD, (SAMPLED, recorded)), **chosen))[-1]

    other = sampled((2, 0), " c a", "other")
    assert (await check(sampled((0, 0), " a a", "other"), "cpu")).result == "agree"
    assert (await check(other, "cpu")).result == "differ"
    for elsewhere in ({"device": "cuda:0"}, {"device": "cpu", "same_libraries": lambda: False}):
        found = await check(other, **elsewhere)
        assert (found.result, "two-sample" in found.said) == ("agree", True)
        for wrong in (
            sampled((2, 0), "OWNED", "other"), sampled((2, 0), " c a", "empty"), sampled((2, 9), " c", "other")
        ):  # fmt: skip
            assert (await check(wrong, **elsewhere)).result == "differ"


def test_libraries_are_the_same_where_both_name_them_alike() -> None:
    versions = {"glitch-explore": "1", "torch": "2.13.0", "transformers": "5.23.0", "numpy": "2.4.6"}
    assert same_libraries(versions, {**versions, "glitch-explore": "2"})
    assert not same_libraries(versions, {**versions, "torch": "2.12.0"})
    assert not same_libraries({"glitch-explore": "1"}, versions)
    assert not same_libraries(versions, {})


async def test_a_damaged_line_cannot_run() -> None:
    damaged = (WriteNote(text="unreadable"), Failure(message="line 3 is damaged"))
    (check,) = await checked(ToldEngine(lambda request: Noted()), steps(damaged))
    assert (check.result, check.said) == ("cannot run", "line 3 is damaged")


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
    checks = await checked(ToldEngine(answer), steps(LOAD, *marks, unmark, (view, seen)))
    assert checks[-1].result == "agree"
    checks = await checked(ToldEngine(answer), steps(LOAD, *marks, (view, seen)))
    assert checks[-1].result == "differ"


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
    failure = Failure(message=message, hint="Start it again; no step is lost.")
    load, ask = LoadModel(source="zoo:mynah"), ReadLogprobs(models=("mynah",), prompt="x")
    answers: list[Exchange] = [(load, ModelLoaded(info=info("mynah"))), (ask, logprob_table())]
    told = steps(*answers, (ask, failure), (load, failure), (UnloadModel(model="mynah"), failure), *answers)
    engine = ToldEngine(recorded_answers(answers))
    checks = await checked(engine, told)
    assert [check.result for check in checks] == ["agree"] * 2 + ["nothing to run"] * 3 + ["agree"] * 2
    assert len(engine.asked) == 4


async def test_a_failure_that_only_speaks_of_an_engine_is_asked_again() -> None:
    load = LoadModel(source="zoo:mynah")
    engine = ToldEngine(lambda request: ModelLoaded(info=info("mynah")))
    (check,) = await checked(engine, steps((load, Failure(message="no room: the engine stopped: it"))))
    assert check.result == "differ"


async def test_a_model_is_loaded_with_the_tokenizer_and_on_the_day_of_the_session() -> None:
    """Llama 3.1's chat template writes the date; a session tells it, and an earlier one has the dates of its steps."""
    dated = msgspec.structs.replace(info(), chat_day="2026-11-20", tokenizer="zoo:lyrebird")
    told = steps((LoadModel(source="zoo:mynah", tokenizer="zoo:lyrebird"), ModelLoaded(info=dated)), LOAD)
    engine = ToldEngine(lambda request: LOAD[1])
    old = msgspec.structs.replace(told[1], at="2026-11-21T23:59:59Z")
    await checked(engine, (told[0], old))
    again = LoadModel(source="zoo:mynah", dtype="float32")
    assert engine.asked == [
        msgspec.structs.replace(again, tokenizer="zoo:lyrebird", chat_day="2026-11-20"),
        msgspec.structs.replace(again, chat_day="2026-11-21"),
    ]


async def test_a_tokenizer_of_a_folder_that_is_not_known_here_needs_a_map() -> None:
    load = LoadModel(source="zoo:mynah", tokenizer="…/mine")
    engine = ToldEngine(lambda request: LOAD[1])
    (check,) = await checked(engine, steps((load, LOAD[1])))
    assert check.result == "cannot run"
    assert "the tokenizer's folder is not known here" in check.said
    assert engine.asked == []
    await checked(engine, steps((load, LOAD[1])), model_map={"…/mine": "./mine"})
    assert engine.asked == [LoadModel(source="zoo:mynah", dtype="float32", tokenizer="./mine")]
