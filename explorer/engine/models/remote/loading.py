"""From a server's URL to a model: connect, take the tokenizer at hand, and ask what the server tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from explorer.base.records.models import ModelInfo
from explorer.base.servers import Server, at_url
from explorer.engine.models.checkpoints.gguf_place import find_gguf, model_name
from explorer.engine.models.checkpoints.tokenizer_files import read_json
from explorer.engine.models.errors import ModelError
from explorer.engine.models.first_import import TRANSFORMERS, import_heard
from explorer.engine.models.local import EmbeddingsOnly
from explorer.engine.models.locate import locate, locate_tokenizer
from explorer.engine.models.reading import Wish
from explorer.engine.models.remote.backend import About, Backend
from explorer.engine.models.remote.client import Client, Refused
from explorer.engine.models.remote.fingerprint import Fingerprint, answers_to
from explorer.engine.models.remote.kinds import make_backend
from explorer.engine.models.remote.model import RemoteModel
from explorer.engine.models.remote.probing import Probed, has_id, probe, read_size
from explorer.engine.models.remote.shared import Peer
from explorer.engine.models.source import WEIGHTS_ONLY, Progress, TokenizerChoice, parse_source
from explorer.engine.models.vocabulary import Vocabulary

Naming = Callable[[str], AbstractContextManager[str]]
"""From a short name to one that no other model has meanwhile."""


@dataclass(frozen=True)
class RemoteWish:
    """What is to be connected to, and with which tokenizer."""

    server: Server
    tokenizer: str
    """A folder, GGUF file or hub id, or any of them after `weights:`."""
    chat_day: str = ""


def connect(wish: RemoteWish, progress: Progress | None, naming: Naming) -> RemoteModel:
    """The model behind the server, asked what it tells. Raises `ModelError` for a server that does not answer, for one
    without a tokenizer at hand or with another one, and for one that tells no log-probabilities by id."""
    if not wish.tokenizer:
        raise ModelError(
            f"the tokenizer of the model behind {wish.server.place} is needed here",
            hint="Name it by --tokenizer (a folder, a GGUF file or a hub id), or as tokenizer in [[servers]].",
        )
    client = Client(at_url(wish.server, wish.server.url))
    try:
        with client.words.cleaning():
            return _connect(client, wish, progress, naming)
    except Refused as refused:
        client.close()
        raise ModelError(
            f"the server at {wish.server.place} refuses this ({refused.status}): {refused.said}",
            hint=f"Look whether it is a server of kind {wish.server.kind}.",
        ) from None
    except BaseException:
        client.close()
        raise


def _connect(client: Client, wish: RemoteWish, progress: Progress | None, naming: Naming) -> RemoteModel:
    server = wish.server
    backend = make_backend(server, client)
    (about,) = client.run([backend.about()])
    (size,) = client.run([read_size(backend, about)])
    import_heard(TRANSFORMERS)
    held = _read_vocabulary(wish, size, progress)
    vocabulary = _vocabulary_of(held)
    backend.vocab_size = size or vocabulary.size
    backend.use_vocabulary(vocabulary)
    if not size and not client.run([has_id(backend, vocabulary.size - 1)])[0]:
        raise ModelError(
            f"the server's model has fewer ids than the {vocabulary.size:,} of this tokenizer",
            hint="Name the tokenizer of the model that is served.",
        )
    (probed,) = client.run([probe(backend, about, vocabulary)])
    began = time.monotonic()
    (answers,) = client.run([answers_to(backend, probed.prompts)])
    seconds = time.monotonic() - began
    fingerprint = Fingerprint(server.kind, about, vocabulary.digest(), probed.prompts, answers, seconds)
    client.was_interrupted = False
    shown = client.words.clean(model_name(_last_part(about.model))) or server.short_name
    with naming(server.name or shown) as name:
        info = _describe(client, wish, about, probed, held, fingerprint.digest, name)
        model = RemoteModel([Peer(client, backend), *_others(client, wish, backend, held)], held, info, fingerprint)
        if wish.server.also:
            model.check_unchanged()
        return model


def _others(client: Client, wish: RemoteWish, known: Backend, held: Vocabulary | EmbeddingsOnly) -> Iterator[Peer]:
    """The other servers of the model; nothing is asked of them yet."""
    for url in wish.server.also:
        other = Client(at_url(wish.server, url), client.loop)
        backend = make_backend(wish.server, other)
        backend.use_vocabulary(_vocabulary_of(held))
        backend.do_as(known)
        yield Peer(other, backend)


def _vocabulary_of(held: Vocabulary | EmbeddingsOnly) -> Vocabulary:
    return held.vocabulary if isinstance(held, EmbeddingsOnly) else held


def _last_part(model: str) -> str:
    return model.rstrip("/").rsplit("/", 1)[-1]


def _describe(
    client: Client, wish: RemoteWish, about: About, probed: Probed, held: Vocabulary | EmbeddingsOnly,
    digest: str, name: str,
) -> ModelInfo:  # fmt: skip
    vocabulary = _vocabulary_of(held)
    weights = held.info if isinstance(held, EmbeddingsOnly) else None
    return ModelInfo(
        name=name,
        source=str(wish.server),
        architecture="unknown",
        weights_digest=digest,
        tokenizer_digest=vocabulary.digest(),
        dtype=client.words.clean(about.dtype) or "unknown",
        device=f"server:{wish.server.place}",
        vocab_size=vocabulary.size,
        tokenizer_size=vocabulary.tokenizer_size,
        d_model=weights.d_model if weights else 0,
        tied=weights.tied if weights else False,
        context=about.context,
        has_chat_template=vocabulary.has_chat_template,
        tokenizer=wish.tokenizer,
        chat_day=vocabulary.chat_day,
        abilities=("vocabulary", *(("weights",) if weights else ()), "next_tokens", "generation"),
        reach=msgspec.structs.replace(probed.reach, version=client.words.clean(probed.reach.version)),
    )


def _read_vocabulary(wish: RemoteWish, size: int, progress: Progress | None) -> Vocabulary | EmbeddingsOnly:
    """The tokenizer, or the matrices, with as many rows as the server has ids. Raises `ModelError` where the matrices
    have another number of them."""
    day = TokenizerChoice(day=wish.chat_day)
    if wish.tokenizer.startswith(WEIGHTS_ONLY):
        source = parse_source(wish.tokenizer)
        located = locate(source, progress=progress)
        model = Wish(located, source, torch.float32, "cpu", False, day).load(source.short_name, progress)
        assert isinstance(model, EmbeddingsOnly), "a weights: source"
        if size and model.info.vocab_size != size:
            raise ModelError(
                f"these matrices have {model.info.vocab_size:,} rows, and the server's model {size:,} ids",
                hint="Name the weights of the model that is served.",
            )
        return model
    directory = locate_tokenizer(wish.tokenizer, wish.chat_day, progress).directory
    assert directory is not None, "a tokenizer is named"
    if files := find_gguf(directory):
        from explorer.engine.models.gguf_loading import GgufModelFiles

        return GgufModelFiles(files, wish.tokenizer, runs=False, choice=day).vocabulary
    return Vocabulary.from_directory(directory, size or _rows_in(directory), day)


def _rows_in(directory: Path) -> int | None:
    """The vocabulary's size in a model's config, where the folder has one."""
    size = read_json(directory / "config.json").get("vocab_size")
    return size if isinstance(size, int) and size > 0 else None
