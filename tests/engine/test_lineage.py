"""Lineage on the zoo, where it is known which model came from which (measured: lineage notes, A1 to A6)."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.lineage import PROMPTS, FindLineage, Lineage, LineagePair, LineagePart
from explorer.base.records.unions import Cancelled
from explorer.base.templates import find_template
from explorer.engine import control
from explorer.engine.answers.lineage.asked import Answers, Matter, ask_all, know
from explorer.engine.answers.lineage.kept import KeptAnswers
from explorer.engine.answers.lineage.rungs import Pair, summed
from explorer.engine.control import Control
from explorer.engine.core.lineage import exact
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import Continuation, running
from explorer.engine.queue import Work
from explorer.zoo import ground_truth
from tests.behaviour.behaviour_fakes import run_through
from tests.engine_work import answer, outcome_of, without_weights

BASES = ("mynah", "lyrebird", "starling")
CHILDREN = {"mynah-instruct": "mynah", "lyrebird-instruct": "lyrebird"}
DEEP = ("forward", "permute", "flip_signs", "shared_tokens", "compare_rows", "assign", "compare_grams")
"""Functions in which a lineage on a real model spends seconds."""
TEMPLATES = tuple(map(find_template, PROMPTS))


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    for name in (*BASES, *CHILDREN, "mynah-sibling"):
        engine.models.load(f"zoo:{name}", device="cpu")
    return engine


def found(engine: Engine, *, weights: bool = False, **asked: Any) -> Lineage:
    """Without the tests of weights, which give no verdict, take half of the time, and have tests of their own."""
    wanted: dict[str, Any] = {"children": tuple(CHILDREN), "bases": BASES, "templates": TEMPLATES} | asked
    with nullcontext() if weights else without_weights():
        outcome = answer(engine, FindLineage(**wanted))
    assert isinstance(outcome, Lineage)
    return outcome


def yield_into(parts: list[object], work: Work) -> object:
    """The outcome of `work`; its parts are in `parts` as soon as they come."""
    while True:
        try:
            parts.append(next(work))
        except StopIteration as ended:
            return ended.value


def related(outcome: Lineage) -> list[tuple[str, str]]:
    return [(pair.child, pair.candidate) for pair in outcome.pairs if pair.verdict == "related"]


def pair_of(outcome: Lineage, child: str, candidate: str) -> LineagePair:
    return next(pair for pair in outcome.pairs if (pair.child, pair.candidate) == (child, candidate))


@pytest.mark.parametrize(("chat", "seed"), [("never", 0), ("never", 1), ("auto", 0), ("auto", 2)])
def test_every_child_finds_its_base_alone(engine: Engine, chat: str, seed: int) -> None:
    outcome = found(engine, chat=chat, seed=seed)
    assert related(outcome) == list(CHILDREN.items())
    for child, base in CHILDREN.items():
        true = pair_of(outcome, child, base)
        assert (true.tokens, true.gate) == (20, "passed: never trained (zoo card)")
        assert true.outputs > 2_000
        assert true.p is not None
        assert true.p <= 1e-15
        top = next(rung for rung in true.rungs if rung.name == "B1 top-20")
        assert top.p is not None
        assert top.p <= 1e-12
        assert true.reason == "as near as a fine-tune"
        assert true.r is not None
        assert true.r_low is not None
        assert true.r_high is not None
        assert 0.6 < true.r_low < true.r < true.r_high
    assert any("asked in their chat format" in note for note in outcome.notes) == (chat == "auto")


@pytest.mark.parametrize("seed", range(5))
def test_without_its_family_a_child_comes_from_none_of_these(engine: Engine, seed: int) -> None:
    for child, base in CHILDREN.items():
        others = tuple(each for each in BASES if each != base)
        outcome = found(engine, children=(child,), bases=others, seed=seed)
        assert [pair.verdict for pair in outcome.pairs] == ["none", "none"]
        assert all(pair.r is not None and abs(pair.r) < 0.1 for pair in outcome.pairs)


def test_ten_tokens_are_enough_and_five_are_not(engine: Engine) -> None:
    ten = pair_of(found(engine, children=("mynah-instruct",), count=10), "mynah-instruct", "mynah")
    assert ten.p_holm is not None
    assert ten.p_holm <= 1e-5
    five = pair_of(found(engine, children=("mynah-instruct",), count=5), "mynah-instruct", "mynah")
    assert (five.verdict, five.p_holm) == ("cannot tell", None)
    assert "7 tokens or more are needed" in five.reason
    assert "p cannot be below 0.0083" in five.reason


def test_ordinary_tokens_fail_the_gate_and_give_no_verdict(engine: Engine) -> None:
    """On ordinary tokens every pair of strangers is at the floor: the permutation is wrong there, always."""
    counts = ground_truth("mynah")["counts"]
    ordinary = tuple(int(token_id) for token_id in np.argsort(counts)[::-1][300:320])
    outcome = found(engine, children=("lyrebird-instruct",), bases=("mynah",), token_ids=ordinary)
    (pair,) = outcome.pairs
    assert pair.verdict == "cannot tell"
    assert pair.gate == "failed: 20 of 20 tokens were trained (zoo card)"
    assert pair.z is not None
    assert pair.z > 3, "which is why there must be no verdict"


def test_a_stranger_that_answers_alike_fails_the_gate(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zoo card the negative controls find it: mynah and lyrebird learned these tokens from the same data."""
    monkeypatch.setattr("explorer.engine.answers.lineage.asked.zoo_name", lambda source: None)
    counts = ground_truth("mynah")["counts"]
    ordinary = tuple(int(token_id) for token_id in np.argsort(counts)[::-1][300:320])
    outcome = found(
        engine, children=("mynah-instruct",), bases=("mynah",), references=("lyrebird",), token_ids=ordinary
    )
    (pair,) = outcome.pairs
    assert pair.verdict == "cannot tell"
    assert pair.gate.startswith("failed: lyrebird, a stranger, answers alike")
    assert {rung.name for rung in pair.rungs} >= {"gate: lyrebird", "B3 lyrebird", "B2 spelling"}


