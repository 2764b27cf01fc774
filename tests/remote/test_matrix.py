"""Every verb on servers of every ability: it works, works with bounds, or says in one line why it is not available."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.lineage import FindLineage
from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.models import LoadModel
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.verification import VERDICTS, ReadVerdicts, VerificationResult, Verify
from explorer.base.servers import Server, ServerKind
from explorer.base.templates import find_template
from explorer.engine.handlers import Engine
from explorer.engine.models.local import LocalModel
from explorer.specs.registry import REGISTRY
from explorer.zoo import zoo_dir
from tests.remote.engines import ask
from tests.remote.fake_openai import FakeOpenAi, FakeSglang
from tests.remote.fake_vllm import FakeVllm

MODEL = "faraway"
WORD, STRANGE, FRAGMENT = 491, 723, 140
"""Of mynah: ' me', one far from likely anywhere, and one that no text is."""
REPEAT = RepeatBack(model=MODEL, token_id=WORD, template=find_template("repeat-1"), controls=0, max_new_tokens=2)
TABLE = ReadLogprobs(models=(MODEL,), prompt="The cat", token_id=STRANGE, token_is_target=True, top_of=MODEL)
VERIFY = Verify(model=MODEL, definitions=("glitchminer",), token_ids=(300, 301, 302, STRANGE), controls=0)
ASKED: dict[str, Any] = {
    "repeat": REPEAT,
    "repeat fragment": msgspec.structs.replace(REPEAT, token_id=FRAGMENT),
    "repeat drawn": msgspec.structs.replace(REPEAT, samples=2, temperature=0.7),
    "table": TABLE,
    "verify": VERIFY,
    "verify few-shot": msgspec.structs.replace(VERIFY, definitions=("magikarp",)),
    "lineage": FindLineage(children=(MODEL,), bases=("mynah-instruct",), templates=(find_template("word-is"),),
                           token_ids=(FRAGMENT, 900)),
}  # fmt: skip
REJECTED, NOT_ASKED = "rejected " * 3, "not asked " * 4
TEXT = "it takes text, and would read the text of this prompt as other tokens"
CHAT = "it takes questions alone, and this prompt is none that the chat template writes as text"
ONLY_REPLIES = "it tells no log-probabilities, only replies"
ONCE = "a reply cannot be drawn token by token"

SETS: list[tuple[ServerKind, type[FakeVllm], dict[str, Any], tuple[str, ...]]] = [
    ("vllm", FakeVllm, {"max_logprobs": 20},
     ("exact", "exact", "exact", "exact", f"{REJECTED}verified", f"{REJECTED}verified", "Lineage")),
    ("sglang", FakeSglang, {"max_logprobs": 20, "most_targets": 0},
     ("exact", "bounds", "exact", "bounds", f"{REJECTED}inconclusive", f"{REJECTED}inconclusive", "Lineage")),
    ("openai", FakeOpenAi, {"reads": "ids", "top": 1},
     ("exact", "bounds", "exact", "bounds", f"{REJECTED}inconclusive", f"{REJECTED}inconclusive", "Lineage")),
    ("openai", FakeOpenAi, {"reads": "ids", "top": 0},
     ("bounds", "bounds", "bounds", ONLY_REPLIES, "inconclusive " * 4, "inconclusive " * 4, "Lineage")),
    ("openai", FakeOpenAi, {"reads": "text"},
     ("exact", TEXT, "exact", "bounds", f"{REJECTED}inconclusive", f"{REJECTED}inconclusive", TEXT)),
    ("openai", FakeOpenAi, {"reads": "text", "top": 0},
     ("bounds", TEXT, "bounds", ONLY_REPLIES, "inconclusive " * 4, "inconclusive " * 4, TEXT)),
    ("openai", FakeOpenAi, {"reads": "chat", "top": 20}, ("exact", CHAT, ONCE, CHAT, NOT_ASKED, NOT_ASKED, CHAT)),
    ("openai", FakeOpenAi, {"reads": "chat", "top": 0},
     ("bounds", CHAT, ONCE, ONLY_REPLIES, NOT_ASKED, NOT_ASKED, CHAT)),
]  # fmt: skip
"""A server of each ability, and what each of `ASKED` gives there: 'exact', 'bounds', verdicts, or why it is not
available."""


@pytest.mark.parametrize(("kind", "fake", "abilities", "wanted"), SETS)
def test_every_verb_works_is_bounded_or_says_why_not(
    engine: Engine, mynah: LocalModel, caplog: pytest.LogCaptureFixture, kind: ServerKind, fake: type[FakeVllm],
    abilities: dict[str, Any], wanted: tuple[str, ...],
) -> None:  # fmt: skip
    server = fake(mynah)
    for name, value in abilities.items():
        setattr(server, name, value)
    engine.models.add(mynah)
    known = Server(name=MODEL, url=server.url, kind=kind, model="rand")
    ask(engine, LoadModel(source=str(known), tokenizer=str(zoo_dir("mynah-instruct")), server=known))
    found = {verb: told(engine, request) for verb, request in ASKED.items()}
    assert found == dict(zip(ASKED, map(str.strip, wanted), strict=True))
    server.close()
    assert "never retrieved" not in caplog.text, "an error beside another is nobody's traceback"


def told(engine: Engine, request: Any) -> str:
    """'exact', 'bounds', 'inconclusive', or the reason."""
    try:
        outcome = ask(engine, request)
    except ExplorerError as refused:
        return refused.message.removeprefix("not available from this server: ")
    assert REGISTRY.of(request).summarise(outcome)
    assert list(REGISTRY.of(request).blocks(request, outcome)) is not None
    match outcome:
        case RepeatBackResult():
            return "exact" if outcome.probe.replies[0].token_bound == "exact" else "bounds"
        case LogprobTable():
            return "exact" if outcome.columns[0].cells[0].bound == "exact" else "bounds"
        case VerificationResult():
            codes = ask(engine, ReadVerdicts(of=request)).verdicts.numpy()[0].tolist()
            return " ".join(VERDICTS[code] for code in codes)
    return type(outcome).__name__
