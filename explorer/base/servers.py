"""Servers that models stand behind: how a user writes them, and how they are spelled out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, get_args
from urllib.parse import SplitResult, urlsplit

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Record

ServerKind = Literal["vllm", "llama", "sglang", "openai"]
NAMED = "server:"
_DIRECT = re.compile(rf"\s*({'|'.join(get_args(ServerKind))}):", re.IGNORECASE)
_ADVICE = "Write vllm:, llama:, sglang: or openai: before http://127.0.0.1:8000#NAME, and keys only by key_env."
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Server(Record, kw_only=True, omit_defaults=True):
    """A server that answers for a model. Holds no secret: a key is named by the variable that it stands in."""

    name: str = ""
    """What `server:NAME` calls it; empty where its URL was given."""
    url: str
    """`http://host:port`, with a path where the server stands behind one; no user, no query."""
    also: tuple[str, ...] = ()
    """URLs of more servers of the same model, which share a verification's work."""
    kind: ServerKind
    """`vllm`: vLLM's own API; `llama`: llama.cpp's llama-server; `sglang`: SGLang's own API; `openai`: what speaks as
    OpenAI does: hosted APIs, Ollama, TGI, LM Studio."""
    model: str = ""
    """The model that is served under this name; empty: the only one."""
    tokenizer: str = ""
    """The folder, GGUF file or hub id with its tokenizer; `weights:…`: its matrices too."""
    key_env: str = ""
    """The environment variable, on the engine's machine, that holds the key; empty: none is sent."""
    at_once: Annotated[int, msgspec.Meta(ge=1, le=256)] = 4
    """Requests in flight."""
    timeout: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0
    """Seconds without a byte of an answer after which it is asked again or elsewhere; a whole answer may take five
    times as long."""
    price_in: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Price of a million prompt tokens."""
    price_out: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Price of a million reply tokens."""
    most_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Prompt tokens of one verification, at most: a larger one is refused before it starts, one that comes to it
    because much is sent again stops; 0: no limit."""
    most_cost: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """What one verification may cost at these prices, at most; 0: no limit."""
    most_requests: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Requests of one verification, at most, with those that are sent again; 0: no limit."""

    def __str__(self) -> str:
        """As a source: `vllm:http://127.0.0.1:8000#NAME`."""
        return f"{self.kind}:{self.url}{'#' * bool(self.model)}{self.model}"

    @property
    def place(self) -> str:
        """`127.0.0.1:8000`."""
        return urlsplit(self.url).netloc

    @property
    def short_name(self) -> str:
        """A name to call its model by."""
        return self.name or self.model.rstrip("/").rsplit("/", 1)[-1] or f"{self.kind}-{self.place.replace(':', '-')}"

    @property
    def called(self) -> str:
        """What a user calls it: its name in the settings, else where it is."""
        return self.name or f"the server at {self.place}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine itself, so that nothing goes over a network."""
        return _is_loopback(urlsplit(self.url).hostname or "")


class ServerEntry(Server, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A server in the settings, where it has a name, and a misspelt key is an error."""

    name: Annotated[str, msgspec.Meta(min_length=1)]


def is_server(source: str) -> bool:
    """Whether `source` is written as a server's, rightly or not."""
    return source.strip().startswith(NAMED) or _DIRECT.match(source) is not None


def find_server(source: str, known: Iterable[Server] = ()) -> Server | None:
    """The server that `source` names; None where it names none.

    One of `known` is found by `server:NAME`, and by its kind, URL and model. Raises `ExplorerError` for a URL with a
    user, a password or a query in it, and for a name that is not known.
    """
    source = source.strip()
    if source.startswith(NAMED):
        name = source.removeprefix(NAMED)
        for server in known:
            if server.name == name:
                return check_server(server)
        raise ExplorerError(f"no server {name!r} is in the settings", hint="Add it under [[servers]], or give its URL.")
    if (kind := _DIRECT.match(source)) is None:
        return None
    url, _, model = source[kind.end() :].partition("#")
    chosen: ServerKind = msgspec.convert(kind[1].lower(), ServerKind)
    named = check_server(Server(url=url, kind=chosen, model=model))
    same = (server for server in map(check_server, known) if str(server) == str(named))
    return next(same, named)


def check_server(server: Server) -> Server:
    """`server` with its URLs in one spelling; raises `ExplorerError` where one is none or may hold a secret, where a
    key would be sent in the clear, and where `key_env` is no variable's name (it may be the key itself)."""
    if server.key_env and not _VARIABLE.fullmatch(server.key_env):
        raise ExplorerError("key_env must be the name of an environment variable, not the key", hint=_ADVICE)
    url, *also = (_check_url(url, server.key_env) for url in (server.url, *server.also))
    others = tuple(other for other in dict.fromkeys(also) if other != url)
    return msgspec.structs.replace(server, url=url, also=others)


def at_url(server: Server, url: str) -> Server:
    """One of the servers of the model, alone."""
    return msgspec.structs.replace(server, url=url, also=())


def _check_url(url: str, key_env: str) -> str:
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ExplorerError("a server's URL must be http://host:port or https://host", hint=_ADVICE)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ExplorerError("a server's URL must hold no user, password or query", hint=_ADVICE)
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    if key_env and parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ExplorerError(
            f"the key in {key_env} would cross the network unencrypted",
            hint="Use https, or an ssh tunnel to the server and http://127.0.0.1:PORT.",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _is_loopback(host: str) -> bool:
    import ipaddress  # not needed before the first paint

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # which raises for what is no number
    except ValueError:
        raise ExplorerError("a server's URL cannot be read", hint=_ADVICE) from None
    if not url.isascii() or not url.strip().isprintable() or " " in url.strip():
        raise ExplorerError("a server's URL holds characters that no URL has", hint=_ADVICE)
    return parts


def portable_server(source: str) -> str:
    """A server's source as it may leave this machine: kind, scheme, host and model, without any path (a path may be a
    secret of its own); what cannot be read leaves nothing but its kind."""
    source = source.strip()
    if source.startswith(NAMED):
        return source
    try:
        server = find_server(source)
    except ExplorerError:
        server = None
    if server is None:
        return f"{source.partition(':')[0]}:…"
    scheme = server.url.partition(":")[0]
    return str(msgspec.structs.replace(server, url=f"{scheme}://{server.place}", model=_last_part(server.model)))


def _last_part(model: str) -> str:
    """A served model's name; of one that is a path, as a server without `--served-model-name` has it, the last part."""
    return model.rstrip("/").rsplit("/", 1)[-1] if model.count("/") > 1 or model.startswith(("/", "~", ".")) else model