def test_strangers_pass_as_negative_controls_on_tokens_that_were_never_trained(engine: Engine) -> None:
    outcome = found(engine, children=("mynah-instruct",), bases=("mynah",), references=("lyrebird", "starling"))
    (pair,) = outcome.pairs
    assert pair.gate == "passed: never trained (zoo card), 2 strangers independent"
    for name in ("lyrebird", "starling"):
        assert all(rung.p is not None and rung.p > 0.01 for rung in pair.rungs if rung.name == f"gate: {name}")
        assert all(rung.p is not None and rung.p < 1e-3 for rung in pair.rungs if rung.name == f"B3 {name}")


def test_a_sibling_is_told_as_shared_initialisation_and_the_base_as_nearer(engine: Engine) -> None:
    outcome = found(engine, children=("mynah-instruct",), bases=("mynah", "mynah-sibling"))
    sibling = pair_of(outcome, "mynah-instruct", "mynah-sibling")
    assert sibling.p is not None
    assert sibling.p <= 1e-6
    assert sibling.r is not None
    assert 0.15 <= sibling.r <= 0.35
    assert sibling.reason == "as near as a shared initialisation or ancestor"
    (said,) = outcome.closest
    assert said.startswith("mynah-instruct: mynah is nearer than mynah-sibling (p ")


def test_a_zoo_card_is_surer_than_spelling(engine: Engine) -> None:
    """By chance the sibling answers these ids and their spellings alike; that they were never trained is known."""
    (pair,) = found(engine, children=("mynah-instruct",), bases=("mynah-sibling",), seed=1).pairs
    spelling = next(rung for rung in pair.rungs if rung.name == "gate: spelling")
    assert spelling.p is not None
    assert spelling.p < 0.01
    assert (pair.verdict, pair.gate) == ("related", "passed: never trained (zoo card)")


