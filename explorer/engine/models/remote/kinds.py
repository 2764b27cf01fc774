"""The kinds of servers, each by its adapter."""

from __future__ import annotations

from explorer.base.servers import Server, ServerKind
from explorer.engine.models.remote.backend import Backend
from explorer.engine.models.remote.client import Asks
from explorer.engine.models.remote.llama_server import LlamaServer
from explorer.engine.models.remote.openai_like import OpenAiLike
from explorer.engine.models.remote.sglang import Sglang
from explorer.engine.models.remote.vllm import Vllm

_KINDS: dict[ServerKind, type[Backend]] = {"vllm": Vllm, "llama": LlamaServer, "sglang": Sglang, "openai": OpenAiLike}


def make_backend(server: Server, asks: Asks) -> Backend:
    """The adapter of a server; asks nothing."""
    return _KINDS[server.kind](asks, server.model)
