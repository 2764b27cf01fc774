"""The tree of the zoo's models, and of made-up ones."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.base.records.lineage import PROMPTS, FindLineage, Lineage
from explorer.base.records.lineage_tree import LineageTree
from explorer.base.templates import find_template
from explorer.engine.core.lineage.tree import find_joints, reach_of_chance
from explorer.engine.handlers import Engine
from explorer.specs.blocks import Table
from explorer.specs.lineage import SPECS
from explorer.specs.lineage_tree import newick, tree_blocks
from tests.engine_work import answer, without_weights

TEMPLATES = tuple(map(find_template, PROMPTS))
MODELS = ("mynah", "mynah-instruct", "mynah-sibling", "lyrebird", "lyrebird-instruct", "starling")


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    for name in MODELS:
        engine.models.load(f"zoo:{name}", device="cpu")
    return engine


@pytest.fixture(scope="module")
def outcome(engine: Engine) -> Lineage:
    request = FindLineage(
        children=("mynah-instruct", "lyrebird-instruct"), bases=("mynah", "mynah-sibling", "lyrebird"),
        references=("starling",), templates=TEMPLATES,
    )  # fmt: skip
    with without_weights():
        found = answer(engine, request)
    assert isinstance(found, Lineage)
    return found


def tree_of(outcome: Lineage) -> LineageTree:
    assert outcome.tree is not None
    return outcome.tree


def test_every_family_has_its_joint_and_strangers_are_dotted(outcome: Lineage) -> None:
    tree = tree_of(outcome)
    solid = {frozenset(joint.models): joint for joint in tree.joints if not joint.by_chance}
    assert set(solid) == {
        frozenset({"mynah", "mynah-instruct"}),
        frozenset({"lyrebird", "lyrebird-instruct"}),
        frozenset({"mynah", "mynah-instruct", "mynah-sibling"}),
    }
    assert all(joint.support == 1.0 for joint in solid.values())
    sibling = solid[frozenset({"mynah", "mynah-instruct", "mynah-sibling"})]
    assert 0.15 < sibling.r < 0.35
    assert len(tree.joints) == len(MODELS) - 1
    assert all(joint.r < 0.1 for joint in tree.joints if joint.by_chance)
    assert tree.floor < 0.15


def test_the_tree_is_drawn_as_text_and_in_newicks_format(outcome: Lineage) -> None:
    tree = tree_of(outcome)
    (table,) = tree_blocks(tree)
    assert isinstance(table, Table)
    drawn = [row[0] for row in table.rows]
    assert len(drawn) == 2 * len(MODELS) - 1
    assert all(any(name in line for line in drawn) for name in MODELS)
    assert [row[3] for row in table.rows].count("no nearer than strangers") == 2
    assert any("┄" in line for line in drawn)
    assert any("├─" in line for line in drawn)
    text = newick(tree)
    assert text.endswith(";")
    assert text.count("(") == text.count(")") == len(MODELS) - 1
    lines = list(SPECS[0].json_rows(outcome))
    own = next(line for line in lines if (line["child"], line["candidate"]) == ("mynah-instruct", "mynah"))
    assert set(own["joint"]["models"]) == {"mynah", "mynah-instruct"}
    assert own["tree"] == text


def test_three_models_make_no_tree(engine: Engine) -> None:
    request = FindLineage(children=("mynah-instruct",), bases=("mynah", "lyrebird"), templates=TEMPLATES[:1])
    with without_weights():
        found = answer(engine, request)
    assert isinstance(found, Lineage)
    assert found.tree is None
    assert not any("tree" in note for note in found.notes)


def test_joints_by_chance_have_little_support_and_stay_within_the_reach_of_chance() -> None:
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((5, 5, 20, 20)) * 0.1
    matrices = [noise[one, other] for one in range(5) for other in range(one + 1, 5)]
    own = np.ones((5, 5, 20))
    place = iter(matrices)
    for one in range(5):
        for other in range(one + 1, 5):
            own[one, other] = own[other, one] = np.diag(next(place))
    joints = find_joints(own, 0)
    assert all(joint.r <= reach_of_chance(matrices) for joint in joints)
    assert all(joint.support < 0.9 for joint in joints[:-1])
    assert (len(joints), joints[-1].members, joints[-1].support) == (4, frozenset(range(5)), 1.0)
    own[0, 1] = own[1, 0] = 0.9
    first = find_joints(own, 0)[0]
    assert (first.members, round(first.r, 6), first.support) == (frozenset({0, 1}), 0.9, 1.0)