def test_favourites_are_told_in_the_form_of_the_posts(engine: Engine) -> None:
    outcome = found(engine, children=("mynah-instruct",), bases=("mynah", "lyrebird"))
    assert len(outcome.favourites) == 20 * len(TEMPLATES)
    lifts = [[said.lift for said in each.bases] for each in outcome.favourites]
    own, stranger = (np.median([lift[place] for lift in lifts]) for place in (0, 1))
    assert own > 1.0 > abs(stranger)
    assert all(each.logprob <= 0 for each in outcome.favourites)


def test_a_prompt_with_one_favourite_says_that_it_tells_nothing(engine: Engine) -> None:
    outcome = found(engine, children=("mynah-instruct",), bases=("mynah",), templates=(find_template("repeat-1"),))
    assert outcome.notes == ("mynah-instruct, repeat-1: 1 distinct favourite: this prompt tells nothing",)


def test_the_same_seed_gives_the_same_outcome(engine: Engine) -> None:
    asked: dict[str, Any] = {"children": ("mynah-instruct",), "bases": ("mynah",), "weights": True}
    outcome = found(engine, seed=3, **asked)
    assert outcome == found(engine, seed=3, **asked)
    assert outcome.favourites != found(engine, seed=4, **asked).favourites


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"children": ()}, "a child and a base are needed"),
        ({"bases": ("mynah-instruct",)}, "named as a base and as something else"),
        ({"references": ("mynah-instruct",)}, "a child cannot be a reference"),
        ({"templates": ()}, "no prompt was chosen"),
        ({"count": 1}, "2 to 200"),
        ({"token_ids": (1, 99_999)}, "99,999"),
        ({"bases": ("nosuch",)}, "no model 'nosuch'"),
    ],
)
def test_what_makes_no_sense_is_refused(engine: Engine, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ExplorerError, match=said):
        found(engine, **asked)


def test_it_stops_between_prompts(engine: Engine) -> None:
    request = FindLineage(children=("mynah-instruct",), bases=("mynah",), templates=TEMPLATES)
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 2

    parts, outcome = run_through(engine.begin(request, Control(cancelled=cancelled, tell=lambda part: None)))
    assert outcome == Cancelled()
    assert len([part for part in parts if "prompts of" in getattr(part, "what", "")]) == 2


def test_a_stopped_question_keeps_the_children_that_were_done_and_goes_on_where_it_was(engine: Engine) -> None:
    engine.said.make_room(())
    request = FindLineage(children=tuple(CHILDREN), bases=("mynah",), templates=TEMPLATES)
    parts: list[object] = []
    work = engine.begin(request, Control(cancelled=lambda: any(isinstance(p, LineagePart) for p in parts), tell=print))
    stopped = yield_into(parts, work)
    assert isinstance(stopped, Cancelled)
    assert isinstance(stopped.partial, Lineage)
    assert [(pair.child, pair.verdict) for pair in stopped.partial.pairs] == [("mynah-instruct", "related")]
    asked: list[int] = []
    model = running(engine.models.get("mynah"))
    with pytest.MonkeyPatch.context() as patched:
        start = model.start

        def counting(prompts: Sequence[Sequence[int]]) -> Continuation:
            asked.append(len(prompts))
            return start(prompts)

        patched.setattr(model, "start", counting)
        whole = found(engine, bases=("mynah",), weights=True)
    assert whole.pairs[:1] == stopped.partial.pairs
    assert sum(asked) == 0, "the base has said all of it before"


def test_what_was_said_makes_room_for_other_models(engine: Engine) -> None:
    model, other = (running(engine.models.get(name)) for name in ("mynah", "lyrebird"))
    kept = KeptAnswers(most_bytes=100)
    template = TEMPLATES[0]
    kept.of(model, "never").rows[template, (1,)] = np.zeros(50, dtype=np.float32)
    kept.make_room([other])
    assert kept.of(model, "never").rows == {}
    kept.of(other, "never").rows[template, (1,)] = np.zeros(20, dtype=np.float32)
    kept.make_room([model])
    assert list(kept.of(other, "never").rows) == [(template, (1,))]


