"""Downloading, against a small server on this machine that answers as the hub does."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants
from transformers import PreTrainedModel

from explorer.engine.models.checkpoints.hub import download
from explorer.engine.models.errors import ModelError
from explorer.engine.models.loading import load_embeddings_only
from explorer.engine.models.locate import locate_tokenizer
from explorer.engine.models.source import Located, Progress, parse_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Repositories as directories; `sent` are the files asked for, `status` an answer to force."""

    repositories: dict[str, Path] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    refusal: tuple[int, str] | None = None


def handler_for(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(send=True)

        def do_HEAD(self) -> None:
            self.answer(send=False)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def reply(self, status: int, content: bytes, send: bool = True, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if send:
                self.wfile.write(content)

        def answer(self, send: bool) -> None:
            path = self.path.split("?")[0]
            name = next((name for name in hub.repositories if f"/{name}/" in f"{path}/"), None)
            if hub.refusal is not None:
                self.reply(hub.refusal[0], b"", X_Error_Code=hub.refusal[1])
            elif name is None:
                self.reply(404, b"", X_Error_Code="RepoNotFound")
            elif path.startswith("/api/") and "/tree/" in path:
                files = [
                    {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": etag(file)}
                    for file in sorted(hub.repositories[name].iterdir())
                ]
                self.reply(200, json.dumps(files).encode(), Content_Type="application/json")
            elif path.startswith("/api/"):
                if not path.endswith(("/main", name, COMMIT)):
                    self.reply(404, b"", X_Error_Code="RevisionNotFound")
                else:
                    described = {"id": name, "modelId": name, "sha": COMMIT, "siblings": [], "tags": []}
                    self.reply(200, json.dumps(described).encode(), Content_Type="application/json")
            else:
                file = hub.repositories[name] / path.rsplit("/", 1)[1]
                if send:
                    hub.sent.append(file.name)
                self.reply(200, file.read_bytes(), send, ETag=f'"{etag(file)}"', X_Repo_Commit=COMMIT)

    return Handler


def etag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The server, with an empty cache."""
    state = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(state))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def repository(hub: Hub, tmp_path: Path, model_of: Callable[..., PreTrainedModel], save: Callable[..., None]) -> Path:
    """A sharded model on the hub under `org/name`."""
    folder = tmp_path / "repository"
    folder.mkdir()
    save(model_of("llama"), folder, max_shard_size="45KB")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "modeling_own.py").write_text("raise SystemExit")
    hub.repositories["org/name"] = folder
    return folder


def fetch(source: str, *, progress: Progress | None = None, allow_pickle: bool = False) -> Located:
    return download(parse_source(source), allow_pickle=allow_pickle, progress=progress)


def test_only_config_tokenizer_and_safetensors_are_downloaded(hub: Hub, repository: Path) -> None:
    located = fetch("org/name")
    wanted = {file.name for file in repository.iterdir()} - {"pytorch_model.bin", "modeling_own.py"}
    assert {file.name for file in located.directory.iterdir()} == wanted
    assert located.revision == COMMIT


def test_weights_source_takes_only_the_shards_with_the_matrices(hub: Hub, repository: Path) -> None:
    located = fetch("weights:org/name")
    shards = {file.name for file in repository.glob("*.safetensors")}
    taken = {file.name for file in located.directory.glob("*.safetensors")}
    assert taken < shards
    assert len(taken) <= 2
    model = load_embeddings_only(located.directory, name="name(weights)", source="weights:org/name")
    assert tuple(model.embeddings().input.shape) == (320, 32)


def test_bytes_downloaded_are_told_and_end_at_their_total(hub: Hub, repository: Path) -> None:
    told: list[tuple[int, int, str]] = []
    fetch("org/name", progress=lambda done, total, what: told.append((done, total, what)))
    assert {what for _, _, what in told} == {"bytes downloaded"}
    assert all(0 <= done <= total for done, total, _ in told)
    shards = sum(file.stat().st_size for file in repository.glob("*.safetensors"))
    assert told[-1][:2] == (shards, shards)


def test_cached_model_needs_no_network(hub: Hub, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fetch("org/name")
    sent = list(hub.sent)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch("org/name") == first
    assert hub.sent == sent


def test_unknown_model_offline_is_refused_with_what_to_do(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="not in the cache") as refused:
        fetch("org/name")
    assert "zoo:mynah" in refused.value.hint


@pytest.mark.parametrize(
    ("refusal", "said"),
    [((401, "RepoNotFound"), "no model"), ((403, "GatedRepo"), "gated"), ((500, ""), "cannot be reached")],
)
def test_refusals_of_the_hub_are_told_apart(hub: Hub, repository: Path, refusal: tuple[int, str], said: str) -> None:
    hub.refusal = refusal
    with pytest.raises(ModelError, match=said) as refused:
        fetch("org/name")
    assert refused.value.hint


def test_unknown_model_and_unknown_revision_are_told_apart(hub: Hub, repository: Path) -> None:
    with pytest.raises(ModelError, match="no model 'org/other'"):
        fetch("org/other")
    with pytest.raises(ModelError, match="no revision 'v9'"):
        fetch("org/name@v9")


def test_model_with_pickles_only_is_refused_unless_they_are_allowed(hub: Hub, repository: Path) -> None:
    for file in repository.glob("*.safetensors*"):
        file.unlink()
    with pytest.raises(ModelError, match="no safetensors") as refused:
        fetch("org/name")
    assert "--allow-pickle" in refused.value.hint
    assert (fetch("org/name", allow_pickle=True).directory / "pytorch_model.bin").is_file()


def test_pickled_shards_are_downloaded_whatever_they_are_called(hub: Hub, repository: Path) -> None:
    for file in repository.glob("*.safetensors*"):
        file.unlink()
    (repository / "pytorch_model.bin").rename(repository / "part-0.bin")
    (repository / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a": "part-0.bin"}}))
    assert (fetch("org/name", allow_pickle=True).directory / "part-0.bin").is_file()


class Stopped(Exception):
    pass


def test_whoever_hears_the_progress_may_stop_the_download(hub: Hub, repository: Path) -> None:
    def stop(done: int, total: int, what: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        fetch("org/name", progress=stop)


def test_what_the_index_names_is_downloaded_whatever_it_is_called(hub: Hub, repository: Path) -> None:
    """Mistral's own files, and shards of other converters, are not called model-00001-of-00002.safetensors."""
    index = repository / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    shards = sorted(set(content["weight_map"].values()))
    for place, shard in enumerate(shards):
        (repository / shard).rename(repository / f"consolidated-{place}.safetensors")
    where = {name: f"consolidated-{shards.index(shard)}.safetensors" for name, shard in content["weight_map"].items()}
    index.write_text(json.dumps(content | {"weight_map": where}))
    taken = fetch("weights:org/name").directory
    assert 0 < len(list(taken.glob("consolidated*"))) < len(shards)
    whole = fetch("org/name").directory
    assert len(list(whole.glob("consolidated*"))) == len(shards)


def test_tekken_alone_is_a_tokenizer(hub: Hub, repository: Path) -> None:
    (repository / "tokenizer.json").rename(repository / "tekken.json")
    assert (fetch("org/name").directory / "tekken.json").is_file()


def test_a_tokenizer_on_the_hub_comes_without_weights(hub: Hub, repository: Path) -> None:
    choice = locate_tokenizer("org/name")
    assert choice.directory is not None
    assert (choice.directory / "tokenizer.json").is_file()
    assert not list(choice.directory.glob("*.safetensors"))
    assert choice.source == "org/name"
