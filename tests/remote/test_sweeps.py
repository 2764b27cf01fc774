"""Sweeps over servers: prompts that are refused, servers that want fewer requests, limits, and several that share."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Progress
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.unions import Cancelled
from explorer.base.records.verification import VERDICTS, ReadVerdicts, VerificationResult, Verify
from explorer.base.templates import find_template
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import LocalModel
from explorer.engine.models.remote import shared, waiting
from explorer.engine.models.remote.pace import ANSWERS_TO_RAISE, Pace
from tests.remote.conftest import LlamaProcess
from tests.remote.engines import MINER, answer, ask, load, through_queue
from tests.remote.fake_vllm import FakeVllm

NOT_ASKED = VERDICTS.index("not asked")


@pytest.fixture
def other(starling: LocalModel) -> Iterator[FakeVllm]:
    """Another server of starling."""
    server = FakeVllm(starling)
    yield server
    server.close()


def verdicts(engine: Engine, request: Verify, model: str = "rand") -> np.ndarray:
    found: np.ndarray = ask(engine, ReadVerdicts(of=msgspec.structs.replace(request, model=model))).verdicts.numpy()[0]
    return found


def parts_asked(server: FakeVllm) -> list[list[int]]:
    """The targets of each request of a sweep."""
    return [body["logprob_token_ids"] for body in server.asked if "logprob_token_ids" in body]


# ── a prompt that is refused ──


def test_a_refused_batch_is_halved_until_the_prompt_is_found_and_the_rest_goes_on(
    engine: Engine, vllm: FakeVllm
) -> None:
    load(engine, vllm.url)
    vllm.asked.clear()
    vllm.refused = frozenset({305, 327})
    result = ask(engine, MINER)
    assert isinstance(result, VerificationResult)
    (note,) = [each for each in result.notes if "refuses" in each]
    assert note.startswith("not asked, because the server refuses their prompts: 305 ")
    assert note.endswith("(400: This prompt is not taken.)")
    found = verdicts(engine, MINER)
    assert np.flatnonzero(found == NOT_ASKED).tolist() == [5, 27], "refused is no verdict"
    counted = result.definitions[0]
    assert counted.verified + counted.weak + counted.rejected + counted.inconclusive == 38
    ask(engine, msgspec.structs.replace(MINER, model="starling"))
    np.testing.assert_array_equal(np.delete(found, [5, 27]), np.delete(verdicts(engine, MINER, "starling"), [5, 27]))
    assert len(parts_asked(vllm)) <= 2 + 2 * 2 * 5 + 1, "32 are halved five times"
    vllm.refused = frozenset()
    vllm.asked.clear()
    assert not ask(engine, MINER).notes, "the server may have learnt it"
    assert [len(each) for each in parts_asked(vllm)] == [2]
    assert (verdicts(engine, MINER) != NOT_ASKED).all()


def test_a_server_that_refuses_every_prompt_is_left_alone_soon(engine: Engine, vllm: FakeVllm) -> None:
    load(engine, vllm.url)
    vllm.asked.clear()
    request = msgspec.structs.replace(MINER, token_ids=tuple(range(300, 500)))
    vllm.refused = frozenset(request.token_ids or ())
    with pytest.raises(ModelError, match=r"refuses this \(400\): This prompt is not taken\."):
        ask(engine, request)
    assert len(parts_asked(vllm)) < 100


# ── fewer requests at once ──


def test_a_server_that_is_asked_too_much_gets_fewer_requests_and_slowly_more_again() -> None:
    async def told() -> list[int]:
        pace = Pace(8)
        seen = [pace.now]
        async with pace.turn() as begun, pace.turn() as same:
            pace.lower(begun)
            pace.lower(same)  # one complaint: both were in flight
            seen.append(pace.now)
            async with pace.turn(), pace.turn():
                late = asyncio.ensure_future(pace.turn().__aenter__())
                await asyncio.sleep(0.01)
                assert not late.done(), "four are in flight"
                late.cancel()
        for _ in range(ANSWERS_TO_RAISE):
            pace.note_answer()
        seen.append(pace.now)
        for _ in range(4):
            async with pace.turn() as begun:
                pace.lower(begun)
            seen.append(pace.now)
        for _ in range(10 * ANSWERS_TO_RAISE):
            pace.note_answer()
        return [*seen, pace.now]

    assert asyncio.run(told()) == [8, 4, 5, 2, 1, 1, 1, 8]


def test_a_busy_server_is_asked_less_at_once_and_answers_all(engine: Engine, vllm: FakeVllm) -> None:
    load(engine, vllm.url, at_once=8)
    vllm.most_in_flight, vllm.busy_beyond, vllm.seconds = 0, 2, 0.05
    request = msgspec.structs.replace(MINER, token_ids=tuple(range(300, 812)))
    parts, result = answer(engine, request)
    assert isinstance(result, VerificationResult)
    assert vllm.most_in_flight == 8
    assert (verdicts(engine, request) != NOT_ASKED).all()
    notes = {part.note for part in parts if isinstance(part, Progress)}
    assert any(f"{vllm.url.removeprefix('http://')} takes 2 at once" in note for note in notes), notes


# ── limits ──


@pytest.mark.parametrize("limit", ["most_requests", "most_tokens", "most_cost"])
def test_a_limit_stops_a_sweep_in_good_order(engine: Engine, vllm: FakeVllm, limit: str) -> None:
    request = msgspec.structs.replace(MINER, token_ids=tuple(range(300, 556)))
    load(engine, vllm.url, price_in=1.0)
    ask(engine, msgspec.structs.replace(request, token_ids=(299,)))
    engine.models.unload("rand")
    length = sum(len(prompt) for prompt in vllm.asked[-1]["prompt"])
    # Exactly what it takes, so that nothing may be sent twice.
    exactly = {"most_requests": 8, "most_tokens": 256 * length, "most_cost": 256 * length * 1.00001 / 1e6}
    load(engine, vllm.url, price_in=1.0, **{limit: exactly[limit]})
    vllm.faults.extend(["", "", "", "status 503"])  # three prompts tell whether it is the same model
    vllm.asked.clear()
    stopped = ask(engine, request)
    assert isinstance(stopped, Cancelled)
    assert isinstance(stopped.partial, VerificationResult)
    assert limit in stopped.why
    assert stopped.why in stopped.partial.notes
    held = verdicts(engine, request) != NOT_ASKED
    assert 128 <= held.sum() < 256
    assert stopped.partial.tokens <= held.sum()
    tokens = sum(len(prompt) for body in vllm.asked if "logprob_token_ids" in body for prompt in body["prompt"])
    sent = {"most_requests": len(parts_asked(vllm)), "most_tokens": tokens, "most_cost": tokens / 1e6}
    assert sent[limit] <= exactly[limit], "also with what was sent twice"
    vllm.asked.clear()
    assert isinstance(ask(engine, request), VerificationResult), "a step of its own, with limits of its own"
    assert sum(map(len, parts_asked(vllm))) == 256 - held.sum()


def test_too_many_requests_are_refused_before_the_first(engine: Engine, vllm: FakeVllm) -> None:
    load(engine, vllm.url, most_requests=1)
    vllm.asked.clear()
    with pytest.raises(ExplorerError, match="2 requests where most_requests is 1"):
        ask(engine, MINER)
    assert not vllm.asked


# ── several servers ──


def test_servers_of_one_model_share_a_sweep(engine: Engine, vllm: FakeVllm, other: FakeVllm) -> None:
    load(engine, vllm.url, also=(other.url,), at_once=2)
    for server in (vllm, other):
        server.asked.clear()
        server.seconds = 0.1
    request = msgspec.structs.replace(MINER, token_ids=tuple(range(300, 556)))
    result = ask(engine, request)
    assert "2 of 2 servers" in result.how
    done = [list(chain.from_iterable(parts_asked(server))) for server in (vllm, other)]
    assert sorted(done[0] + done[1]) == list(range(300, 556)), "nothing twice"
    assert min(map(len, done)) >= 64
    ask(engine, msgspec.structs.replace(request, model="starling"))
    np.testing.assert_array_equal(verdicts(engine, request), verdicts(engine, request, "starling"))


def test_only_servers_of_the_same_model_share(engine: Engine, vllm: FakeVllm, other: FakeVllm) -> None:
    other.shift = 0.5
    load(engine, vllm.url, also=(other.url, "http://127.0.0.1:9"))
    other.asked.clear()
    result = ask(engine, MINER)
    assert not parts_asked(other)
    place = other.url.removeprefix("http://")
    wrong, absent = result.notes
    assert wrong.startswith(f"{place} takes no part: answers as another model than the one loaded: its log-prob")
    assert absent == "127.0.0.1:9 takes no part: does not answer: no connection, 2 times"
    assert "1 of 3 servers" in result.how
    other.shift = 0.0
    assert "2 of 3 servers" in ask(engine, msgspec.structs.replace(MINER, token_ids=(400,))).how, "it is asked again"


def test_a_server_that_dies_hands_its_batch_to_the_others(
    engine: Engine, vllm: FakeVllm, other: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "REJOIN_SECONDS", 0.0)
    load(engine, vllm.url, also=(other.url,), at_once=1)
    vllm.asked.clear()
    said: list[Any] = []
    vllm.faults.extend(["", "", "", "cut", "cut"])
    request = msgspec.structs.replace(MINER, token_ids=tuple(range(300, 812)))
    result = _through(engine, request, said)
    assert isinstance(result, VerificationResult)
    place = vllm.url.removeprefix("http://")
    assert (
        f"{place} takes no part any more: does not answer: the connection broke, 2 times; the others do its work"
        in (part.what for part in said)
    )
    assert f"{place} takes part again" in (part.what for part in said)
    assert not result.notes, "it was back before the end"
    assert (verdicts(engine, request) != NOT_ASKED).all()


def test_a_server_that_hangs_is_told_and_its_batch_goes_to_the_others(
    engine: Engine, vllm: FakeVllm, other: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "TELLS_FROM", 0.2)
    load(engine, vllm.url, also=(other.url,), at_once=1, timeout=1.0, name="lab")
    vllm.faults.extend(["", "", "", "hang"])
    said: list[Any] = []
    began = time.monotonic()
    request = msgspec.structs.replace(MINER, model="lab", token_ids=tuple(range(300, 428)))
    result = _through(engine, request, said)
    assert isinstance(result, VerificationResult)
    assert time.monotonic() - began < 10, "it is waited for once"
    (note,) = result.notes
    assert note == f"{vllm.url.removeprefix('http://')} takes no part: does not answer: no answer in 1 s, once"
    assert (verdicts(engine, request, "lab") != NOT_ASKED).all()
    assert [part.waits for part in said if not part.what] == ["waiting 0 of 1 s for lab", ""]


def test_other_requests_go_to_the_next_server_too(engine: Engine, vllm: FakeVllm, other: FakeVllm) -> None:
    load(engine, vllm.url, also=(other.url,), timeout=1.0)
    vllm.faults.append("hang")
    repeat = RepeatBack(model="rand", token_id=907, template=find_template("repeat-1"), max_new_tokens=2, controls=0)
    far, near = (ask(engine, msgspec.structs.replace(repeat, model=name)) for name in ("rand", "starling"))
    assert [each.reply_ids for each in far.probe.replies] == [each.reply_ids for each in near.probe.replies]
    (left,) = engine.models.get("rand").left_out  # type: ignore[attr-defined]
    assert left.endswith("takes no part: does not answer: no answer in 1 s, once")
    other.die()
    vllm.die()
    with pytest.raises(ModelError, match=f"{other.url.removeprefix('http://')} does not answer"):
        ask(engine, repeat)


def test_a_server_alone_is_waited_for_three_times(engine: Engine, vllm: FakeVllm) -> None:
    load(engine, vllm.url, at_once=1, timeout=1.0)
    vllm.faults.extend(["", "", "", "", *["hang"] * 9])
    request = msgspec.structs.replace(MINER, token_ids=tuple(range(300, 364)))
    with pytest.raises(ModelError, match=r"does not answer: no answer in 1 s, 3 times") as failed:
        ask(engine, request)
    assert "given 1 s: `timeout` in [[servers]]" in failed.value.hint
    assert (verdicts(engine, request) != NOT_ASKED).sum() == 32, "what was answered is kept"


def _through(engine: Engine, request: Verify, said: list[Any]) -> Any:
    """As a worker does it, whose handlers may speak."""
    parts, outcome = through_queue(engine, request)
    said += [part for part in parts if isinstance(part, Progress)]
    return outcome


def test_a_server_that_answers_wrongly_is_left_out(engine: Engine, vllm: FakeVllm, other: FakeVllm) -> None:
    load(engine, vllm.url, also=(other.url,), at_once=1)
    other.faults.extend(["", "", "", "no-target"])
    vllm.seconds = 0.1
    result = ask(engine, MINER)
    (note,) = result.notes
    assert "takes no part: the server's answer is not used: the log-probability of id" in note
    assert (verdicts(engine, MINER) != NOT_ASKED).all()


def test_the_last_server_that_dies_ends_the_sweep_with_all_that_was_answered(
    engine: Engine, vllm: FakeVllm, other: FakeVllm
) -> None:
    load(engine, vllm.url, also=(other.url,), at_once=1)
    request = msgspec.structs.replace(MINER, token_ids=tuple(range(300, 556)))
    vllm.faults.extend(["", "", "", "", *["status 418"] * 9])
    other.faults.extend(["", "", "", "", *["status 418"] * 9])
    with pytest.raises(ModelError, match="answered 418"):
        ask(engine, request)
    assert (verdicts(engine, request) != NOT_ASKED).sum() == 64, "one part of each"


# ── llama.cpp's own server ──


def test_one_of_two_llama_servers_is_killed_in_mid_sweep(
    engine: Engine, llama: LlamaProcess, starling_gguf: Path, tmp_path: Path
) -> None:
    from explorer.base.records.models import LoadModel
    from explorer.base.servers import Server
    from tests.remote.conftest import STARLING

    second = LlamaProcess(starling_gguf).start()
    try:
        server = Server(name="pair", url=llama.url, also=(second.url,), kind="llama")
        ask(engine, LoadModel(source=str(server), tokenizer=STARLING, server=server))
        request = Verify(model="pair", definitions=("plain",), token_ids=tuple(range(300, 420)), controls=0)
        steps = engine.begin(request, Control(cancelled=lambda: False, tell=lambda part: None))
        begun = list(islice(steps, 5))
        assert any("2 of 2 servers" in part.note for part in begun if isinstance(part, Progress))
        second.kill()
        try:
            while True:
                next(steps)
        except StopIteration as finished:
            result = finished.value
    finally:
        second.kill()
    assert isinstance(result, VerificationResult)
    assert "1 of 2 servers" in result.how
    assert result.notes == (
        f"{second.url.removeprefix('http://')} takes no part: does not answer: no connection, 2 times",
    )
    assert result.answered == 120
    ask(engine, msgspec.structs.replace(request, model="starling"))
    np.testing.assert_array_equal(verdicts(engine, request, "pair"), verdicts(engine, request, "starling"))


# ── cancelled ──


def test_a_sweep_that_is_cancelled_between_two_answers_leaves_nothing_on_its_way(
    engine: Engine, vllm: FakeVllm
) -> None:
    load(engine, vllm.url)
    is_cancelled: list[bool] = []
    request = msgspec.structs.replace(MINER, token_ids=tuple(range(300, 1100)))
    steps = engine.begin(request, Control(cancelled=lambda: bool(is_cancelled), tell=lambda part: None))
    gc.disable()  # what goes by the way must not wait for it
    try:
        next(part for part in steps if isinstance(part, Progress) and part.done > 0)
        vllm.seconds = 0.3
        next(steps)
        is_cancelled.append(True)
        list(steps)
        loop = engine.models.get("rand")._client.loop._loop  # type: ignore[attr-defined]
        assert not asyncio.all_tasks(loop)
    finally:
        gc.enable()
