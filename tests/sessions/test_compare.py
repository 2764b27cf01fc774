"""What agrees and what differs: exact where it must be, tolerant where it may be."""

from __future__ import annotations

import random

import msgspec
import pytest

from explorer.base.records.models import ModelLoaded
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.base.records.verification import VerdictEvidence, VerificationResult
from explorer.base.templates import find_template
from explorer.specs.comparing.agreement import TOLERANCES, Agreement, Comparison, loosest
from explorer.specs.comparing.compare import compare
from explorer.specs.comparing.two_sample import two_sample_p
from tests.sessions.example_sessions import (
    exchanges,
    info,
    logprob_table,
    neighbourhood,
    probe,
    reply,
    verification_exchanges,
)

FLOAT32 = Comparison(TOLERANCES["float32"])
GREEDY = RepeatBack(model="mynah", token_id=5, template=find_template("repeat-1"))


def sampled(samples: int) -> RepeatBack:
    return msgspec.structs.replace(GREEDY, temperature=0.7, samples=samples)


LOGPROBS = exchanges()[5][0]
NEIGHBOURS = exchanges()[6][0]


def result(*replies) -> RepeatBackResult:  # type: ignore[no-untyped-def]
    return RepeatBackResult(model="mynah", template="repeat-1", probe=probe(*replies))


@pytest.mark.parametrize(("request_", "outcome"), exchanges())
def test_every_outcome_agrees_with_itself(request_: AnyRequest, outcome: AnyOutcome) -> None:
    assert compare(request_, outcome, outcome, FLOAT32).difference == ""


@pytest.mark.parametrize("dtype", list(TOLERANCES))
def test_a_logprob_may_differ_by_its_dtypes_tolerance_and_no_more(dtype: str) -> None:
    tolerance = TOLERANCES[dtype]
    for share, agrees in ((0.9, True), (1.1, False)):
        moved = logprob_table(-1.0, -2.0 + share * tolerance.logprob)
        found = compare(LOGPROBS, logprob_table(-1.0, -2.0), moved, Comparison(tolerance))
        assert (found.difference == "") == agrees
    assert "logprob" in found.difference


def test_the_loosest_dtype_of_those_that_took_part_counts() -> None:
    assert loosest(["float32", "bfloat16"]) == TOLERANCES["bfloat16"]
    assert loosest(["float16", "float32"]) == TOLERANCES["float16"]
    assert loosest([]) == loosest(["float64"]) == TOLERANCES["float32"]


def test_greedy_ids_and_text_are_compared_exactly() -> None:
    other_ids = compare(GREEDY, result(reply()), result(reply(ids=(5, 8))), Comparison(TOLERANCES["bfloat16"]))
    assert "reply_ids" in other_ids.difference
    other_text = compare(GREEDY, result(reply()), result(reply(text=" they")), Comparison(TOLERANCES["bfloat16"]))
    assert "reply" in other_text.difference
    close = msgspec.structs.replace(reply(), token_logprob=-0.25 + 5e-4, token_rank=1)
    assert compare(GREEDY, result(reply()), result(close), FLOAT32) == Agreement("")


def test_samples_from_the_same_seed_agree_as_such() -> None:
    same = result(reply(0), reply(1, "other", (9,)))
    assert "same seed" in compare(sampled(2), same, same, FLOAT32).how


def test_samples_of_other_draws_agree_unless_their_classes_are_told_apart() -> None:
    one = result(*(reply(n, "exact" if n % 2 else "other", (n,)) for n in range(20)))
    like = result(*(reply(n, "other" if n % 2 else "exact", (n, n)) for n in range(20)))
    unlike = result(*(reply(n, "loops", (n, n)) for n in range(20)))
    agreed = compare(sampled(20), one, like, FLOAT32)
    assert (agreed.difference, "two-sample" in agreed.how, agreed.by_test) == ("", True, True)
    differing = compare(sampled(20), one, unlike, FLOAT32)
    assert differing.difference
    assert "two-sample" in differing.how


