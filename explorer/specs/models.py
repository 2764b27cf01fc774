"""Models: load and unload them, and say which are loaded and which could be."""

from __future__ import annotations

from collections.abc import Iterable

from explorer.base.records.models import (
    ListModels,
    LoadModel,
    ModelCatalogue,
    ModelInfo,
    ModelLoaded,
    ModelUnloaded,
    Reach,
    ReadRoster,
    Roster,
    UnloadModel,
)
from explorer.base.records.plain import to_plain
from explorer.specs.blocks import Block, Table, count, number, prose
from explorer.specs.command_line import Row, Verb
from explorer.specs.comparing.models import compare_models
from explorer.specs.spec import Spec

# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────


def describe_load(request: LoadModel) -> str:
    """'load zoo:mynah, float16, cuda:1'."""
    tokenizer = f", tokenizer of {prose(request.tokenizer)}" if request.tokenizer else ""
    day = f", on {prose(request.chat_day)}" if request.chat_day else ""
    return f"load {prose(request.source)}{_unless_auto(request.dtype)}{_unless_auto(request.device)}{tokenizer}{day}"


def _unless_auto(value: str) -> str:
    return "" if value == "auto" else f", {prose(value)}"


def summarise_loaded(outcome: ModelLoaded) -> str:
    """The model's name, kind and size, and where it runs."""
    info = outcome.info
    kind, where = prose(info.architecture), prose(info.device)
    quantised = f", quantised ({prose(info.quantisation)})" if info.quantisation else ""
    if info.reach is not None:
        return f"{prose(info.name)}: {info.vocab_size:,} tokens behind {where}, {reach_text(info.reach)}"
    return f"{prose(info.name)}: {kind}, {info.vocab_size:,} × {info.d_model:,}, {where}{quantised}"


def reach_text(reach: Reach) -> str:
    """What a server tells: 'tells all log-probabilities', 'names its 20 likeliest tokens and those asked for'."""
    if reach.whole:
        tells = "tells all log-probabilities"
    elif not reach.top:
        tells = "tells replies, no log-probabilities"
    else:
        asked = "" if reach.targets == "none" else " and those asked for"
        tells = f"names its {count(reach.top, 'likeliest token')}{asked}"
    version = f" {prose(reach.version)}" if reach.version else ""
    warped = "" if reach.raw else ", after temperature: they are not the model's own"
    loose = "" if reach.same_in_batch else ", other numbers beside other prompts"
    takes = {"ids": "", "text": ", reads text", "chat": ", answers questions alone"}[reach.reads]
    named = "" if reach.keyed in ("id", "none") else f" by their {reach.keyed}"
    return f"{reach.kind}{version} {tells}{named}{takes}{warped}{loose}"


def say_how_to_join(info: ModelInfo, others: Iterable[ModelInfo]) -> str:
    """That another server of `others` answers as the same model, and how both share the work; empty where none does."""
    for other in others:
        if info.reach and other.reach and other.weights_digest == info.weights_digest and other.device != info.device:
            name = prose(other.name)
            return f"same model as {name}: to share work, add its URL to `also` of {name}"
    return ""


def summarise_roster(outcome: Roster) -> str:
    """The names of the loaded models."""
    return ", ".join(prose(info.name) for info in outcome.models) or "no model is loaded"


def roster_blocks(request: ReadRoster, outcome: Roster) -> Iterable[Block]:
    """The loaded models."""
    yield models_table(outcome.models)


def models_table(infos: Iterable[ModelInfo]) -> Table:
    """Loaded models, with what says whether another one is the same."""
    heads = ("model", "source", "architecture", "vocabulary", "dtype", "device", "weights or fingerprint", "tokenizer")
    rows = tuple(
        (prose(info.name), prose(info.source), prose(info.architecture),
         f"{info.vocab_size:,} × {info.d_model:,}" if info.d_model else f"{info.vocab_size:,}",
         dtype_text(info), prose(info.device), prose(info.weights_digest)[:12], prose(info.tokenizer_digest)[:12])
        for info in infos
    )  # fmt: skip
    return Table(heads, rows, right=frozenset({"vocabulary"}))


def dtype_text(info: ModelInfo) -> str:
    """'float32', or 'float32 of embeddings Q8_0, blocks Q4_1' where the weights are quantised."""
    return prose(f"{info.dtype} of {info.quantisation}" if info.quantisation else info.dtype)


def catalogue_blocks(request: ListModels, outcome: ModelCatalogue) -> Iterable[Block]:
    """What can be loaded without the network."""
    rows = tuple(
        (prose(entry.source), entry.origin, number(entry.size_bytes / 2**30, 3), prose(entry.description))
        for entry in outcome.entries
    )
    yield Table(("source", "from", "GiB", "description"), rows, right=frozenset({"GiB"}))


def _catalogue_json(outcome: ModelCatalogue) -> Iterable[Row]:
    for entry in outcome.entries:
        yield to_plain(entry)


SPECS = (
    Spec(
        request=LoadModel,
        outcome=ModelLoaded,
        describe=describe_load,
        summarise=summarise_loaded,
        answer="explorer.engine.answers.models:answer_load",
        models=(),
        sources=("source", "tokenizer"),
        compare=compare_models,
    ),
    Spec(
        request=UnloadModel,
        outcome=ModelUnloaded,
        describe=lambda request: f"unload {prose(request.model)}",
        summarise=lambda outcome: f"{prose(outcome.model)} unloaded",
        answer="explorer.engine.answers.models:answer_unload",
    ),
    Spec(
        request=ReadRoster,
        outcome=Roster,
        describe=lambda request: "which models are loaded",
        summarise=summarise_roster,
        blocks=roster_blocks,
        answer="explorer.engine.answers.models:answer_read_roster",
        models=(),
        checked=False,
    ),
    Spec(
        request=ListModels,
        outcome=ModelCatalogue,
        describe=lambda request: "which models could be loaded",
        summarise=lambda outcome: count(len(outcome.entries), "model"),
        blocks=catalogue_blocks,
        answer="explorer.engine.answers.models:answer_list",
        models=(),
        checked=False,
        verb=Verb(
            name="models",
            help="list the models that can be loaded without the network",
            sources="0",
            examples=(("--json", "the zoo, the servers of the settings and the hub's cache, an object a line"),),
            requests=lambda asked: [ListModels()],
        ),
        json_rows=_catalogue_json,
    ),
)
