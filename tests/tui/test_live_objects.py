"""What the explorer owns, without a screen: models, runs, recorder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from explorer.base.records.inspect import InspectToken
from explorer.base.records.models import LoadModel, ModelInfo, ModelLoaded, ModelUnloaded, Roster
from explorer.base.records.notes import Noted, WriteNote
from explorer.base.records.record import Failure, Progress, Request
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled, Step
from explorer.base.records.verification import Verify
from explorer.base.records.vocabulary import ReadVocabulary
from explorer.base.servers import ServerEntry
from explorer.pipe.client import Answered, Pending
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings
from explorer.tui.live.models import Models
from explorer.tui.live.recorder import SessionRecorder
from explorer.tui.live.runs import Ears, Runs
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.model_bar import ModelBar


class SilentClient:
    """Takes requests; the test answers them."""

    state = "ready"

    def __init__(self) -> None:
        self.pending: list[Pending] = []
        self.cancelled: list[int] = []
        self.started = 0

    def submit(self, request: AnyRequest) -> Pending:
        pending = Pending(len(self.pending), request, asyncio.get_running_loop().create_future())
        self.pending.append(pending)
        return pending

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)

    async def start(self) -> None:
        self.started += 1


class FakeFront:
    """A screen that only remembers."""

    def __init__(self) -> None:
        self.selection = Selection()
        self.bar: Any = MagicMock(spec=ModelBar)
        self.said: list[str] = []
        self.shown: list[Step] = []
        self.forgotten: list[str] = []
        self.inspected: list[bool] = []

    def select(self, **changes: Any) -> None:
        self.selection = replace(self.selection, **changes)

    def marks_of(self, model: str) -> frozenset[int]:
        return frozenset()

    def show_again(self, step: Step) -> None:
        self.shown.append(step)

    def forget_model(self, name: str) -> None:
        self.forgotten.append(name)

    def inspect_selected(self, *, record: bool) -> None:
        self.inspected.append(record)

    def remark(self, text: str, *, problem: bool = False) -> None:
        self.said.append(text)


def runs_with(client: SilentClient, heard: list[Any]) -> Runs:
    shown = SimpleNamespace(show_asked=heard.append, show_part=lambda request, part: heard.append(part))
    ears = Ears(shown, lambda *told: heard.append(told), lambda: None, heard.append, heard.append)
    return Runs(cast(Any, client), ears)


def step(request: AnyRequest, outcome: AnyOutcome) -> Step:
    return Step(number=1, at="", seconds=0.1, request=request, outcome=outcome)


def info(name: str, digest: str = "w") -> ModelInfo:
    return ModelInfo(
        name=name, source=f"zoo:{name}", revision="", architecture="tiny", n_layers=1, d_model=8, vocab_size=16,
        tokenizer_size=16, context=32, n_parameters=10, tied=False, can_run=True, has_chat_template=False,
        dtype="float32", device="cpu", memory_bytes=1, weights_digest=digest, tokenizer_digest="t",
    )  # fmt: skip


def run(work: Callable[[], Any]) -> None:
    asyncio.run(work())


def kinds(client: SilentClient) -> list[type[Request]]:
    return [type(pending.request) for pending in client.pending]


# ── runs ──


def test_a_later_question_of_a_name_cancels_the_earlier_one() -> None:
    async def work() -> None:
        client, heard = SilentClient(), list[Any]()
        runs = runs_with(client, heard)
        for token_id in (1, 2):
            runs.ask(InspectToken(model="mynah", token_id=token_id), record=False, latest="details")
        assert client.cancelled == [0]
        assert len(runs.running) == 2
        client.pending[1].answer.set_result(Answered(Noted(), 0.5))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert list(runs.running) == [0]

    run(work)


def test_what_was_paused_is_asked_again_once() -> None:
    async def work() -> None:
        client = SilentClient()
        runs = runs_with(client, [])
        sweep = Verify(model="mynah")
        runs.ask(sweep)
        runs.ask(InspectToken(model="mynah", token_id=1))
        assert runs.pause() == 1
        assert client.cancelled == [0]
        runs.note(step(sweep, Cancelled()))
        assert list(runs.paused) == [sweep]
        assert runs.resume() == 1
        assert runs.resume() == 0
        assert kinds(client) == [Verify, InspectToken, Verify]
        runs.note(step(sweep, Cancelled()))
        runs.forget_model("mynah")
        assert not runs.paused

    run(work)


def test_progress_is_kept_and_a_failing_listener_is_reported() -> None:
    async def work() -> None:
        client, failed = SilentClient(), list[Exception]()
        shown = SimpleNamespace(show_asked=lambda request: None, show_part=lambda request, part: None)

        def hear(*told: Any) -> None:
            raise LookupError("nobody listens")

        runs = Runs(cast(Any, client), Ears(shown, hear, lambda: None, failed.append, lambda request: None))
        runs.ask(Verify(model="mynah"))
        pending = client.pending[0]
        assert pending.on_part is not None
        pending.on_part(Progress(done=3, total=9, what="tokens"))
        current = runs.current()
        assert current is not None
        assert current.progress is not None
        assert current.progress.done == 3
        pending.answer.set_result(Answered(Noted(), 0.5))
        for _ in range(3):
            await asyncio.sleep(0)
        assert [str(error) for error in failed] == ["nobody listens"]
        assert runs.current() is None

    run(work)


# ── models ──


def models_with(client: SilentClient) -> tuple[Models, FakeFront]:
    front = FakeFront()
    return Models(front, runs_with(client, []), cast(Any, client), Settings()), front


def test_a_server_is_loaded_as_the_settings_say() -> None:
    async def work() -> None:
        client = SilentClient()
        lab = ServerEntry(name="lab", url="https://h.org", kind="vllm", model="big", tokenizer="org/big", key_env="K")
        models = Models(FakeFront(), runs_with(client, []), cast(Any, client), Settings(servers=(lab,)))
        assert [entry.source for entry in models.servers] == ["vllm:https://h.org#big"]
        models.load(LoadModel(source="server:lab"))
        asked = client.pending[0].request
        assert isinstance(asked, LoadModel)
        assert (asked.source, asked.tokenizer) == ("vllm:https://h.org#big", "org/big")
        assert asked.server is not None
        assert asked.server.key_env == "K"

    asyncio.run(work())


def test_the_first_model_loaded_is_shown_and_the_details_come_back_when_it_is_loaded_again() -> None:
    async def work() -> None:
        client = SilentClient()
        models, front = models_with(client)
        load = LoadModel(source="zoo:mynah")
        models.note(step(load, ModelLoaded(info=info("mynah"))))
        assert front.selection.model == info("mynah")
        assert kinds(client) == [ReadVocabulary]
        assert front.inspected == []
        models.note(step(load, ModelLoaded(info=info("mynah"))))
        assert front.inspected == [False]
        assert models.reloads == {"mynah": load}
        assert front.forgotten == []

    run(work)


def test_a_name_that_stands_for_another_checkpoint_forgets_the_previous_one() -> None:
    async def work() -> None:
        models, front = models_with(SilentClient())
        for digest in ("one", "other"):
            models.note(step(LoadModel(source="./a"), ModelLoaded(info=info("a", digest))))
        assert front.forgotten == ["a"]
        models.note(step(LoadModel(source="./gone"), Failure(message="no such folder", hint="")))
        front.bar.set_model_failed.assert_called_once_with("./gone")
        assert front.said == ["./gone: no such folder"]

    run(work)


def test_when_the_shown_model_is_unloaded_another_is_shown() -> None:
    async def work() -> None:
        models, front = models_with(SilentClient())
        both = (info("a"), info("b"))
        models.use_roster(Roster(models=both, devices=()))
        models.choose(both[0])
        models.choose_next(1)
        assert front.selection.model == both[1]
        models.note(step(LoadModel(source="x"), ModelUnloaded(model="b")))
        assert front.selection.model == both[0]
        models.use_roster(Roster(models=(both[0],), devices=()))
        models.note(step(LoadModel(source="x"), ModelUnloaded(model="a")))
        assert front.selection.model is None

    run(work)


def test_an_engine_that_runs_is_not_started_again() -> None:
    async def work() -> None:
        client = SilentClient()
        models, front = models_with(client)
        await models.restart_engine()
        assert front.said == ["The engine is running."]
        models.reloads["mynah"] = LoadModel(source="zoo:mynah")
        client.state = "stopped"
        await models.restart_engine()
        assert client.started == 1
        assert kinds(client) == [LoadModel]

    run(work)


# ── recorder ──


def test_an_unexpected_error_while_a_step_is_written_does_not_stop_the_next(tmp_path: Path) -> None:
    async def work() -> None:
        session, failed = SessionWriter(tmp_path / "s.jsonl"), list[Exception]()

        def wrote(steps: Sequence[Step], trouble: str) -> None:
            if steps[0].number == 1:
                raise LookupError("the pane is gone")

        recorder = SessionRecorder(session, wrote, failed.append)
        recorder.start()
        for text in ("first", "second"):
            recorder.record(session.step(WriteNote(text=text), Noted(), 0.0))
            while not failed:
                await asyncio.sleep(0.001)
        await recorder.finish(60)
        assert [str(error) for error in failed] == ["the pane is gone"]

    run(work)
    assert len(read_session(tmp_path / "s.jsonl").steps) == 2


def test_steps_that_wait_for_the_disk_are_written_at_once_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        session, told = SessionWriter(tmp_path / "s.jsonl"), list[list[int]]()

        def wrote(steps: Sequence[Step], trouble: str) -> None:
            on_disk = len(read_session(session.path).steps)
            told.append([step.number for step in steps])
            assert on_disk >= steps[-1].number

        recorder = SessionRecorder(session, wrote, lambda error: told.append([-1]))
        recorder.start()
        begun, slow = threading.Event(), threading.Event()
        append = session.append

        def write_slowly(*steps: Step) -> bool:
            begun.set()
            return slow.wait(60) and append(*steps)

        monkeypatch.setattr(session, "append", write_slowly)
        recorder.record(session.step(WriteNote(text="first"), Noted(), 0.0))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        for _ in range(6):
            recorder.record(session.step(WriteNote(text="more"), Noted(), 0.0))
        slow.set()
        await recorder.finish(60)
        assert told == [[1], [2, 3, 4, 5, 6, 7]]

    run(work)
