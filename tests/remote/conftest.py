"""Servers for tests: llama.cpp's own, and one that speaks vLLM's API and fails in every way."""

from __future__ import annotations

import functools
import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from explorer.engine.answers.verification import answer as verification
from explorer.engine.handlers import Engine
from explorer.engine.models.local import LocalModel
from explorer.engine.models.remote import client
from explorer.engine.models.roster import Roster
from explorer.engine.models.vocabulary import Vocabulary
from explorer.zoo import zoo_dir
from tests.remote.fake_vllm import FakeVllm
from tests.remote.write_gguf import write_gguf

REPOSITORY = Path(__file__).resolve().parents[2]
STARLING = str(zoo_dir("starling"))


@dataclass
class LlamaProcess:
    """llama.cpp's server as a child, which may be killed and started again at the same place."""

    gguf: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    log: IO[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> LlamaProcess:
        self.port = self.port or free_port()
        command = [sys.executable, "-m", "tests.remote.serve_llama", str(self.gguf), str(self.port)]
        self.log = self.gguf.with_suffix(".log").open("ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, cwd=REPOSITORY)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith(b"http://"), self.gguf.with_suffix(".log").read_text()
        return self

    def kill(self) -> None:
        """End it at once, in the middle of whatever it answers."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None
        if self.log is not None:
            self.log.close()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def starling_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zoo's starling as a GGUF file; the test is skipped where llama.cpp's server is not installed."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed, so nothing is tested on a real server: pip install xllamacpp")
    file = tmp_path_factory.mktemp("gguf") / "starling.gguf"
    write_gguf(zoo_dir("starling"), file)
    return file


@pytest.fixture(scope="session")
def llama(starling_gguf: Path) -> Iterator[LlamaProcess]:
    """A running server of starling."""
    process = LlamaProcess(starling_gguf).start()
    yield process
    process.kill()


@pytest.fixture(scope="session", autouse=True)
def read_tokenizers_once() -> Iterator[None]:
    """Every test reads one of few folders."""
    read = functools.cache(Vocabulary.from_directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vocabulary, "from_directory", read)
        yield


@pytest.fixture(scope="session")
def starling() -> LocalModel:
    """The same model here."""
    model = Roster().load("zoo:starling", "float32", "cpu")
    assert isinstance(model, LocalModel)
    return model


@pytest.fixture(scope="session")
def mynah() -> LocalModel:
    """An instruct model, which has a chat template."""
    model = Roster().load("zoo:mynah-instruct", "float32", "cpu")
    assert isinstance(model, LocalModel)
    return model


@pytest.fixture
def vllm(starling: LocalModel) -> Iterator[FakeVllm]:
    """A server that speaks as vLLM does, of starling."""
    server = FakeVllm(starling)
    yield server
    server.close()


@pytest.fixture
def engine(starling: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """With `starling` here; models behind servers are given up at the end."""
    monkeypatch.setattr(verification, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(client, "FIRST_WAIT", 0.01)
    made = Engine()
    made.models.add(starling)
    yield made
    for info in made.models.infos():
        if info.reach is not None:
            made.models.unload(info.name)