def test_p_falls_as_tokens_are_added(engine: Engine) -> None:
    true, stranger = found(engine, children=("mynah-instruct",), bases=("mynah", "lyrebird")).pairs
    assert len(true.falling) == 19
    assert true.falling[0] > true.falling[4] > true.falling[-1]
    assert true.falling[-1] < 1e-15
    assert min(stranger.falling) > 0.001


def test_ordinary_tokens_that_look_least_trained_are_asked_about_where_an_indicator_is_named(engine: Engine) -> None:
    (pair,) = found(engine, children=("mynah-instruct",), bases=("mynah",), indicator="input_norm").pairs
    assert pair.tokens == 20
    columns = outcome_of(engine.vocabularies.read(running(engine.models.get("mynah")), None)).columns
    usable = columns.is_candidate & ~columns.is_reference
    least = np.argsort(np.where(usable, columns.indicators["input_norm"], np.inf), kind="stable")[:20]
    vocabulary = running(engine.models.get("mynah")).vocabulary
    assert pair.token_bytes == tuple(vocabulary.token_bytes(int(each)).hex() for each in least)
    never = set(np.flatnonzero(columns.flags["withheld"]).tolist())
    assert set(least.tolist()) <= never, "so that the gate lets them pass"
    assert (pair.verdict, pair.gate) == ("related", "passed: never trained (zoo card)")


def test_strangers_are_independent_on_all_tokens_that_were_never_trained(engine: Engine) -> None:
    """At full size, where the smallest dependence would show: a child of the family has a z of 110 there.

    Six models are three independent pairs of strangers, too few to see whether p is uniform: that is tested on made-up
    models (tests/core), and was on 376 disjoint tests of nine families that do not come with the program.
    """
    families = (("mynah", "mynah-instruct", "mynah-sibling"), ("lyrebird", "lyrebird-instruct"), ("starling",))
    request = FindLineage(children=("mynah",), bases=("mynah",), templates=TEMPLATES[::2])
    known = {}
    for name in chain(*families):
        model = running(engine.models.get(name))
        read = outcome_of(engine.vocabularies.read(model, None))
        known[name] = Answers(know(name, model, read), "never")
    tokens = tuple(sorted(set.intersection(*(set(each.known.never) for each in known.values()))))
    assert len(tokens) > 400
    for _ in ask_all([(each, [(token_id,) for token_id in tokens]) for each in known.values()], request.templates):
        pass
    found: dict[tuple[str, str], float] = {}
    for one, other in combinations(chain(*families), 2):
        outputs = np.array(sorted(set(range(3_000)) - known[one].known.unfit - known[other].known.unfit))
        matter = Matter(tuple(str(each).encode() for each in tokens), tokens, tokens, outputs, outputs)
        permuted = exact.permute(summed("r", Pair(known[one], known[other], matter, ()), request), 0, draws=99)
        assert permuted is not None
        found[one, other] = permuted.z
    related = {pair for family in families for pair in combinations(family, 2)}
    assert all(found[pair] > 30 for pair in related), found
    assert all(abs(z) < 3 for pair, z in found.items() if pair not in related), found


def test_a_cancellation_is_heard_inside_a_rung_and_inside_a_call_of_a_model(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the queue's flag is set, nothing but the look that follows it is done."""
    sites: list[str] = []
    stop_at = ""

    def cancelled() -> bool:
        frames = [frame.name for frame in traceback.extract_stack()]
        sites.extend(each for each in DEEP if each in frames)
        return bool(stop_at) and stop_at in frames

    watched = Control(cancelled=cancelled, tell=print)
    monkeypatch.setattr(control._at_work, "control", watched, raising=False)
    request = FindLineage(
        children=("mynah-instruct",), bases=("mynah",), references=("lyrebird",), templates=TEMPLATES[:1], count=7
    )
    for stop_at in ("", *DEEP):
        monkeypatch.setattr(engine, "said", KeptAnswers())
        outcome = outcome_of(engine.begin(request, watched))
        assert isinstance(outcome, Cancelled if stop_at else Lineage), stop_at
    assert set(sites) == set(DEEP)
