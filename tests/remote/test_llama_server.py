"""llama.cpp's own server, in its exact mode, against the same model here."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.models import LoadModel
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.speakability import ProveSpeakability
from explorer.base.records.verification import VERDICTS, ReadVerdicts, VerificationResult, Verify
from explorer.base.templates import find_template
from explorer.engine.answers.verification import answer as verification
from explorer.engine.answers.verification.definitions import Definition, glitchminer, plain
from explorer.engine.answers.verification.evidence_place import evidence_folder, open_evidence
from explorer.engine.answers.verification.questions import Evidence, Question
from explorer.engine.answers.verification.sweep import sweep
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import PredictsTokens, running
from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import LocalModel
from explorer.engine.models.prediction import Choice, Wanted
from explorer.engine.models.remote import client
from explorer.engine.models.remote.llama_server import is_unfinished
from explorer.engine.models.spending import Spent, counting
from tests.behaviour.behaviour_fakes import run_through
from tests.remote.conftest import STARLING, LlamaProcess

PLACES = plain().questions[0].tokens
CONTROL = Control(cancelled=lambda: False, tell=lambda part: None)


@pytest.fixture(autouse=True)
def nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own evidence."""
    monkeypatch.setattr(verification, "cache_folder", lambda: tmp_path)


@pytest.fixture(scope="module")
def engine(llama: LlamaProcess, starling: LocalModel) -> Iterator[Engine]:
    """With `starling` here, and behind the server as `starling-2`."""
    made = Engine()
    made.models.add(starling)
    ask(made, LoadModel(source=f"llama:{llama.url}", tokenizer=STARLING))
    assert [info.name for info in made.models.infos()] == ["starling", "starling-2"]
    yield made
    made.models.unload("starling-2")


def ask(engine: Engine, request: Any) -> Any:
    return run_through(engine.begin(request, CONTROL))[1]


def pair(engine: Engine) -> tuple[PredictsTokens, PredictsTokens]:
    return running(engine.models.get("starling")), running(engine.models.get("starling-2"))


def test_what_the_server_tells_is_found_by_asking(engine: Engine) -> None:
    info = engine.models.get("starling-2").info
    assert info.reach is not None
    assert (info.reach.kind, info.reach.whole, info.reach.targets, info.reach.top) == ("llama", True, "forced", 3088)
    assert (info.reach.raw, info.reach.same_in_batch, info.reach.same_vocabulary) == (True, True, "proved")
    assert info.abilities == ("vocabulary", "next_tokens", "generation")
    assert info.tokenizer_digest == engine.models.get("starling").info.tokenizer_digest
    assert (info.vocab_size, info.context) == (3088, 1024)
    assert len(info.weights_digest) == 32


def test_whole_distributions_are_those_of_the_model(engine: Engine) -> None:
    here, far = pair(engine)
    drawn = np.random.default_rng(0)
    every = np.arange(3088)[None]
    prompts = [drawn.integers(0, 3072, size=int(drawn.integers(3, 30))).tolist() for _ in range(40)]
    for prompt in [each for each in prompts if cannot_be_written(here, each)][:20]:
        wanted = Wanted(targets=every, ranks=True, top=10, entropy=True, choice=Choice())
        mine, theirs = (model.start([prompt]).read(wanted) for model in (here, far))
        assert np.abs(mine.logprobs - theirs.logprobs).max() <= 1e-4
        assert theirs.exact.all()
        np.testing.assert_array_equal(mine.top_ids, theirs.top_ids)
        np.testing.assert_array_equal(mine.chosen, theirs.chosen)
        assert mine.entropy is not None
        assert theirs.entropy == pytest.approx(mine.entropy, abs=1e-4)


@pytest.mark.parametrize(("temperature", "samples"), [(0.0, 1), (0.7, 3)])
def test_replies_are_the_same_token_for_token(engine: Engine, temperature: float, samples: int) -> None:
    request = RepeatBack(
        model="starling", token_id=907, template=find_template("repeat-1"), temperature=temperature, samples=samples,
        controls=1, max_new_tokens=6, seed=3,
    )  # fmt: skip
    mine, theirs = (ask(engine, msgspec.structs.replace(request, model=name)) for name in ("starling", "starling-2"))
    for one, other in zip((mine.probe, *mine.controls), (theirs.probe, *theirs.controls), strict=True):
        assert [reply.reply_ids for reply in one.replies] == [reply.reply_ids for reply in other.replies]
        for reply, told in zip(one.replies, other.replies, strict=True):
            assert told.logprobs == pytest.approx(reply.logprobs, abs=1e-4)
            assert (told.token_rank, told.token_bound) == (reply.token_rank, "exact")


def test_a_table_of_log_probabilities_has_a_column_of_each(engine: Engine) -> None:
    table = ask(engine, ReadLogprobs(models=("starling", "starling-2"), prompt="The cat", token_id=907, top_k=5))
    assert isinstance(table, LogprobTable)
    here, far = table.columns
    assert [cell.rank for cell in here.cells] == [cell.rank for cell in far.cells]
    assert [cell.logprob for cell in far.cells] == pytest.approx([cell.logprob for cell in here.cells], abs=1e-4)


def cannot_be_written(model: PredictsTokens, prompt: list[int]) -> bool:
    return model.vocabulary.encode_segment(model.vocabulary.decode(prompt)) != prompt