def test_samples_of_another_prompt_are_not_excused_by_a_test() -> None:
    other = msgspec.structs.replace(probe(reply(ids=(1,))), prompt_ids=(9, 9))
    found = compare(sampled(1), result(reply()), msgspec.structs.replace(result(), probe=other), FLOAT32)
    assert "prompt_ids" in found.difference


SAME_RUN = Comparison(reproducible=True)


def test_on_the_same_numbers_a_seed_must_give_the_same_replies() -> None:
    one = result(*(reply(n, "other", (n,)) for n in range(8)))
    other = result(*(reply(n, "other", (n, 3)) for n in range(8)))
    assert "same seed" in compare(sampled(8), one, one, SAME_RUN).how
    found = compare(sampled(8), one, other, SAME_RUN)
    assert "reply_ids" in found.difference
    assert "same weights" in found.how
    assert compare(sampled(8), one, other, FLOAT32).difference == "", "elsewhere the counts decide"


@pytest.mark.parametrize("comparison", [SAME_RUN, Comparison()])
def test_replies_left_out_of_a_sample_are_no_sample(comparison: Comparison) -> None:
    whole = result(*(reply(n, "other", (n,)) for n in range(8)))
    for kept in (0, 1, 7):
        fewer = result(*whole.probe.replies[:kept])
        found = compare(sampled(8), fewer, whole, comparison)
        assert found.difference == f"probe.replies: {kept} were recorded, 8 were asked for"


@pytest.mark.parametrize("changes", [{"reply": "OWNED"}, {"outcome": "exact"}, {"token_logprob": -0.001}])
def test_no_test_excuses_what_is_told_of_the_same_ids(changes: dict[str, object]) -> None:
    one = result(*(reply(n, "other", (n,)) for n in range(8)))
    told = result(*(msgspec.structs.replace(each, **changes) for each in one.probe.replies))
    found = compare(sampled(8), told, one, FLOAT32)
    assert next(iter(changes)) in found.difference
    assert "same ids" in found.how


# ── what follows from other numbers ───────────────────────────────────────────────────────────────────────


def ranked_cell(logprob: float, rank: int | None) -> AnyOutcome:
    table = logprob_table(logprob)
    column = table.columns[0]
    cells = (msgspec.structs.replace(column.cells[0], rank=rank),)
    return msgspec.structs.replace(table, columns=(msgspec.structs.replace(column, cells=cells, top=()),))


@pytest.mark.parametrize(
    ("moved", "was", "came", "agrees"),
    [
        (0.0, 2919, 2919, True),
        (0.0, 0, 2919, False),
        (0.0, 2918, 2919, False),  # the very same number has the very same rank
        (1e-5, 2919, 2925, True),
        (1e-5, 2, 3, True),
        (1e-5, 2, 4, False),
        (1e-5, 0, 2919, False),
        (1e-5, -1, 0, False),
        (1e-5, None, 3, False),
    ],
)
def test_a_rank_is_held_to_what_its_logprob_leaves_open(moved: float, was: int | None, came: int, agrees: bool) -> None:
    found = compare(LOGPROBS, ranked_cell(-7.0, was), ranked_cell(-7.0 + moved, came), FLOAT32)
    assert (found.difference == "") == agrees
    assert agrees or "rank" in found.difference
    recorded, got = (
        result(msgspec.structs.replace(reply(), token_logprob=logprob, token_rank=rank))
        for logprob, rank in ((-7.0, was), (-7.0 + moved, came))
    )
    assert (compare(GREEDY, recorded, got, FLOAT32).difference == "") == agrees


