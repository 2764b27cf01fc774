"""Servers that speak as OpenAI's API does: what they tell is used as far as it goes, and no further."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.lineage import FindLineage
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.models import LoadModel, ModelInfo
from explorer.base.records.record import Progress
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.verification import VERDICTS, ReadVerdicts
from explorer.base.servers import Server, find_server
from explorer.base.templates import find_template
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import running
from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import LocalModel
from explorer.engine.models.prediction import Choice, Wanted
from explorer.engine.models.remote.llama_server import is_unfinished
from explorer.engine.models.spending import Spent, counting
from explorer.zoo import zoo_dir
from tests.remote.conftest import STARLING, LlamaProcess
from tests.remote.engines import MINER, ask, kept_evidence
from tests.remote.fake_openai import FakeOpenAi, FakeSglang
from tests.remote.narrowed import Narrowed
from tests.remote.write_gguf import CHAT_TEMPLATE

REPEAT = RepeatBack(model="rand", token_id=907, template=find_template("repeat-1"), max_new_tokens=4)
SECRET = "sk-Tz81kWq77LmNpX0rYd4"


@pytest.fixture
def server(starling: LocalModel) -> Iterator[FakeOpenAi]:
    made = FakeOpenAi(starling)
    yield made
    made.close()


def load(engine: Engine, server: FakeOpenAi, tokenizer: str = STARLING) -> ModelInfo:
    info: ModelInfo = ask(engine, LoadModel(source=f"openai:{server.url}#rand", tokenizer=tokenizer)).info
    return info


def told(engine: Engine, prompt: list[int], wanted: Wanted) -> tuple[Any, Any]:
    """What the model here and the one behind the server tell."""
    here, far = (running(engine.models.get(name)).start([prompt]).read(wanted) for name in ("starling", "rand"))
    return here, far


def test_the_source_is_read() -> None:
    server = find_server("openai:https://api.example.org/v1#some/model")
    assert server == Server(url="https://api.example.org", kind="openai", model="some/model")
    assert find_server("openai-community/gpt2") is None
    assert find_server("SGLang:http://127.0.0.1:30000") == Server(url="http://127.0.0.1:30000", kind="sglang")


@pytest.mark.parametrize("keyed", ["text", "bytes", "id"])
@pytest.mark.parametrize("reads", ["text", "ids"])
def test_likeliest_tokens_are_named_and_the_rest_bounded(
    engine: Engine, server: FakeOpenAi, reads: str, keyed: str
) -> None:
    server.reads, server.keyed = reads, keyed
    info = load(engine, server)
    assert info.reach is not None
    assert (info.reach.reads, info.reach.keyed, info.reach.top, info.reach.whole) == (reads, keyed, 5, False)
    assert (info.reach.targets, info.reach.raw, info.reach.same_vocabulary) == ("none", True, "sampled")
    prompt = engine.models.get("starling").vocabulary.encode("The cat sat")
    wanted = Wanted(targets=np.arange(3088)[None], top=5, choice=Choice())
    here, far = told(engine, prompt, wanted)
    assert far.exact.sum() <= 5
    assert np.abs(far.logprobs - here.logprobs)[far.exact].max() <= 1e-4
    assert (far.logprobs >= here.logprobs - 1e-4).all(), "a bound is never below the number"
    count = far.top_ids.shape[1]
    assert count
    assert far.top_ids.tolist() == here.top_ids[:, :count].tolist()
    assert far.chosen.tolist() == here.chosen.tolist()
    assert far.entropy is None


def test_an_echoed_prompt_tells_any_token(engine: Engine, server: FakeOpenAi) -> None:
    server.echoes, server.reads = True, "ids"
    info = load(engine, server)
    assert info.reach is not None
    assert info.reach.targets == "echo"
    here, far = told(engine, [20, 21, 907], Wanted(targets=np.array([[132, 5, 2000]]), choice=Choice()))
    assert far.exact.all()
    np.testing.assert_allclose(far.logprobs, here.logprobs, atol=1e-4)
    far_verdicts, near_verdicts = (verdicts(engine, name, range(300, 324)) for name in ("rand", "starling"))
    np.testing.assert_array_equal(far_verdicts, near_verdicts)
    assert (far_verdicts != VERDICTS.index("inconclusive")).any()


def verdicts(engine: Engine, name: str, token_ids: range, definition: str = "glitchminer") -> Any:
    request = msgspec.structs.replace(MINER, model=name, token_ids=tuple(token_ids), definitions=(definition,))
    ask(engine, request)
    return ask(engine, ReadVerdicts(of=request)).verdicts.numpy()[0]


def test_where_bounds_decide_nothing_it_is_said(engine: Engine, server: FakeOpenAi) -> None:
    load(engine, server)
    far, near = (verdicts(engine, name, range(300, 308), "magikarp") for name in ("rand", "starling"))
    decided = ~np.isin(far, [VERDICTS.index("inconclusive"), VERDICTS.index("not asked")])
    np.testing.assert_array_equal(far[decided], near[decided])
    assert not decided.all()


def test_a_prompt_that_text_cannot_be_is_not_sent(engine: Engine, server: FakeOpenAi) -> None:
    load(engine, server)
    server.asked.clear()
    with pytest.raises(ModelError, match="not available from this server: it takes text, and would read"):
        running(engine.models.get("rand")).start([[20, 132, 21]]).read(Wanted(top=3))
    assert not server.asked


def test_replies_alone_are_repeated_back_and_nothing_else_is_available(engine: Engine, server: FakeOpenAi) -> None:
    server.top = 0
    info = load(engine, server)
    assert info.reach is not None
    assert (info.reach.top, info.reach.keyed, info.reach.targets) == (0, "none", "none")
    token_id = next(i for i in range(400, 900) if sendable(engine, i))
    far, near = (ask(engine, msgspec.structs.replace(REPEAT, model=name, token_id=token_id))
                 for name in ("rand", "starling"))  # fmt: skip
    assert isinstance(far, RepeatBackResult)
    assert [each.reply_ids for each in far.probe.replies] == [each.reply_ids for each in near.probe.replies]
    with pytest.raises(ExplorerError, match="not available from this server: it tells no log-probabilities"):
        ask(engine, ReadLogprobs(models=("rand",), prompt="The cat", token_id=907))


def sendable(engine: Engine, token_id: int) -> bool:
    vocabulary = engine.models.get("starling").vocabulary
    return vocabulary.reencode(token_id) == [token_id] and vocabulary.text(token_id).startswith(" ")


@pytest.mark.parametrize(("top", "length_key"), [(20, "max_tokens"), (0, "max_completion_tokens")])
def test_a_chat_server_is_asked_questions(engine: Engine, mynah: LocalModel, top: int, length_key: str) -> None:
    server = FakeOpenAi(mynah)
    server.reads, server.top, server.length_key, server.listed = "chat", top, length_key, False
    engine.models.add(mynah)
    info = load(engine, server, str(zoo_dir("mynah-instruct")))
    assert info.reach is not None
    assert (info.reach.reads, info.reach.top) == ("chat", top)
    near_name = next(each.name for each in engine.models.infos() if each.source == "zoo:mynah-instruct")
    token_id = next(i for i in range(400, 900) if sendable(engine, i))
    request = msgspec.structs.replace(REPEAT, token_id=token_id, chat=True)
    server.asked.clear()
    far, near = (ask(engine, msgspec.structs.replace(request, model=name)) for name in ("rand", near_name))
    assert [each.reply_ids for each in far.probe.replies] == [each.reply_ids for each in near.probe.replies]
    assert server.asked
    with pytest.raises(ExplorerError, match="takes questions alone"):
        running(engine.models.get("rand")).start([mynah.vocabulary.encode("The cat")]).read(Wanted(choice=Choice()))
    server.close()


FAULTS = [
    ("half", "cut off or is no JSON"), ("deep", "parts are missing"), ("other-ids", "read 4 tokens where 3"),
    ("nan", "cut off or is no JSON"), ("null", "None is no log-probability"), ("positive", "0.5 is no log-prob"),
    ("one-choice-less", "0 replies"), ("not-likeliest", "is not the likeliest"), ("status 400", "refuses this"),
    ("away", "sends elsewhere"),
]  # fmt: skip


def test_wrong_answers_are_refused_and_passing_failures_are_tried_again(engine: Engine, server: FakeOpenAi) -> None:
    server.reads = "ids"
    load(engine, server)
    far = running(engine.models.get("rand")).start([[20, 21, 907]])
    for fault, said in FAULTS:
        server.faults.append(fault)
        with pytest.raises(ModelError, match=said):
            far.read(Wanted(top=3))
    server.faults.extend(["status 500", "cut", "busy 0.05", "status 503"])
    assert far.read(Wanted(top=3)).top_ids.shape == (1, 3)
    server.faults.append("wrong-keys")
    strange = far.read(Wanted(targets=np.array([[907]]), top=3))
    assert strange.top_ids.shape == (1, 0), "what no token is called is no token"
    assert not strange.exact.any()
    server.close()


def test_ids_with_other_bytes_are_refused(engine: Engine, server: FakeOpenAi) -> None:
    server.reads, server.keyed = "ids", "id"
    load(engine, server)
    far = running(engine.models.get("rand")).start([[20, 21, 907]])
    for fault, said in (("far-id", "an id outside"), ("other-id", "is another token than here")):
        server.faults.append(fault)
        with pytest.raises(ModelError, match=said):
            far.read(Wanted(top=3))


def test_another_tokenizer_is_noticed(engine: Engine, server: FakeOpenAi, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(STARLING, other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:50]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="this tokenizer is not the one of the server's model"):
        load(engine, server, str(other))


def test_llama_cpp_as_such_a_server_tells_the_models_numbers(
    engine: Engine, llama: LlamaProcess, starling: LocalModel
) -> None:
    info = ask(engine, LoadModel(source=f"openai:{llama.url}", tokenizer=STARLING)).info
    assert (info.reach.reads, info.reach.keyed, info.reach.whole, info.reach.top) == ("ids", "id", True, 3088)
    drawn = np.random.default_rng(0)
    every, compared = np.arange(3088)[None], 0
    while compared < 20:
        prompt = drawn.integers(0, 3072, size=int(drawn.integers(3, 30))).tolist()
        wanted = Wanted(targets=every, ranks=True, top=10, entropy=True, choice=Choice())
        here = running(starling).start([prompt]).read(wanted)
        assert here.chosen is not None
        if is_unfinished(starling.vocabulary.token_bytes(int(here.chosen[0]))):
            continue  # llama-server tells nothing then
        far = running(engine.models.get(info.name)).start([prompt]).read(wanted)
        compared += 1
        assert np.abs(here.logprobs - far.logprobs).max() <= 1e-4
        assert far.exact.all()
        np.testing.assert_array_equal(here.top_ids, far.top_ids)


def test_llama_cpp_that_takes_text_alone_tells_the_models_numbers(
    engine: Engine, llama: LlamaProcess, starling: LocalModel
) -> None:
    door = Narrowed(llama.url, "text")
    info = ask(engine, LoadModel(source=f"openai:{door.url}", tokenizer=STARLING)).info
    assert (info.reach.reads, info.reach.keyed, info.reach.top) == ("text", "id", 3088)
    for text in ("The cat sat on", "She said that the", "In 1984 he wrote"):
        prompt = starling.vocabulary.encode(text)
        wanted = Wanted(targets=np.arange(3088)[None], choice=Choice())
        here, far = (running(engine.models.get(name)).start([prompt]).read(wanted) for name in ("starling", info.name))
        assert far.exact.all()
        assert np.abs(here.logprobs - far.logprobs).max() <= 1e-4
        np.testing.assert_array_equal(here.chosen, far.chosen)
    with pytest.raises(ModelError, match="it takes text, and would read"):
        running(engine.models.get(info.name)).start([[20, 132, 21]]).read(Wanted(top=3))
    engine.models.unload(info.name)
    door.close()


def test_llama_cpp_that_takes_questions_alone_replies_as_the_model(
    engine: Engine, llama: LlamaProcess, tmp_path: Path
) -> None:
    """With a chat template given to both, for starling has none."""
    chatty = tmp_path / "starling-chat"
    shutil.copytree(STARLING, chatty)
    config = json.loads((chatty / "tokenizer_config.json").read_text())
    (chatty / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": CHAT_TEMPLATE}))
    near = ask(engine, LoadModel(source=str(chatty), dtype="float32", device="cpu")).info.name
    door = Narrowed(llama.url, "chat")
    info = ask(engine, LoadModel(source=f"openai:{door.url}", tokenizer=str(chatty))).info
    assert (info.reach.reads, info.reach.keyed) == ("chat", "id")
    for token_id in [i for i in range(400, 900) if sendable(engine, i)][:4]:
        request = msgspec.structs.replace(REPEAT, token_id=token_id, controls=0)
        far, here = (ask(engine, msgspec.structs.replace(request, model=name)) for name in (info.name, near))
        assert [each.reply_ids for each in far.probe.replies] == [each.reply_ids for each in here.probe.replies]
        assert far.probe.replies[0].logprobs == pytest.approx(here.probe.replies[0].logprobs, abs=1e-4)
    engine.models.unload(info.name)
    door.close()


def test_llama_cpp_as_such_a_server_is_killed_in_mid_sweep(engine: Engine, starling_gguf: Path, tmp_path: Path) -> None:
    process = LlamaProcess(starling_gguf).start()
    load = LoadModel(source=f"openai:{process.url}", tokenizer=STARLING)
    info = ask(engine, load).info
    request = msgspec.structs.replace(MINER, model=info.name, token_ids=tuple(range(300, 364)))
    steps = engine.begin(request, Control(cancelled=lambda: False, tell=lambda part: None))
    next(part for part in steps if isinstance(part, Progress) and part.done > 0)
    process.kill()
    with pytest.raises(ExplorerError, match=r"does not answer: .*, 7 times"):
        list(steps)
    held = ask(engine, ReadVerdicts(of=request)).verdicts.numpy()[0] != VERDICTS.index("not asked")
    assert 0 < held.sum() < 64
    process.start()
    assert ask(engine, load).info == info, "the same fingerprint: what was answered counts"
    spent = Spent()
    with counting(spent):
        ask(engine, request)
    process.kill()
    assert spent.requests <= 64 - held.sum() + 12, "what stood on disk was not asked again; and who it is"
    ask(engine, msgspec.structs.replace(request, model="starling"))
    told, true = (kept_evidence(engine, name, tmp_path, range(300, 364)) for name in (info.name, "starling"))
    np.testing.assert_array_equal(told["reply_ids"], true["reply_ids"])
    np.testing.assert_allclose(told["logprobs"], true["logprobs"], atol=1e-4)


def test_lineage_by_text_keys_gives_the_same_verdicts(engine: Engine, server: FakeOpenAi) -> None:
    ask(engine, LoadModel(source="zoo:mynah", dtype="float32", device="cpu"))
    wanted = FindLineage(children=("rand",), bases=("mynah", "starling"), templates=(find_template("word-is"),))
    for server.top in (20, 5):
        server.reads = "ids"
        load(engine, server)
        found = [(pair.candidate, pair.verdict) for pair in ask(engine, wanted).pairs]
        assert found == [("mynah", "none"), ("starling", "related")]
        engine.models.unload("rand")
    server.reads = "text"
    load(engine, server)
    with pytest.raises(ModelError, match="not available from this server: it takes text"):
        ask(engine, wanted)


@pytest.fixture
def sglang(starling: LocalModel) -> Iterator[FakeSglang]:
    made = FakeSglang(starling)
    yield made
    made.close()


@pytest.mark.parametrize(("most", "targets", "reach"), [(-1, 1, "request"), (20, 1, "request"), (20, 0, "none")])
def test_sglangs_own_api(engine: Engine, sglang: FakeSglang, most: int, targets: int, reach: str) -> None:
    sglang.max_logprobs, sglang.most_targets = most, targets
    info = ask(engine, LoadModel(source=f"sglang:{sglang.url}", tokenizer=STARLING)).info
    assert info.reach is not None
    found = (info.reach.whole, info.reach.targets, info.reach.top, info.reach.version)
    assert found == (most < 0, reach, 3088 if most < 0 else 20, "0.5.23")
    here, far = told(engine, [20, 132, 907], Wanted(targets=np.array([[132, 907]]), ranks=most < 0, choice=Choice()))
    assert far.exact.all() == bool(targets)
    assert (far.logprobs >= here.logprobs - 1e-4).all()
    np.testing.assert_allclose(far.logprobs[far.exact], here.logprobs[far.exact], atol=1e-4)
    assert far.chosen.tolist() == here.chosen.tolist()
    near, told_far = (verdicts(engine, name, range(300, 332)) for name in ("starling", "rand"))
    np.testing.assert_array_equal(near, told_far)
