"""How servers are written, what is refused, and what of them may leave this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.models import LoadModel, ModelInfo, ModelLoaded, Reach
from explorer.base.records.unions import AnyRequest, Step
from explorer.base.servers import Server, ServerEntry, check_server, find_server, is_server
from explorer.base.sources import portable_source
from explorer.engine.answers.models import devices_to_load
from explorer.sessions.checking.check import SessionChecker, compared_as
from explorer.sessions.file.portable import portable
from explorer.settings import Settings, known_server, load_request, read_settings, with_server
from explorer.specs.models import describe_load, reach_text, say_how_to_join, summarise_loaded
from explorer.tui.replay.restore import loads_again

LAB = ServerEntry(
    name="lab", url="https://gpu.example.org/v1/", kind="vllm", model="org/big", tokenizer="weights:org/big",
    key_env="LAB_KEY", at_once=16,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "spelled", "place"),
    [
        ("vllm:http://127.0.0.1:8000#big", "vllm:http://127.0.0.1:8000#big", "127.0.0.1:8000"),
        (" llama:http://LocalHost:8080/ ", "llama:http://localhost:8080", "localhost:8080"),
        ("VLLM:https://h.org/v1#org/big", "vllm:https://h.org#org/big", "h.org"),
        ("llama:http://[::1]:8080", "llama:http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_a_url_is_read_in_one_spelling(text: str, spelled: str, place: str) -> None:
    server = find_server(text)
    assert server is not None
    assert (str(server), server.place) == (spelled, place)
    assert find_server(spelled) == server


@pytest.mark.parametrize(
    "source", ["zoo:mynah", "org/vllm", "./vllm:x", "vllm", "weights:zoo:mynah", "/m/llama:8", "llama.cpp/m"]
)
def test_what_is_no_server_is_left_to_others(source: str) -> None:
    assert not is_server(source)
    assert find_server(source) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("vllm:http://user:secret@h.org", "no user, password or query"),
        ("vllm:http://secret@h.org#m", "no user, password or query"),
        ("llama:https://h.org/?key=secret", "no user, password or query"),
        ("vllm:http://", "must be http://host:port"),
        ("vllm:", "must be http://host:port"),
        ("llama:127.0.0.1:8080", "must be http://host:port"),
        ("vllm:http://h:secret", "cannot be read"),
        ("vllm:http://h\x07.org", "characters that no URL has"),
        ("server:nowhere", "no server 'nowhere' is in the settings"),
    ],
)
def test_urls_that_may_hold_a_secret_are_refused_without_repeating_it(text: str, why: str) -> None:
    with pytest.raises(ExplorerError, match=why) as refused:
        find_server(text)
    assert "secret" not in refused.value.line
    assert refused.value.hint


def test_a_key_goes_to_this_machine_or_through_https_and_is_no_setting() -> None:
    with pytest.raises(ExplorerError, match="the key in K would cross the network unencrypted"):
        find_server("server:a", [Server(name="a", url="http://h.org", kind="vllm", key_env="K")])
    with pytest.raises(ExplorerError, match="must be the name of an environment variable"):
        find_server("server:a", [Server(name="a", url="https://h.org", kind="vllm", key_env="sk-12345")])
    for url in ("http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://h.org"):
        assert find_server("server:a", [Server(name="a", url=url, kind="vllm", key_env="K")])
    with pytest.raises(ExplorerError, match="would cross the network"):
        check_server(Server(url="https://h.org", also=("http://h2.org",), kind="vllm", key_env="K"))


def test_the_other_servers_of_a_model_are_spelled_as_the_first_and_each_once() -> None:
    server = Server(url="http://A:1/v1", also=("http://b:2/v1/", "http://a:1", "http://B:2"), kind="vllm")
    assert (check_server(server).url, check_server(server).also) == ("http://a:1", ("http://b:2",))
    with pytest.raises(ExplorerError, match="no user, password or query"):
        check_server(Server(url="http://a:1", also=("http://me:secret@b:2",), kind="vllm"))


def test_settings_name_servers(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    entry = '[[servers]]\nname = "lab"\nurl = "https://gpu.example.org/v1/"\nkind = "vllm"\nmodel = "org/big"\n'
    file.write_text(entry + 'tokenizer = "weights:org/big"\nkey_env = "LAB_KEY"\nat_once = 16\n')
    settings = read_settings(file, {})
    assert settings.servers == (LAB,)
    for source in ("server:lab", "vllm:https://gpu.example.org#org/big"):
        request = load_request(source, settings)
        assert (request.source, request.tokenizer) == ("vllm:https://gpu.example.org#org/big", "weights:org/big")
        assert request.server is not None
        assert (request.server.key_env, request.server.at_once, request.server.name) == ("LAB_KEY", 16, "lab")
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=LoadModel) == request
    assert load_request("server:elsewhere", settings).source == "server:elsewhere", "the engine says what is wrong"
    for wrong, why in (
        ("at_once = 0", "at_once"), ("key = 'x'", "unknown field"), ("kind = 'other'", "kind"),
        ("url = 'http://a@b'", "user"), ("name = ''", "name"),
    ):  # fmt: skip
        kept = [line for line in entry.splitlines() if not line.startswith(wrong.split()[0])]
        file.write_text("\n".join([*kept, wrong]))
        with pytest.raises(ExplorerError, match=why):
            read_settings(file, {})


def test_what_leaves_this_machine_names_host_and_model_alone() -> None:
    assert portable_source("vllm:https://h.org:8/secret/path#org/big") == "vllm:https://h.org:8#org/big"
    assert portable_source("llama:http://h:1#/home/me/models/x.gguf") == "llama:http://h:1#x.gguf"
    assert portable_source("server:lab") == "server:lab"
    assert portable_source("vllm:http://me:secret@h.org#m") == "vllm:…"
    info = ModelInfo(
        name="lab", source="vllm:https://h.org/secret#org/big", architecture="unknown", dtype="unknown",
        device="server:h.org", vocab_size=1, tokenizer_size=1, d_model=0, tokenizer="weights:/home/me/big",
    )  # fmt: skip
    request = LoadModel(source=info.source, server=LAB, tokenizer=info.tokenizer)
    step = portable(Step(number=1, at="", seconds=0.0, request=request, outcome=ModelLoaded(info=info)))
    assert isinstance(step.request, LoadModel)
    assert (step.request.source, step.request.server) == ("vllm:https://h.org#org/big", None)
    assert step.request.tokenizer == "weights:…/big"
    assert b"secret" not in msgspec.json.encode(step)


def test_a_server_waits_in_a_queue_of_its_own() -> None:
    assert devices_to_load(LoadModel(source="vllm:http://h:1#m")) == {"server:h:1"}
    assert devices_to_load(LoadModel(source="server:unknown")) == {"cpu"}


def test_a_load_is_worded_with_its_server() -> None:
    assert describe_load(LoadModel(source="llama:http://h:1", tokenizer="org/m")) == (
        "load llama:http://h:1, tokenizer of org/m"
    )


def test_what_a_server_tells_is_worded() -> None:
    told = Reach(
        kind="vllm", version="0.32.0", whole=False, targets="request", top=20, raw=True, same_in_batch=True,
        same_vocabulary="sampled",
    )  # fmt: skip
    info = ModelInfo(
        name="lab", source="vllm:https://h.org", architecture="unknown", dtype="unknown", device="server:h.org",
        vocab_size=50257, tokenizer_size=50257, d_model=0, reach=told,
    )  # fmt: skip
    assert summarise_loaded(ModelLoaded(info=info)) == (
        "lab: 50,257 tokens behind server:h.org, vllm 0.32.0 names its 20 likeliest tokens and those asked for"
    )
    loose = msgspec.structs.replace(told, whole=True, raw=False, same_in_batch=False)
    assert reach_text(loose) == (
        "vllm 0.32.0 tells all log-probabilities, after temperature: they are not the model's own, other numbers "
        "beside other prompts"
    )


def test_two_servers_of_one_model_are_told_how_they_share_the_work() -> None:
    one = msgspec.structs.replace(told_by("unknown"), name="lab", weights_digest="f1" * 16)
    two = msgspec.structs.replace(one, name="lab2", device="server:10.0.0.8:80")
    assert say_how_to_join(two, (one, two)) == ("same model as lab: to share work, add its URL to `also` of lab")
    other_model = msgspec.structs.replace(two, weights_digest="f2" * 16)
    here = msgspec.structs.replace(two, reach=None, device="cpu")
    again = msgspec.structs.replace(two, device=one.device)
    assert not any(say_how_to_join(one, (one, other)) for other in (other_model, here, again))


def test_a_source_typed_into_the_models_box_gets_what_the_settings_say() -> None:
    settings = Settings(servers=(LAB,), tokenizer="org/usual")
    typed = LoadModel(source="server:lab", tokenizer="org/usual")
    assert with_server(typed, settings) == load_request("server:lab", settings)
    own = with_server(msgspec.structs.replace(typed, tokenizer="./mine"), settings)
    assert (own.tokenizer, own.source) == ("./mine", "vllm:https://gpu.example.org#org/big")


def test_a_session_does_not_decide_to_whom_this_program_talks() -> None:
    settings = Settings(servers=(LAB,), models=("llama:http://127.0.0.1:8080/x",), tokenizer="./mine")
    stranger = LoadModel(source="vllm:http://10.0.0.7:80#m", tokenizer="org/m")
    assert known_server(stranger, settings) is None
    assert loads_again([stranger], settings) == ([], [stranger.source])
    recorded = LoadModel(source=portable_source(str(LAB)), tokenizer="weights:…/big")
    (again,), missing = loads_again([recorded], settings)
    assert not missing
    assert again == load_request("server:lab", settings)
    given = LoadModel(source="llama:http://127.0.0.1:8080", tokenizer="…/mine")
    assert known_server(given, settings) == load_request("llama:http://127.0.0.1:8080/x", settings)
    assert known_server(LoadModel(source="zoo:mynah"), settings) == LoadModel(source="zoo:mynah")


async def test_a_check_asks_no_server_that_the_settings_do_not_name() -> None:
    step = Step(
        number=1, at="", seconds=0.0, request=LoadModel(source="vllm:http://10.0.0.7:80#m", tokenizer="org/m"),
        outcome=ModelLoaded(info=told_by("unknown")),
    )  # fmt: skip
    checker = SessionChecker(cast(Any, NobodyAsked()), known_server=partial(known_server, settings=Settings()))
    found = await checker.check(step)
    assert (found.result, found.said.partition(",")[0]) == ("cannot run", "the server is not in the settings")


def test_answers_of_a_server_are_compared_as_loosely_as_it_may_run() -> None:
    assert [compared_as(told_by(dtype)) for dtype in ("all F32", "unknown", "Q4_K - Medium")] == [
        "float32", "bfloat16", "bfloat16",
    ]  # fmt: skip


def told_by(dtype: str) -> ModelInfo:
    reach = Reach(
        kind="vllm", whole=True, targets="request", top=9, raw=True, same_in_batch=True, same_vocabulary="sampled"
    )
    return ModelInfo(
        name="m", source="vllm:http://10.0.0.7:80#m", architecture="unknown", dtype=dtype, device="server:10.0.0.7:80",
        vocab_size=9, tokenizer_size=9, d_model=0, reach=reach,
    )  # fmt: skip


class NobodyAsked:
    """A client that must not be asked."""

    async def ask(self, request: AnyRequest) -> Any:
        raise AssertionError(request)
