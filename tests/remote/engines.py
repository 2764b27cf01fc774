"""An engine of tests: what it is asked, and models of fake servers in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np

from explorer.base.records.models import LoadModel
from explorer.base.records.verification import Verify
from explorer.base.servers import Server
from explorer.engine.answers.verification.definitions import glitchminer
from explorer.engine.answers.verification.evidence_place import evidence_folder, open_evidence
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.queue import Report, WorkQueue
from tests.behaviour.behaviour_fakes import run_through
from tests.remote.conftest import STARLING

PLAIN = Verify(model="rand", definitions=("plain",), token_ids=tuple(range(300, 340)), controls=0)
MINER = msgspec.structs.replace(PLAIN, definitions=("glitchminer",))
"""One place a prompt: quick to answer."""


def answer(engine: Engine, request: Any) -> tuple[list[Any], Any]:
    """The parts and the outcome of a request."""
    return run_through(engine.begin(request, Control(cancelled=lambda: False, tell=lambda part: None)))


def ask(engine: Engine, request: Any) -> Any:
    """Its outcome alone."""
    return answer(engine, request)[1]


def load(engine: Engine, url: str, **chosen: Any) -> Any:
    """The model behind a server that speaks as vLLM does; `chosen`: what the settings say of it."""
    server = Server(url=url, kind="vllm", **chosen)
    return ask(engine, LoadModel(source=str(server), tokenizer=STARLING, server=server)).info


def through_queue(engine: Engine, request: Any, after: Callable[[WorkQueue], None] = lambda queue: None) -> Any:
    """The parts and the outcome of a request that a worker answers."""
    answers: SimpleQueue[Any] = SimpleQueue()
    parts: list[Any] = []
    report = Report(part=lambda number, part: parts.append(part), answer=lambda *told: answers.put(told))
    queue = WorkQueue(engine.begin, report)
    queue.add(engine.job(1, request))
    after(queue)
    return parts, answers.get(timeout=20)[1]


def kept_evidence(engine: Engine, name: str, folder: Path, token_ids: Sequence[int]) -> Any:
    """What is kept of a sweep by glitchminer's question."""
    model = engine.models.get(name)
    (question,) = glitchminer().questions
    with open_evidence(model, question, evidence_folder(folder, model.info), write=False) as file:
        return file.read(np.array(token_ids))
