"""Whether p is uniform for strangers (measured: lineage notes, A4), and across tokenizers (A8).

What is tested: all pairs of three families of the zoo (mynah, lyrebird, starling: independent initialisations, the same
data) on disjoint sets of 8 of the 413 tokens that none was trained on, two prompts added up. In one pair of models the
sets are independent draws; the three pairs share models, so that they are pairwise independent at best; statistics on
the same tokens are no further draws, and each is judged alone. Two models' worth of initial rows cannot show what other
data, sizes or recipes do: 376 such tests of nine families were uniform when the method was measured.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy import stats

from explorer.base.records.lineage import PROMPTS, FindLineage, Lineage
from explorer.base.templates import find_template
from explorer.engine.answers.lineage.asked import Answers, ask_all, know
from explorer.engine.core.lineage import exact
from explorer.engine.core.lineage.rows import compare_rows
from explorer.engine.core.lineage.similarity import STATISTICS
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import has_weights, running
from explorer.zoo import zoo_dir
from tests.engine_work import answer, outcome_of

FAMILIES = ("mynah", "lyrebird", "starling")
TEMPLATES = (find_template("word-is"), find_template("glitchminer"))
SET = 8
"""Tokens of one test."""
DRAWS = 999


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    for name in FAMILIES:
        engine.models.load(f"zoo:{name}", device="cpu")
    return engine


@pytest.fixture(scope="module")
def asked(engine: Engine) -> dict[str, Answers]:
    """Each family with what it says after all tokens that were never trained."""
    found = {}
    for name in FAMILIES:
        model = running(engine.models.get(name))
        found[name] = Answers(know(name, model, outcome_of(engine.vocabularies.read(model, None))), "never")
    tokens = [(token_id,) for token_id in _never(found)]
    for _ in ask_all([(each, tokens) for each in found.values()], TEMPLATES):
        pass
    return found


def _never(asked: dict[str, Answers]) -> list[int]:
    return sorted(set.intersection(*(set(each.known.never - each.known.alike) for each in asked.values())))


def _sets(asked: dict[str, Answers]) -> list[np.ndarray]:
    tokens = np.random.default_rng(0).permutation(_never(asked))
    return [tokens[first : first + SET] for first in range(0, len(tokens) - SET + 1, SET)]


def _tests(asked: dict[str, Answers], name: str) -> Iterator[float]:
    unfit = frozenset.union(*(each.known.unfit for each in asked.values()))
    outputs = np.array(sorted(set(range(3_000)) - unfit))
    for seed, tokens in enumerate(_sets(asked)):
        slots = [(int(each),) for each in tokens]
        rows = {
            family: [each.rows(template, slots, outputs) for template in TEMPLATES] for family, each in asked.items()
        }
        for one, other in combinations(FAMILIES, 2):
            parts = [STATISTICS[name](*each) for each in zip(rows[one], rows[other], strict=True)]
            matrix = sum((exact.standardise(part) for part in parts), np.zeros((SET, SET)))
            permuted = exact.permute(matrix, seed, DRAWS)
            assert permuted is not None
            yield permuted.p


def test_p_of_strangers_is_uniform_in_many_disjoint_tests(asked: dict[str, Answers]) -> None:
    found = {name: np.array(list(_tests(asked, name))) for name in ("r", "target", "top-20")}
    assert sum(map(len, found.values())) >= 400
    for name, p in found.items():
        assert len(p) >= 150
        print(name, len(p), stats.kstest(p, "uniform").pvalue, (p <= 0.05).mean(), (p <= 0.01).mean())
        assert stats.kstest(p, "uniform").pvalue > 0.01, name
        assert (p <= 0.05).mean() <= 0.1, name
    together = np.concatenate(list(found.values()))
    assert 0.02 <= (together <= 0.05).mean() <= 0.08


def test_ordinary_tokens_reject_strangers_in_the_same_tests(asked: dict[str, Answers]) -> None:
    """So that the tests above could have failed."""
    ordinary = np.flatnonzero(asked["mynah"].known.ordinary)
    slots = [(int(each),) for each in np.random.default_rng(0).permutation(ordinary)[:40]]
    for _ in ask_all([(each, slots) for each in asked.values()], TEMPLATES[:1]):
        pass
    outputs = np.flatnonzero(asked["mynah"].known.ordinary)
    one, other = (asked[name].rows(TEMPLATES[0], slots, outputs) for name in FAMILIES[:2])
    permuted = exact.permute(STATISTICS["r"](one, other), 0, DRAWS)
    assert permuted is not None
    assert permuted.p == 1 / (1 + DRAWS)


def test_p_of_never_trained_rows_is_uniform_by_coordinates(engine: Engine, asked: dict[str, Answers]) -> None:
    """W1, on disjoint sets of rows: 153 tests of three pairs of matrices."""
    matrices = {}
    for name in FAMILIES:
        model = engine.models.get(name)
        assert has_weights(model)
        matrices[name] = model.embeddings().input.float().numpy()
    found: list[float] = []
    for tokens in _sets(asked):
        for one, other in combinations(FAMILIES, 2):
            compared = compare_rows([(matrices[one][tokens], matrices[other][tokens])], 96, len(found))
            assert compared is not None
            found.append(compared.permuted.p)
    p = np.array(found)
    print("W1", len(p), stats.kstest(p, "uniform").pvalue, (p <= 0.05).mean(), (p <= 0.01).mean())
    assert len(p) >= 150
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert (p <= 0.05).mean() <= 0.1


def _reword(name: str, to: Path) -> Path:
    """A model of the zoo with another tokenizer: every fifth string that no other is merged of is gone, and the ids
    are shuffled; its rows move along."""
    shutil.copytree(zoo_dir(name), to)
    (to / "ground_truth.json").unlink()
    (to / "card.md").unlink()
    tokenizer = json.loads((to / "tokenizer.json").read_text(encoding="utf-8"))
    model, fixed = tokenizer["model"], {each["id"] for each in tokenizer["added_tokens"]}
    merges = [tuple(each) if isinstance(each, list) else tuple(each.split(" ", 1)) for each in model["merges"]]
    parts = {part for merge in merges for part in merge}
    leaves = [one + other for one, other in merges if one + other not in parts]
    gone = {text for text in leaves[::5] if model["vocab"][text] not in fixed}
    kept = [token_id for text, token_id in sorted(model["vocab"].items(), key=lambda each: each[1]) if text not in gone]
    free = [place for place, token_id in enumerate(kept) if token_id not in fixed]
    assert all(kept[token_id] == token_id for token_id in fixed), "added tokens come first"
    shuffled = np.random.default_rng(0).permutation([kept[place] for place in free]).tolist()
    order = list(kept)
    for place, token_id in zip(free, shuffled, strict=True):
        order[place] = token_id
    texts = {token_id: text for text, token_id in model["vocab"].items()}
    model["vocab"] = {texts[token_id]: place for place, token_id in enumerate(order) if token_id in texts}
    model["merges"] = [list(merge) for merge in merges if "".join(merge) not in gone]
    (to / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    config = json.loads((to / "config.json").read_text(encoding="utf-8"))
    weights = load_file(to / "model.safetensors")
    for key, tensor in weights.items():
        if len(tensor) == config["vocab_size"]:
            weights[key] = tensor[torch.tensor(order)].contiguous()
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    (to / "config.json").write_text(json.dumps(config | {"vocab_size": len(order)}), encoding="utf-8")
    return to


def test_across_tokenizers_tokens_and_outputs_are_aligned_by_their_bytes(engine: Engine, tmp_path: Path) -> None:
    names = {}
    for name in ("mynah", "lyrebird"):
        names[name] = engine.models.load(str(_reword(name, tmp_path / f"{name}-reworded")), device="cpu").info.name
    request = FindLineage(
        children=tuple(names.values()), bases=("mynah", "lyrebird"), templates=tuple(map(find_template, PROMPTS))
    )
    outcome = answer(engine, request)
    assert isinstance(outcome, Lineage)
    found = {(pair.child, pair.candidate): pair for pair in outcome.pairs}
    for child, base in ((names["mynah"], "mynah"), (names["lyrebird"], "lyrebird")):
        own = found[child, base]
        assert own.verdict == "related"
        assert own.p is not None
        assert own.p == pytest.approx(2 * exact.least_p(own.tokens)), "all tokens are matched with themselves"
        assert 7 <= own.tokens < 20, "of the reworded model only its reference tokens are known"
        assert 1_500 < own.outputs < 2_650
        rungs = {rung.name: rung for rung in own.rungs}
        assert rungs["W0 files"].said.startswith("two tokenizers")
        assert rungs["W1 trained rows"].equal == 1.0, "rows are aligned by their tokens' bytes"
        assert rungs["W2 neurons"].fixed == rungs["W2 neurons"].tokens
    for child, stranger in ((names["mynah"], "lyrebird"), (names["lyrebird"], "mynah")):
        other = found[child, stranger]
        assert other.verdict == "none"
        assert other.p is not None
        assert other.p > 0.001
    for name in names.values():
        engine.models.unload(name)