def test_the_place_of_the_greatest_logprob_is_the_same_where_the_logprob_is() -> None:
    elsewhere = msgspec.structs.replace(reply(), token_position=1)
    assert "token_position" in compare(GREEDY, result(elsewhere), result(reply()), FLOAT32).difference
    nearly = msgspec.structs.replace(elsewhere, token_logprob=-0.2501, token_rank=7)
    assert compare(GREEDY, result(nearly), result(reply()), FLOAT32).difference == ""


def placed(points: list[tuple[float, float]]) -> AnyOutcome:
    drawn = neighbourhood()
    neighbours = tuple(
        msgspec.structs.replace(entry, x=x, y=y) for entry, (x, y) in zip(drawn.neighbours, points, strict=True)
    )
    return msgspec.structs.replace(drawn, neighbours=neighbours)


def test_a_picture_may_be_turned_and_flipped_and_no_more() -> None:
    points = [(0.1, 0.4), (-0.3, 0.2), (0.5, -0.1)]
    live = placed(points)
    for like in ([(-x, y) for x, y in points], [(y, -x) for x, y in points], [(x + 1e-5, y) for x, y in points]):
        assert compare(NEIGHBOURS, placed(like), live, FLOAT32).difference == ""
    unlike = [[(0.0, 0.0)] * 3, [points[1], points[0], points[2]], [(x, y + 0.01) for x, y in points],
              [(2 * x, 2 * y) for x, y in points], [(float("inf"), 0.0), *points[1:]]]  # fmt: skip
    for other in unlike:
        assert compare(NEIGHBOURS, placed(other), live, FLOAT32).difference.startswith("x, y")


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_numbers_under_another_models_name_differ() -> None:
    recorded = logprob_table(-1.0, models=("mynah", "lyrebird"))
    swapped = msgspec.structs.replace(recorded, columns=tuple(
        msgspec.structs.replace(column, model=name)
        for column, name in zip(recorded.columns, ("lyrebird", "mynah"), strict=True)
    ))  # fmt: skip
    assert "columns 1.model" in compare(LOGPROBS, swapped, recorded, FLOAT32).difference


def test_a_model_goes_by_the_name_that_it_was_given_and_by_no_other() -> None:
    recorded = logprob_table(-1.0, models=("mynah", "lyrebird"))
    live = logprob_table(-1.0, models=("mynah-2", "lyrebird"))
    mapped = Comparison(names={"mynah": "mynah-2"})
    assert compare(LOGPROBS, recorded, live, mapped).difference == ""
    assert "model" in compare(LOGPROBS, recorded, live, FLOAT32).difference
    assert "model" in compare(LOGPROBS, recorded, recorded, mapped).difference


def test_a_list_speaks_of_models_by_its_own_names() -> None:
    request, detail = exchanges("mynah")[2]
    live = msgspec.structs.replace(detail, model="heron")
    assert compare(request, detail, live, Comparison(names={"mynah": "heron"})).difference == ""


def test_the_name_of_a_definition_is_compared_and_its_prose_is_not() -> None:
    for request, found in verification_exchanges("plain")[:2]:
        assert isinstance(found, VerificationResult | VerdictEvidence)
        reworded = with_definition(found, title="a", rule="b", source="c", value="d")
        assert compare(request, reworded, found, FLOAT32).difference == ""
        assert ".name" in compare(request, with_definition(found, name="magikarp"), found, FLOAT32).difference


def with_definition(found: VerificationResult | VerdictEvidence, **changes: str) -> AnyOutcome:
    if isinstance(found, VerdictEvidence):
        return msgspec.structs.replace(found, definition=msgspec.structs.replace(found.definition, **changes))
    (definition,) = found.definitions
    return msgspec.structs.replace(found, definitions=(msgspec.structs.replace(definition, **changes),))


