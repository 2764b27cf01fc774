"""vLLM's API: what is told, what is refused, and what happens when the server fails."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.lineage import FindLineage
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.models import LoadModel
from explorer.base.records.record import Progress
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.unions import Cancelled
from explorer.base.records.verification import VERDICTS, ReadVerdicts, VerificationResult
from explorer.base.servers import Server
from explorer.base.templates import find_template
from explorer.engine.answers.verification.evidence_place import evidence_folder
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import running
from explorer.engine.models.errors import ModelError
from explorer.engine.models.prediction import Choice, Wanted
from explorer.engine.models.remote import client
from explorer.engine.queue import Report, WorkQueue
from tests.behaviour.behaviour_fakes import run_through
from tests.remote.conftest import STARLING
from tests.remote.engines import MINER, PLAIN, ask, through_queue
from tests.remote.fake_vllm import FakeVllm

REPEAT = RepeatBack(model="rand", token_id=907, template=find_template("repeat-1"), max_new_tokens=4)
SECRET = "sk-Tz81kWq77LmNpX0rYd4"


def load(engine: Engine, server: FakeVllm, **chosen: Any) -> Any:
    return ask(engine, LoadModel(source=f"vllm:{server.url}", tokenizer=STARLING, **chosen)).info


def test_a_server_that_tells_all_is_as_good_as_the_model(engine: Engine, vllm: FakeVllm) -> None:
    info = load(engine, vllm)
    assert (info.name, info.source, info.dtype) == ("rand", f"vllm:{vllm.url}", "unknown")
    assert (info.reach.version, info.reach.whole, info.reach.targets) == ("0.32.0", True, "request")
    assert (info.reach.top, info.reach.raw, info.reach.same_vocabulary) == (3088, True, "sampled")
    far, near = (ask(engine, msgspec.structs.replace(REPEAT, model=name)) for name in ("rand", "starling"))
    (told,), (true,) = far.probe.replies, near.probe.replies
    assert (told.reply_ids, told.token_rank) == (true.reply_ids, true.token_rank)
    assert told.logprobs == pytest.approx(true.logprobs, abs=1e-4)


def test_a_sweep_asks_many_prompts_at_once_and_for_nothing_but_the_targets(engine: Engine, vllm: FakeVllm) -> None:
    load(engine, vllm)
    vllm.asked.clear()
    far, near = (ask(engine, msgspec.structs.replace(PLAIN, model=name)) for name in ("rand", "starling"))
    asked = [body for body in vllm.asked if "logprob_token_ids" in body]
    assert sorted(len(body["prompt"]) for body in asked) == [8, 32]
    assert all(body["logprobs"] == 0 for body in asked)
    assert isinstance(far, VerificationResult)
    assert [(each.name, each.verified, each.rejected) for each in far.definitions] == [
        (each.name, each.verified, each.rejected) for each in near.definitions
    ]


def test_a_server_of_likeliest_ids_and_targets_tells_bounds_and_never_fills_up(engine: Engine, vllm: FakeVllm) -> None:
    vllm.max_logprobs = 20
    info = load(engine, vllm)
    assert (info.reach.whole, info.reach.top, info.reach.targets, info.vocab_size) == (False, 20, "request", 3088)
    near, far = (running(engine.models.get(name)).start([[20, 21, 907]]) for name in ("starling", "rand"))
    some = np.array([[907, int(near.read(Wanted(top=3)).top_ids[0, 2])]])
    wanted = Wanted(targets=some, ranks=True, top=30, entropy=True, choice=Choice())
    true, told = near.read(wanted), far.read(wanted)
    assert told.logprobs == pytest.approx(true.logprobs, abs=1e-4)
    assert told.exact.tolist() == [[True, True]]
    assert told.ranks.tolist() == [[-1, 2]]
    assert told.entropy is None
    assert told.top_ids.tolist() == true.top_ids[:, :20].tolist()
    assert told.chosen is not None
    assert told.chosen.tolist() == [int(true.top_ids[0, 0])]


def test_a_tokenizer_with_more_ids_than_the_server_is_refused(engine: Engine, vllm: FakeVllm, tmp_path: Path) -> None:
    vllm.max_logprobs = 20
    other = tmp_path / "other"
    shutil.copytree(STARLING, other)
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config.replace('"vocab_size": 3088', '"vocab_size": 3100'))
    with pytest.raises(ModelError, match=r"has fewer ids than the 3,100 of this tokenizer"):
        ask(engine, LoadModel(source=f"vllm:{vllm.url}", tokenizer=str(other)))


def test_without_targets_the_rest_is_bounded_and_the_verdict_inconclusive(engine: Engine, vllm: FakeVllm) -> None:
    vllm.max_logprobs, vllm.most_targets = 5, 0
    info = load(engine, vllm)
    assert (info.reach.top, info.reach.targets) == (5, "none"), "an unknown field is ignored with status 200"
    column, whole = (
        ask(engine, ReadLogprobs(models=(name,), prompt="The cat", token_id=907, token_is_target=True)).columns[0]
        for name in ("rand", "starling")
    )
    assert (column.cells[0].bound, column.cells[0].rank, column.entropy) == ("at_most", None, None)
    assert whole.cells[0].logprob < column.cells[0].logprob < 0
    assert [each.token for each in column.top] == [each.token for each in whole.top[:5]]
    assert [each.logprob for each in column.top] == pytest.approx([each.logprob for each in whole.top[:5]], abs=1e-4)
    tested = msgspec.structs.replace(PLAIN, definitions=("glitchminer",), token_ids=tuple(range(300, 332)))
    verdicts = []
    for name in ("rand", "starling"):
        request = msgspec.structs.replace(tested, model=name)
        ask(engine, request)
        verdicts.append(ask(engine, ReadVerdicts(of=request)).verdicts.numpy()[0])
    known = verdicts[0] != VERDICTS.index("inconclusive")
    np.testing.assert_array_equal(verdicts[0][known], verdicts[1][known])


def test_samples_of_such_a_server_are_its_own(engine: Engine, vllm: FakeVllm) -> None:
    vllm.max_logprobs = 20
    load(engine, vllm)
    found = ask(engine, msgspec.structs.replace(REPEAT, samples=2, temperature=0.7))
    assert isinstance(found, RepeatBackResult)
    assert len(found.probe.replies) == 2
    assert all(logprob <= 0 for reply in found.probe.replies for logprob in reply.logprobs)
    assert {body["temperature"] for body in vllm.asked} >= {0, 0.7}


FAULTS = [
        ("half", "cut off or is no JSON"), ("deep", "parts are missing"), ("other-ids", "read other ids"),
        ("nan", "cut off or is no JSON"), ("null", "None is no log-probability"),
        ("positive", "0.5 is no log-probability"), ("fewer", "places"), ("no-target", "is missing"),
        ("not-likeliest", "not the likeliest"), ("far-id", "an id outside"), ("one-choice-less", "answers 7 of 8"),
        ("broken", "the engine of the server at .* ended: EngineCore"), ("away", "sends elsewhere"),
        ("status 404", "refuses this"), ("status 418", "answered 418"),
    ]  # fmt: skip


def test_a_wrong_answer_is_said_and_nothing_of_it_is_kept(engine: Engine, vllm: FakeVllm, tmp_path: Path) -> None:
    info = load(engine, vllm)
    for place, (fault, said) in enumerate(FAULTS):
        first = 300 + 8 * place
        request = msgspec.structs.replace(MINER, token_ids=tuple(range(first, first + 8)))
        vllm.faults.extend(["", "", "", fault])  # three prompts tell whether it is the same model
        with pytest.raises(ExplorerError, match=said) as failed:
            ask(engine, request)
        assert "\n" not in failed.value.line
        assert list(evidence_folder(tmp_path, info).iterdir())
        verdicts = ask(engine, ReadVerdicts(of=request)).verdicts.numpy()
        assert (verdicts == VERDICTS.index("not asked")).all(), fault
    assert isinstance(ask(engine, request), VerificationResult), "the model stays usable"


def test_what_passes_is_asked_again(engine: Engine, vllm: FakeVllm) -> None:
    load(engine, vllm)
    vllm.asked.clear()
    vllm.faults.extend(["status 500", "cut", "busy 0.3", "status 503"])
    began = time.monotonic()
    assert isinstance(ask(engine, REPEAT), RepeatBackResult)
    assert time.monotonic() - began >= 0.3, "as long as the server asks for"
    assert not vllm.faults


def test_a_wait_is_told(engine: Engine, vllm: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    load(engine, vllm)
    monkeypatch.setattr(client, "_TELLS_FROM", 0.2)
    vllm.faults.append("busy 0.25")
    parts, answer = through_queue(engine, REPEAT)
    assert isinstance(answer, RepeatBackResult)
    waits = [part.waits for part in parts if isinstance(part, Progress) and part.waits]
    assert waits == [f"waiting 0 s for the server at {vllm.url.removeprefix('http://')}: it answered 429"]


def test_cancelling_a_sweep_does_not_wait_for_the_server(engine: Engine, vllm: FakeVllm) -> None:
    load(engine, vllm)
    vllm.faults.extend(["hang"] * 8)
    cancelled = []

    def cancel(queue: WorkQueue) -> None:
        while not vllm.faults or len(vllm.faults) == 8:
            time.sleep(0.01)
        cancelled.append(time.monotonic())
        queue.cancel(1)

    _, answer = through_queue(engine, PLAIN, cancel)
    assert time.monotonic() - cancelled[0] <= 0.5
    assert isinstance(answer, Cancelled)


def test_a_slow_server_holds_up_nobody_else(engine: Engine, vllm: FakeVllm) -> None:
    load(engine, vllm)
    vllm.seconds = 2.0
    answers: SimpleQueue[Any] = SimpleQueue()
    queue = WorkQueue(engine.begin, Report(part=lambda *told: None, answer=lambda *told: answers.put(told)))
    queue.add(engine.job(1, PLAIN))
    queue.add(engine.job(2, msgspec.structs.replace(REPEAT, model="starling")))
    number, outcome, _ = answers.get(timeout=20)
    assert (number, type(outcome)) == (2, RepeatBackResult)
    queue.cancel(1)
    assert answers.get(timeout=5)[0] == 1


def test_another_model_behind_the_same_url_is_noticed_and_its_answers_kept_apart(
    engine: Engine, vllm: FakeVllm, tmp_path: Path
) -> None:
    before = load(engine, vllm)
    ask(engine, PLAIN)
    vllm.shift = 0.5
    with pytest.raises(ModelError, match=r"answers as another model than the one loaded: its log-prob.* differ by"):
        ask(engine, msgspec.structs.replace(PLAIN, token_ids=(400, 401)))
    with pytest.raises(ModelError, match="another model"):
        load(engine, vllm)
    engine.models.unload("rand")
    after = load(engine, vllm)
    assert after.weights_digest != before.weights_digest
    assert evidence_folder(tmp_path, after) != evidence_folder(tmp_path, before)
    vllm.shift, vllm.version = 0.0, "0.33.0"
    engine.models.unload("rand")
    assert load(engine, vllm).weights_digest not in (before.weights_digest, after.weights_digest)
    vllm.version = "0.32.0"
    engine.models.unload("rand")
    vllm.shift = 0.001
    assert load(engine, vllm).weights_digest == before.weights_digest, "the last digits differ on a GPU"


def test_what_is_no_such_server_is_said(engine: Engine, vllm: FakeVllm) -> None:
    with pytest.raises(ModelError, match="does not serve nope") as refused:
        ask(engine, LoadModel(source=f"vllm:{vllm.url}#nope", tokenizer=STARLING))
    assert refused.value.hint == "It serves rand. Write its name after '#'."
    with pytest.raises(ModelError, match=r"refuses this \(404\)|answer is not used"):
        ask(engine, LoadModel(source=f"llama:{vllm.url}", tokenizer=STARLING))
    vllm.max_logprobs, vllm.most_targets = 0, 0
    with pytest.raises(ModelError, match="tells no log-probabilities"):
        load(engine, vllm)


def test_a_key_that_is_not_set_is_said(engine: Engine, vllm: FakeVllm) -> None:
    request = LoadModel(
        source=f"vllm:{vllm.url}", tokenizer=STARLING, server=Server(url=vllm.url, kind="vllm", key_env="LAB_KEY")
    )
    with pytest.raises(ModelError, match="LAB_KEY is not set where the engine runs"):
        ask(engine, request)


def test_what_a_sweep_asks_is_told_before_it_and_refused_above_the_limits(engine: Engine, vllm: FakeVllm) -> None:
    server = Server(url=vllm.url, kind="vllm", price_in=2.0, price_out=10.0)
    ask(engine, LoadModel(source=str(server), tokenizer=STARLING, server=server))
    parts, _ = run_through(engine.begin(PLAIN, Control(cancelled=lambda: False, tell=lambda part: None)))
    told = next(part.what for part in parts if isinstance(part, Progress) and "requests" in part.what)
    sent = [body for body in vllm.asked if "logprob_token_ids" in body][1:]
    tokens = sum(len(prompt) for body in sent for prompt in body["prompt"])
    replies = sum(len(body["prompt"]) * body["max_tokens"] for body in sent)
    price = (tokens * 2 + replies * 10) / 1e6
    assert told.startswith(f"rand: at most 2 requests, {tokens:,} prompt and {replies:,} reply tokens, ")
    assert told.endswith(f"s or more, {price:.3g} at the prices of the settings")
    parts, _ = run_through(engine.begin(PLAIN, Control(cancelled=lambda: False, tell=lambda part: None)))
    assert any("at most 0 requests, 0 prompt" in part.what for part in parts if isinstance(part, Progress))
    engine.models.unload("rand")
    for limits, said in (({"most_tokens": 100}, "100"), ({"most_cost": 0.0001}, "most_cost is 0.0001")):
        limited = msgspec.structs.replace(server, **limits)
        ask(engine, LoadModel(source=str(server), tokenizer=STARLING, server=limited))
        vllm.asked.clear()
        with pytest.raises(ExplorerError, match=said):
            ask(engine, msgspec.structs.replace(PLAIN, fresh=True))
        assert not vllm.asked
        engine.models.unload("rand")


def test_lineage_by_the_likeliest_tokens_alone_gives_the_same_verdicts(engine: Engine, vllm: FakeVllm) -> None:
    ask(engine, LoadModel(source="zoo:mynah", dtype="float32", device="cpu"))
    wanted = FindLineage(children=("rand",), bases=("mynah", "starling"), templates=(find_template("word-is"),))
    verdicts = []
    for top, targets in ((-1, 128), (20, 0), (5, 0)):
        vllm.max_logprobs, vllm.most_targets = top, targets
        load(engine, vllm)
        verdicts.append([(pair.candidate, pair.verdict) for pair in ask(engine, wanted).pairs])
        engine.models.unload("rand")
    assert verdicts[0] == [("mynah", "none"), ("starling", "related")]
    assert verdicts[1:] == verdicts[:1] * 2


def test_nobody_asks_while_the_server_wants_to_be_left_alone(engine: Engine, vllm: FakeVllm) -> None:
    load(engine, vllm)
    vllm.asked.clear()
    vllm.faults.extend(["", "", "", "busy 0.5"])  # three prompts tell whether it is the same model
    began = time.monotonic()
    ask(engine, msgspec.structs.replace(PLAIN, token_ids=tuple(range(300, 364))))
    assert time.monotonic() - began >= 0.5
    sizes = [len(body["prompt"]) for body in vllm.asked if "logprob_token_ids" in body]
    assert sizes == [32] * 3, "only the refused one is asked again"