def swept(model: Any, question: Question, token_ids: np.ndarray, folder: Path) -> Evidence:
    for _ in sweep(model, [question], token_ids, folder):
        pass
    with open_evidence(model, question, folder, write=False) as file:
        return file.read(token_ids)


@pytest.mark.parametrize(("definition", "count"), [(glitchminer(), 300), (plain(), 40)])
def test_a_sweep_finds_the_same_also_of_parts_of_letters(
    engine: Engine, tmp_path: Path, definition: Definition, count: int
) -> None:
    here, far = pair(engine)
    (question,) = definition.questions
    parts = np.array([each for each in range(3072) if is_unfinished(here.vocabulary.token_bytes(each))])
    assert len(parts) == 96, "llama-server tells nothing of these where it chooses them"
    drawn = np.random.default_rng(0)
    parts = drawn.choice(parts, min(96, count // 5 * 2), replace=False)
    others = drawn.choice(np.setdiff1d(np.arange(3072), parts), count - len(parts), replace=False)
    token_ids = np.sort(np.concatenate([parts, others]))
    mine, theirs = (swept(model, question, token_ids, tmp_path / name) for name, model in (("1", here), ("2", far)))
    np.testing.assert_array_equal(mine["reply_ids"], theirs["reply_ids"])
    np.testing.assert_allclose(mine["logprobs"], theirs["logprobs"], atol=1e-4)


def test_a_tokenizer_that_is_not_the_servers_is_refused(engine: Engine, llama: LlamaProcess, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(STARLING, other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    words = tokenizer["model"]["vocab"]
    words["Ġthe"], words["Ġand"] = words["Ġand"], words["Ġthe"]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError) as refused:
        ask(engine, LoadModel(source=f"llama:{llama.url}", tokenizer=str(other)))
    assert "this tokenizer is not the one of the server's model: its id" in refused.value.message
    assert refused.value.message.endswith("is ·the, the tokenizer's ·and")
    with pytest.raises(ModelError, match=r"the tokenizer of the model behind .* is needed"):
        ask(engine, LoadModel(source=f"llama:{llama.url}"))
    assert len(engine.models.infos()) == 2


def test_matrices_beside_the_server_give_indicators_neighbours_and_proofs(engine: Engine, llama: LlamaProcess) -> None:
    loaded = ask(engine, LoadModel(source=f"llama:{llama.url}", tokenizer="weights:zoo:starling")).info
    assert set(loaded.abilities) == {"vocabulary", "weights", "next_tokens", "generation"}
    far, near = (run_through(engine.vocabularies.read(engine.models.get(name), None))[1].sent
                 for name in (loaded.name, "starling"))  # fmt: skip
    assert far.indicators.keys() == near.indicators.keys()
    assert far.default_indicator == near.default_indicator
    for name, column in near.indicators.items():
        np.testing.assert_array_equal(column.numpy(), far.indicators[name].numpy())
    names = (loaded.name, "starling")
    one, other = (ask(engine, FindNeighbours(model=name, token_id=907)).neighbours for name in names)
    assert one == other
    proof = ProveSpeakability(model="", token_ids=(907, 1500), folded=False)  # no norm comes with matrices alone
    told, true = (ask(engine, msgspec.structs.replace(proof, model=name)) for name in names)
    assert (told.digest, told.rows, told.speakable) == (true.digest, true.rows, true.speakable)
    engine.models.unload(loaded.name)


def test_a_server_that_is_killed_is_said_and_the_sweep_resumed(
    starling_gguf: Path, starling: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT", 0.01)
    engine, process = Engine(), LlamaProcess(starling_gguf).start()
    request = Verify(model="starling", definitions=("plain",), token_ids=tuple(range(300, 600)), controls=0)
    try:
        load = LoadModel(source=f"llama:{process.url}", tokenizer=STARLING)
        before = ask(engine, load).info
        steps = engine.begin(request, CONTROL)
        list(islice(steps, 6))
        threading.Timer(0.05, process.kill).start()
        with pytest.raises(ExplorerError, match=r"does not answer: .*, 7 times"):
            list(steps)
        held = columns(ask_dead(engine, request))
        process.start()
        assert ask(engine, load).info == before, "the same fingerprint: what was answered counts"
        spent = Spent()
        with counting(spent):
            result = ask(engine, request)
    finally:
        process.kill()
    assert isinstance(result, VerificationResult)
    assert 0 < held.sum() < 300
    assert spent.requests >= 300 - held.sum()
    assert spent.requests <= (300 - held.sum()) * PLACES + 30, "what stood on disk was not asked again"
    folder = evidence_folder(tmp_path, before)
    mine = swept(starling, plain().questions[0], np.arange(300, 600), tmp_path / "here")
    question = plain().questions[0]
    with open_evidence(engine.models.get("starling"), question, folder, write=False) as file:
        theirs = file.read(np.arange(300, 600))
    np.testing.assert_array_equal(theirs["reply_ids"], mine["reply_ids"])
    np.testing.assert_allclose(theirs["logprobs"], mine["logprobs"], atol=1e-4)


def ask_dead(engine: Engine, request: Verify) -> Any:
    """The verdicts on disk, which need no server."""
    return ask(engine, ReadVerdicts(of=request))


def columns(found: Any) -> np.ndarray:
    """Of which tokens there is a verdict."""
    return np.asarray(found.verdicts.numpy()[0] != VERDICTS.index("not asked"))
