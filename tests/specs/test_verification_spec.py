"""What is said of verification and of the self-test: needs, blocks, comparison, the command line's help."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import get_args

import msgspec
import numpy as np
import pytest

from explorer.base.records.self_test import BoxLine, HardLine, HardListScore, SelfTestResult
from explorer.base.records.unions import AnyRequest
from explorer.base.records.verification import ReadEvidence, ReadVerdicts, VerificationResult, Verify
from explorer.engine.answers.verification.definitions import all_definitions
from explorer.engine.answers.verification.plan import SLOW
from explorer.specs.blocks import Block, Plot, Quote, Table, Words
from explorer.specs.comparing.agreement import Comparison
from explorer.specs.registry import REGISTRY, models_of, spec_of
from explorer.specs.verification import LEFT_OUT, NAMED_DEFINITIONS, describe, needs
from tests.sessions.example_sessions import HOSTILE, exchanges, ref, verification_exchanges

SWEEP = Verify(model="mynah", top_percent=2.0)


def test_tokens_drawn_at_random_are_said_and_only_those_of_all_are_a_sample() -> None:
    drawn = Verify(model="mynah", random=300, definitions=("magikarp",))
    assert describe(drawn) == "verify 300 tokens drawn at random from the whole vocabulary of mynah by magikarp"
    assert drawn.is_sample
    for other in ({"top_percent": 2.0}, {"where": "len:>3"}, {"token_ids": (1,)}, {"random": 0}):
        assert not msgspec.structs.replace(drawn, **other).is_sample
    assert "cannot be drawn" in msgspec.structs.replace(drawn, random=-1).problem()


def words_of(blocks: Iterable[Block]) -> str:
    """Every text of some blocks."""
    texts: list[str] = []
    for block in blocks:
        match block:
            case Words(text=text) | Quote(text=text):
                texts.append(text)
            case Table():
                texts += [block.title, *block.heads, *(cell for row in block.rows for cell in row)]
            case Plot():
                texts += [block.title, *(point.label + point.detail for point in block.points)]
    return "\n".join(texts)


def test_every_request_has_its_spec() -> None:
    assert {spec.request for spec in REGISTRY.specs} == set(get_args(AnyRequest))


def test_the_help_names_every_definition_and_those_left_out() -> None:
    known = all_definitions({}, np.zeros(0, dtype=bool))
    assert set(NAMED_DEFINITIONS) == {*known, "geometric"}
    assert set(LEFT_OUT) == set(SLOW)
    verb = REGISTRY.verb("verify")
    assert verb is not None
    parser = ArgumentParser()
    verb.arguments(parser)
    said = " ".join(parser.format_help().split())
    assert "speakability, geometric" in said
    assert "(default: all but sampled, magikarp-released and speakability)" in said


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (SWEEP, {"vocabulary", "weights", "next_tokens", "generation"}),
        (Verify(model="a", token_ids=(5,), definitions=("plain",)), {"vocabulary", "next_tokens", "generation"}),
        (Verify(model="a", token_ids=(5,), definitions=("glitchminer",)), {"vocabulary", "next_tokens"}),
        (Verify(model="a", definitions=("glitchminer",)), {"vocabulary", "next_tokens", "weights"}),
        (Verify(model="a", token_ids=(5,), definitions=("geometric:input_norm",)), {"vocabulary", "weights"}),
        (Verify(model="a", token_ids=(5,), definitions=("speakability",)), {"vocabulary", "weights"}),
        (Verify(model="a", token_ids=(5,), definitions=("somebody's",)), {"vocabulary"}),
        (
            Verify(model="a", token_ids=(5,), definitions=("all",)),
            {"vocabulary", "weights", "next_tokens", "generation"},
        ),
    ],
)
def test_what_a_verification_needs_depends_on_its_definitions(request_: Verify, wanted: set[str]) -> None:
    assert needs(request_) == wanted
    assert spec_of(ReadVerdicts(of=request_)).needs(ReadVerdicts(of=request_)) == wanted


def test_questions_about_a_sweep_speak_of_its_model() -> None:
    assert models_of(ReadVerdicts(of=SWEEP)) == models_of(ReadEvidence(of=SWEEP, definition="plain", token_id=5))
    assert models_of(ReadVerdicts(of=SWEEP)) == ("mynah",)
    assert not spec_of(ReadVerdicts(of=SWEEP)).recorded


def test_what_the_table_and_the_report_showed_is_in_the_blocks() -> None:
    (sweep, found), (asked, evidence), (test, tested) = verification_exchanges("plain words")
    assert isinstance(found, VerificationResult)
    found = msgspec.structs.replace(found, answered=7, reused=3, tokens_per_second=12.5)
    said = words_of(spec_of(sweep).blocks(sweep, found))
    for part in ("10 tokens, 7 prompts answered, 3 answers from disk, 12.5 tokens/s", "Jaccard", "0.500", "precision",
                 "ROC-AUC", "0.9000", "verified 0.25", "missed", "plain·words and plain words"):  # fmt: skip
        assert part.replace("·", " ") in said.replace("·", " ")
    said = words_of(spec_of(asked).blocks(asked, evidence))
    for part in ("by plain words: verified, plain words 0.25", "reply: plain words", "-1.410 / 24.41%", "exact"):
        assert part in said.replace("·", " ")
    assert isinstance(tested, SelfTestResult)
    boxes = (BoxLine(bias=True, listed_best=9, verdict="speakable", margin=0.25, agrees=False),)
    line = HardLine(token=ref(), listed_winner=3, winner=ref(4), lead=0.125, boxes=boxes)
    hard = HardListScore(
        list_name="post", statement="printed", agreed=1, boxes=2, boxes_agreed=1, not_listed=8, examples=(),
        lines=(line,),
    )  # fmt: skip
    said = words_of(spec_of(test).blocks(test, msgspec.structs.replace(tested, hard_to_speak=hard)))
    for part in ("1 token listed, 2 tested", "0.500", "not available", "with bias: speakable, margin 0.25 (printed: 9",
                 "as printed: 1 of 1", "1 of 2", "0.125", "not listed: 8"):  # fmt: skip
        assert part in said


def test_hostile_texts_are_safe_in_every_block() -> None:
    for request, outcome in exchanges(HOSTILE):
        if type(outcome) is spec_of(request).outcome:
            for block in spec_of(request).blocks(request, outcome):
                assert all(text.isprintable() for text in words_of([block]).split("\n"))


def test_a_definition_may_be_reworded_and_a_verdict_may_not_change() -> None:
    (sweep, found), *_ = verification_exchanges("a")
    assert isinstance(found, VerificationResult)
    compare = spec_of(sweep).compare
    (definition,) = found.definitions
    reworded = msgspec.structs.replace(definition, title="b", rule="c", source="d", value="e")
    other = msgspec.structs.replace(found, definitions=(reworded,), notes=(), answered=9, reused=1)
    assert compare(sweep, found, other, Comparison()).difference == ""
    counted = msgspec.structs.replace(found, definitions=(msgspec.structs.replace(definition, verified=9),))
    assert compare(sweep, found, counted, Comparison()).difference == ("definitions 1.verified: 1 was recorded, 9 came")


def test_specs_of_one_tab_share_it() -> None:
    tabs = REGISTRY.tabs()
    assert [tab.name for tab in tabs if tab.number] == [
        "tokens", "repeat", "logprobs", "neighbours", "session", "verdicts", "speakability",
        "compare", "lineage", "map",
    ]  # fmt: skip
    assert [tab.number for tab in tabs if tab.number] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
