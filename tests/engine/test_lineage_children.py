"""Children of one base in the zoo: where they part (measured: lineage notes, A11), and a child that collapsed (A12)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from explorer.base.records.lineage import PROMPTS, FindLineage, Lineage, LineagePart
from explorer.base.records.unions import Cancelled
from explorer.base.templates import find_template
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.zoo import ground_truth, zoo_dir
from tests.engine_work import answer, without_weights

TEMPLATES = tuple(map(find_template, PROMPTS))
CHILDREN = ("mynah-instruct", "mynah-instruct-2")


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    for name in ("mynah", "lyrebird", *CHILDREN, "lyrebird-instruct"):
        engine.models.load(f"zoo:{name}", device="cpu")
    return engine


def found(engine: Engine, **asked: Any) -> Lineage:
    wanted: dict[str, Any] = {"children": CHILDREN, "bases": ("mynah",), "templates": TEMPLATES} | asked
    with without_weights():
        outcome = answer(engine, FindLineage(**wanted))
    assert isinstance(outcome, Lineage)
    return outcome


def test_two_children_of_mynah_part_more_often_than_by_chance(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    (parted,) = found(engine, count=100).bifurcations
    assert (parted.base, parted.children, parted.cells) == ("mynah", CHILDREN, 400)
    assert parted.null is not None
    assert parted.p is not None
    with capsys.disabled():
        print(f"\nbifurcation: {parted.apart} cells of 400, by chance {parted.null:.1f}, p {parted.p:.1g}")
    assert parted.apart >= 3 * parted.null
    assert parted.p <= 0.005
    assert parted.attractors is not None
    assert 3 < parted.attractors < 7
    assert len(parted.forks) == 8
    for fork in parted.forks:
        first, second = fork.branches
        assert (first.child, second.child) == CHILDREN
        assert first.output != second.output
        for branch in fork.branches:
            assert branch.logprob > branch.sister_logprob
            assert branch.base_logprob > -3.92  # ln 2 %


def test_children_of_two_bases_are_not_compared(engine: Engine) -> None:
    (parted,) = found(engine, children=("mynah-instruct", "lyrebird-instruct")).bifurcations
    assert parted.said.startswith("not asked: mynah-instruct and lyrebird-instruct are not both related to one base")
    assert (parted.base, parted.p, parted.cells) == ("", None, 0)
    assert found(engine, children=("mynah-instruct",)).bifurcations == ()


def test_children_asked_in_two_formats_are_not_compared(engine: Engine, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(zoo_dir("mynah-instruct-2"), plain)
    config = plain / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"chat_template"', '"chat_template_of_old"'))
    engine.models.load(str(plain), device="cpu")
    (parted,) = found(engine, children=("mynah-instruct", "plain"), chat="auto").bifurcations
    assert "one child is asked in its chat format and the other is not" in parted.said


def test_a_child_of_which_no_card_tells_is_asked_about_the_other_childs_tokens(engine: Engine, tmp_path: Path) -> None:
    """What is known of its own vocabulary chooses other tokens for its verdict; the bifurcation needs the same."""
    shutil.copytree(zoo_dir("mynah-instruct-2"), tmp_path / "second", ignore=shutil.ignore_patterns("ground_truth*"))
    engine.models.load(str(tmp_path / "second"), device="cpu")
    (parted,) = found(engine, children=("mynah-instruct", "second")).bifurcations
    (known,) = found(engine).bifurcations
    assert (parted.cells, parted.apart, parted.same) == (known.cells, known.apart, known.same)


def test_a_fine_tuned_child_has_not_collapsed(engine: Engine) -> None:
    outcome = found(engine, bases=("mynah", "lyrebird"))
    assert [(each.child, each.base) for each in outcome.collapses] == [(child, "mynah") for child in CHILDREN]
    for each in outcome.collapses:
        assert (each.verdict, each.counted, each.sure_child) == ("no collapse", 20, 0.0)


def test_a_child_with_six_fold_logits_has_collapsed_and_is_related_all_the_same(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "collapsed"
    shutil.copytree(zoo_dir("mynah-instruct"), folder)
    weights = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    weights["lm_head.weight"] *= 6
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    engine.models.load(str(folder), device="cpu")
    withheld = [entry["token_id"] for entry in ground_truth("mynah")["withheld"]]
    tokens = np.random.default_rng(0).permutation(withheld)[:20].tolist()
    outcome = found(engine, children=("mynah-instruct", "collapsed"), token_ids=tuple(tokens))
    plain, collapsed = outcome.collapses
    assert collapsed.tokens is not None
    assert collapsed.controls is not None
    z = [rung.z for pair in outcome.pairs for rung in pair.rungs if rung.name == "B1 r"]
    with capsys.disabled():
        print(f"\ncollapse: {collapsed.tokens:.2f} nats, controls {collapsed.controls:.2f}; z of r {z[0]} and {z[1]}")
    assert (plain.verdict, collapsed.verdict) == ("no collapse", "collapse")
    assert collapsed.tokens - collapsed.controls <= -3
    assert collapsed.sure_child is not None
    assert collapsed.sure_child > 0.2
    assert outcome.pairs[1].verdict == "related"
    assert z[1] == pytest.approx(z[0], abs=1e-6)


def test_it_stops_before_more_is_asked_of_related_children_and_keeps_the_verdicts(engine: Engine) -> None:
    request = FindLineage(children=CHILDREN, bases=("mynah",), templates=TEMPLATES, seed=11)
    verdicts: list[Any] = []
    work = engine.begin(request, Control(cancelled=lambda: len(verdicts) == 2, tell=lambda part: None))
    while True:
        try:
            part = next(work)
        except StopIteration as end:
            outcome = end.value
            break
        verdicts += [part] if isinstance(part, LineagePart) else []
    assert isinstance(outcome, Cancelled)
    assert isinstance(outcome.partial, Lineage)
    assert [pair.verdict for pair in outcome.partial.pairs] == ["related", "related"]
    assert not outcome.partial.bifurcations
    assert not outcome.partial.collapses