def test_near_ties_may_swap_places_and_others_may_not() -> None:
    recorded, live = neighbourhood(distances=(0.1, 0.2, 0.4)), neighbourhood(distances=(0.1, 0.2, 0.4))
    near = msgspec.structs.replace(recorded, neighbours=tuple(
        msgspec.structs.replace(entry, distance=0.2) for entry in recorded.neighbours
    ))  # fmt: skip
    swapped = msgspec.structs.replace(near, neighbours=near.neighbours[::-1])
    assert compare(NEIGHBOURS, near, swapped, FLOAT32).difference == ""
    turned = msgspec.structs.replace(live, neighbours=live.neighbours[::-1])
    assert "neighbours 1" in compare(NEIGHBOURS, recorded, turned, FLOAT32).difference


def test_a_digest_is_compared_exactly_and_the_rows_are_looked_at() -> None:
    request, outcome = exchanges()[1]
    other = msgspec.structs.replace(outcome, digest="e" * 32)
    found = compare(request, outcome, other, FLOAT32)
    assert "digest" in found.difference
    assert "rows shown agree" in found.difference


@pytest.mark.parametrize(
    ("fact", "value"),
    [("architecture", "LlamaForCausalLM"), ("vocab_size", 99), ("d_model", 4096), ("n_parameters", 7 * 10**9),
     ("n_layers", 96), ("context", 7), ("tokenizer_size", 9), ("tied", True), ("can_run", False)],
)  # fmt: skip
def test_what_is_told_of_a_model_is_compared(fact: str, value: object) -> None:
    load, told = exchanges()[0][0], msgspec.structs.replace(info(), **{fact: value})
    found = compare(load, ModelLoaded(info=told), ModelLoaded(info=info()), FLOAT32)
    assert found.difference.startswith(f"{fact}: ")


def test_names_dtypes_and_devices_of_a_model_may_differ_and_are_told() -> None:
    load = exchanges()[0][0]
    same = compare(
        load, ModelLoaded(info=info("a", dtype="float32")), ModelLoaded(info=info("b", dtype="float16")), FLOAT32
    )
    assert same.difference == ""
    assert same.how == "dtype: float32 was recorded, float16 came"
    other = compare(load, ModelLoaded(info=info()), ModelLoaded(info=info(digest="f" * 32)), FLOAT32)
    assert other.difference.startswith("weights")
    assert "tokenizer" not in other.difference


def test_a_failure_agrees_with_a_failure_and_with_nothing_else() -> None:
    assert compare(GREEDY, Failure(message="a"), Failure(message="b"), FLOAT32).difference == ""
    assert "failed" in compare(GREEDY, Failure(message="a"), result(reply()), FLOAT32).difference
    assert "RepeatBackResult" in compare(GREEDY, result(reply()), Failure(message="a"), FLOAT32).difference


# ── the two-sample test ───────────────────────────────────────────────────────────────────────────────────


def test_lots_from_one_distribution_are_rarely_told_apart() -> None:
    draw = random.Random(1)
    values = [
        two_sample_p(draw.choices("abc", (5, 3, 2), k=12), draw.choices("abc", (5, 3, 2), k=20)) for _ in range(200)
    ]
    assert sum(p < 0.05 for p in values) <= 20  # 10 expected; a valid test stays near or below
    assert sum(p < 0.5 for p in values) > 50  # and it is no test that never says anything


def test_the_p_value_is_that_of_fishers_exact_test() -> None:
    assert two_sample_p("a" * 5, "b" * 5) == pytest.approx(2 / 252, abs=3e-3)  # both extreme tables of C(10, 5)
    assert two_sample_p("aaab", "bbba") == pytest.approx(34 / 70, abs=0.02)


def test_the_order_of_the_lots_does_not_matter() -> None:
    assert two_sample_p("aab", "bbbbb") == pytest.approx(two_sample_p("bbbbb", "aab"), abs=0.02)


@pytest.mark.parametrize(("first", "second"), [("", "ab"), ("ab", ""), ("aaa", "aaaa"), ("", "")])
def test_nothing_can_be_told_from_nothing(first: str, second: str) -> None:
    assert two_sample_p(first, second) == 1.0
