"""What must hold for every kind of server: no key anywhere, no other model's answers, no wrong tokenizer, nothing asked
twice after a death."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.plain import dump_json
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.unions import AnyOutcome, Cancelled, Step
from explorer.base.records.verification import VERDICTS, ReadVerdicts, VerificationResult, Verify
from explorer.base.servers import Server, ServerKind
from explorer.base.templates import find_template
from explorer.engine.answers.verification.evidence_place import evidence_folder
from explorer.engine.handlers import Engine
from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import LocalModel
from explorer.engine.queue import WorkQueue
from explorer.sessions.file.portable import portable
from tests.remote.conftest import REPOSITORY, STARLING
from tests.remote.engines import MINER, ask, kept_evidence, through_queue
from tests.remote.fake_llama import FakeLlama
from tests.remote.fake_openai import FakeOpenAi, FakeSglang
from tests.remote.fake_vllm import Body, FakeVllm

KINDS: dict[ServerKind, type[FakeVllm]] = {
    "vllm": FakeVllm, "llama": FakeLlama, "sglang": FakeSglang, "openai": FakeOpenAi,
}  # fmt: skip
SECRET = "sk-Tz81kWq77LmNpX0rYd4"
NOT_ASKED = VERDICTS.index("not asked")
REPEAT = RepeatBack(model="rand", token_id=907, template=find_template("repeat-1"), max_new_tokens=2, controls=0)
SWEPT = range(300, 340)
SWEEP = msgspec.structs.replace(MINER, token_ids=tuple(SWEPT))


def made(kind: ServerKind, model: LocalModel) -> FakeVllm:
    server = KINDS[kind](model)
    if isinstance(server, FakeOpenAi):
        server.reads, server.keyed, server.echoes = "ids", "id", True
    return server


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> ServerKind:
    found: ServerKind = request.param
    return found


@pytest.fixture
def server(kind: ServerKind, starling: LocalModel) -> Iterator[FakeVllm]:
    running = made(kind, starling)
    yield running
    running.close()


def load(engine: Engine, server: FakeVllm, kind: ServerKind, **chosen: Any) -> Any:
    known = Server(url=server.url, kind=kind, **chosen)
    return ask(engine, LoadModel(source=str(known), tokenizer=STARLING, server=known)).info


def holds_part(text: str) -> bool:
    """Whether six letters of the key in a row stand in `text`."""
    return any(SECRET[at : at + 6] in text for at in range(len(SECRET) - 5))


def prompts_in(bodies: Iterable[Body]) -> Counter[tuple[int, ...]]:
    """Prompts of ids in requests, and how often each was sent."""
    found: Counter[tuple[int, ...]] = Counter()
    for body in bodies:
        several = body.get("input_ids") or body.get("prompt") or [""]
        rows = several if isinstance(several[0], list) else [several]
        found.update(tuple(each) for each in rows if isinstance(each[0], int))
    return found


def verdicts(engine: Engine, request: Verify) -> Any:
    return ask(engine, ReadVerdicts(of=request)).verdicts.numpy()[0]


def test_a_server_that_dies_in_mid_sweep_is_said_and_asked_for_the_rest(
    engine: Engine, server: FakeVllm, kind: ServerKind, tmp_path: Path
) -> None:
    info = load(engine, server, kind, at_once=1)
    fingerprint = prompts_in(server.asked)
    server.asked.clear()
    server.faults.extend([*[""] * (4 if kind in ("vllm", "sglang") else 24), "die"])
    with pytest.raises(ModelError, match=r"does not answer: (no connection|the connection broke), 7 times"):
        ask(engine, SWEEP)
    held = verdicts(engine, SWEEP) != NOT_ASKED
    assert 0 < held.sum() < len(SWEPT)
    server.revive()
    assert isinstance(ask(engine, SWEEP), VerificationResult)
    assert (verdicts(engine, SWEEP) != NOT_ASKED).all()
    twice = {prompt for prompt, times in prompts_in(server.asked).items() if times > 1} - fingerprint.keys()
    in_a_request = max(prompts_in([body]).total() for body in server.asked)
    requests = 2 if kind == "openai" else 1  # a reply, and the prompt sent back with the target
    assert len(twice) <= in_a_request * requests, "nothing is asked again but the part that was on its way"
    ask(engine, msgspec.structs.replace(SWEEP, model="starling"))
    told, true = (kept_evidence(engine, name, tmp_path, SWEPT) for name in (info.name, "starling"))
    np.testing.assert_array_equal(told["reply_ids"], true["reply_ids"])
    np.testing.assert_allclose(told["logprobs"], true["logprobs"], atol=1e-4)


def test_another_model_at_the_same_place_is_noticed_and_its_answers_kept_apart(
    engine: Engine, server: FakeVllm, kind: ServerKind, tmp_path: Path
) -> None:
    few = msgspec.structs.replace(SWEEP, token_ids=tuple(range(300, 304)))
    before = load(engine, server, kind)
    ask(engine, few)
    server.shift = 0.5
    with pytest.raises(ModelError, match="answers as another model than the one loaded"):
        ask(engine, msgspec.structs.replace(few, token_ids=(400, 401)))
    engine.models.unload(before.name)
    after = load(engine, server, kind)
    assert after.weights_digest != before.weights_digest
    assert evidence_folder(tmp_path, after) != evidence_folder(tmp_path, before)
    assert (verdicts(engine, few) == NOT_ASKED).all()
    server.shift = 0.001
    engine.models.unload(after.name)
    assert load(engine, server, kind).weights_digest in (before.weights_digest, after.weights_digest)


def test_another_tokenizer_is_found_when_it_is_loaded(
    engine: Engine, server: FakeVllm, kind: ServerKind, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(STARLING, other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    if kind == "llama":  # which tells the bytes of every id, so that two ids that changed places are seen
        words = tokenizer["model"]["vocab"]
        words["Ġthe"], words["Ġand"] = words["Ġand"], words["Ġthe"]
    else:
        tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:50]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    source = f"{kind}:{server.url}"
    with pytest.raises(ModelError, match="this tokenizer is not the one of the server's model") as refused:
        ask(engine, LoadModel(source=source, tokenizer=str(other)))
    assert refused.value.hint
    assert [info.name for info in engine.models.infos()] == ["starling"]


def test_a_field_that_is_ignored_with_status_200_is_found_by_the_answer(
    engine: Engine, server: FakeVllm, kind: ServerKind
) -> None:
    server.max_logprobs, server.most_targets = 20, 0
    if isinstance(server, FakeOpenAi):
        server.echoes = False
    if isinstance(server, FakeLlama):
        server.forces = False
        with pytest.raises(ModelError, match=r"log-probability of id \d+ is missing"):
            load(engine, server, kind)
    else:
        assert load(engine, server, kind).reach.targets == "none"


def test_a_key_is_in_no_word_step_or_file(
    engine: Engine, server: FakeVllm, kind: ServerKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    server.key, server.served, server.version = SECRET, f"model-of-{SECRET}", f"1.0-{SECRET}"
    monkeypatch.setenv("LAB_KEY", SECRET)
    said = []
    with pytest.raises(ModelError, match="does not serve") as absent:
        load(engine, server, kind, key_env="LAB_KEY", name="lab", model="nope")
    said.append(absent.value.line)
    loaded = load(engine, server, kind, key_env="LAB_KEY", name="lab")
    repeat = msgspec.structs.replace(REPEAT, model="lab")
    for faults in (["status 400"], ["status 500"] * 7):
        server.faults.extend(faults)
        with pytest.raises(ExplorerError) as failed:
            ask(engine, repeat)
        said.append(failed.value.line)
    assert "(LAB_KEY)" in said[1], "the server echoed it"
    server.version, server.served = f"2.0-{SECRET}", f"other-{SECRET}"
    with pytest.raises(ModelError) as changed:
        ask(engine, msgspec.structs.replace(SWEEP, model="lab"))
    said.append(changed.value.line)
    server.key = "another"
    with pytest.raises(ModelError, match=r"refuses the key in LAB_KEY \(401\)") as denied:
        ask(engine, repeat)
    said.append(denied.value.line)
    outcomes: list[AnyOutcome] = [ModelLoaded(info=loaded), *(Failure(message=line) for line in said)]
    steps = [Step(number=1, at="", seconds=0.1, request=repeat, outcome=one) for one in outcomes]
    written = [repr(loaded), *said, caplog.text, *(dump_json(portable(step)).decode() for step in steps)]
    written += [file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*") if file.is_file()]
    assert not [text[:300] for text in written if holds_part(text)]


def test_a_server_that_hangs_is_left_at_once_when_cancelled(engine: Engine, server: FakeVllm, kind: ServerKind) -> None:
    load(engine, server, kind)
    server.faults.extend(["hang"] * 8)
    cancelled = []

    def cancel(queue: WorkQueue) -> None:
        while len(server.faults) == 8:
            time.sleep(0.01)
        cancelled.append(time.monotonic())
        queue.cancel(1)

    _, answer = through_queue(engine, REPEAT, cancel)
    assert time.monotonic() - cancelled[0] <= 0.5
    assert isinstance(answer, Cancelled)


def test_no_file_no_process_and_no_word_of_the_program_holds_the_key(starling: LocalModel, tmp_path: Path) -> None:
    """One program asks a server of each kind about two tokens; the second is refused in words that hold the key."""
    servers = {kind: made(kind, starling) for kind in KINDS}
    settings, session = tmp_path / "settings.toml", tmp_path / "s.jsonl"
    entries = []
    for kind, server in servers.items():
        server.key, server.version, server.refuses = SECRET, f"1.0-{SECRET}", 908
        entries.append(f'[[servers]]\nname = "{kind}"\nurl = "{server.url}"\nkind = "{kind}"\n'
                       'key_env = "LAB_KEY"\ntokenizer = "zoo:starling"\n')  # fmt: skip
    settings.write_text("".join(entries))
    seen: list[str] = []
    said = _run(settings, session, tmp_path, seen)
    for server in servers.values():
        server.close()
    assert all(f"\n{kind} · repeat-1\n" in said for kind in KINDS), "each answered of the first token"
    assert "(LAB_KEY)" in said, "a server echoed it"
    assert any("explorer.engine" in line for line in seen)
    assert session.exists()
    written = [file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*") if file.is_file()]
    assert not [text[:300] for text in (said, *seen, *written) if holds_part(text)]


def _run(settings: Path, session: Path, home: Path, seen: list[str]) -> str:
    """What the program says; the command lines of its processes are added to `seen`."""
    homes = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
    asked = ["--token-id", "907,908", "--controls", "0", "--max-new-tokens", "2"]
    command = [sys.executable, "-m", "explorer", "repeat", *(f"server:{kind}" for kind in KINDS), *asked,
               "--settings", str(settings), "--session", str(session)]  # fmt: skip
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY,
                               env={**os.environ, **homes, "LAB_KEY": SECRET})  # fmt: skip
    while program.poll() is None:
        try:
            own = psutil.Process(program.pid)
            seen += [" ".join(each.cmdline()) for each in (own, *own.children(recursive=True))]
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.05)
    assert program.stdout is not None
    return program.stdout.read()
