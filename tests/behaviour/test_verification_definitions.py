"""Each definition's rule, on evidence made up for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from explorer.base.records.verification import VERDICTS
from explorer.base.templates import SLOT
from explorer.engine.answers.verification.definitions import (
    DIALOGUE,
    MINER,
    MINER_QUESTION,
    PLAIN,
    RELEASED_REPEATS,
    REPEATS,
    SHOTS,
    SUBSTRING,
    Definition,
    all_definitions,
)
from explorer.engine.answers.verification.judging import Facts
from explorer.engine.answers.verification.questions import ENDED, REPLY_CLASSES, Evidence, Question
from tests.behaviour.behaviour_fakes import EOS, FakeVocabulary

VOCABULARY: Any = FakeVocabulary()
FOO, CAT, THE = (VOCABULARY.id_of(text) for text in (" Foo", " cat", " the"))
FRAGMENT = VOCABULARY.id_of(b"\xe4\xb8")


def answers(question: Question, ids: Sequence[int], probs: Sequence[Sequence[float]], replies: Any = None) -> Evidence:
    """Evidence with these P(token) at the first places, and these replies."""
    made = np.zeros(len(ids), dtype=question.dtype)
    made["token_id"], made["reply_ids"], made["logprobs"] = ids, ENDED, np.nan
    for row, numbers in enumerate(probs):
        made["logprobs"][row, : len(numbers)] = np.log(np.array(numbers, dtype=np.float64))
    for row, reply in enumerate(replies or []):
        made["reply_ids"][row, : len(reply)] = reply
    return made


def judge(
    name: str, ids: Sequence[int], evidence: dict[Question, Evidence], encodable: bool = True, **indicators: Any
) -> list[tuple[str, float]]:
    """The words and numbers of one definition."""
    facts = Facts(
        VOCABULARY, np.array(ids), {question.key: rows for question, rows in evidence.items()}, indicators,
        lambda question, token_id: encodable,
    )  # fmt: skip
    verdicts, values = definition(name, **indicators).judge(facts)
    assert verdicts.dtype == np.uint8
    assert values.dtype == np.float32
    return [(VERDICTS[code], float(value)) for code, value in zip(verdicts, values, strict=True)]


def definition(name: str, **indicators: Any) -> Definition:
    counted = np.ones(len(next(iter(indicators.values()), [])), dtype=bool)
    return all_definitions(indicators, counted)[name]


@pytest.mark.parametrize(
    ("prob", "verdict"),
    [(0.95, "rejected"), (0.5, "rejected"), (0.0999, "weak"), (0.0011, "weak"), (0.0009, "verified"), (0, "verified")],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_magikarp_takes_the_greatest_probability_over_prompts_and_places(prob: float, verdict: str) -> None:
    for best in (SHOTS, DIALOGUE, REPEATS):
        for place in range(3):
            evidence = {question: answers(question, [FOO], [[0, 0, 0]]) for question in (SHOTS, DIALOGUE, REPEATS)}
            evidence[best]["logprobs"][0, place] = np.log(prob) if prob else -np.inf
            ((word, value),) = judge("magikarp", [FOO], evidence)
            assert word == verdict
            assert value == pytest.approx(prob)


def test_magikarp_leaves_open_what_no_prompt_can_be_typed_for_unless_it_is_said() -> None:
    evidence = {question: answers(question, [FOO, CAT], [[1e-6], [0.4]]) for question in (SHOTS, DIALOGUE, REPEATS)}
    words = [word for word, _ in judge("magikarp", [FOO, CAT], evidence, encodable=False)]
    assert words == ["inconclusive", "rejected"]


@pytest.mark.parametrize("missing", [SHOTS, DIALOGUE, REPEATS])
@pytest.mark.parametrize(
    ("prob", "verdict"), [(0.95, "rejected"), (0.2, "rejected"), (0.02, "inconclusive"), (1e-6, "inconclusive")]
)
def test_magikarp_without_one_of_its_prompts_can_only_reject(missing: Question, prob: float, verdict: str) -> None:
    evidence = {question: answers(question, [FOO], [[1e-7, prob]]) for question in (SHOTS, DIALOGUE, REPEATS)}
    del evidence[missing]
    ((word, value),) = judge("magikarp", [FOO], evidence)
    assert word == verdict
    assert value == pytest.approx(prob), "the greatest of those asked is still told"
    assert judge("magikarp", [FOO], {})[0][0] == "inconclusive"


def test_magikarp_counts_an_answer_without_numbers_as_missing() -> None:
    evidence = {question: answers(question, [FOO], [[1e-6]]) for question in (SHOTS, DIALOGUE)}
    evidence[REPEATS] = answers(REPEATS, [FOO], [[]])
    assert judge("magikarp", [FOO], evidence)[0][0] == "inconclusive"


def test_the_released_code_repeats_a_hundred_and_one_times_and_the_paper_fifty() -> None:
    assert REPEATS.template.question.count(SLOT) == 50
    assert RELEASED_REPEATS.template.question.count(SLOT) == 101
    assert REPEATS.key != RELEASED_REPEATS.key


def test_glitchminer_asks_only_for_the_likeliest_token() -> None:
    evidence = {MINER: answers(MINER, [FOO, CAT, EOS], [[0.3], [0.3], [0.9]], [[FOO], [THE], []])}
    words = [word for word, _ in judge("glitchminer", [FOO, CAT, EOS], evidence)]
    assert words == ["rejected", "verified", "rejected"], "to end is to say the end-of-text token"


@pytest.mark.parametrize("saying", [(), (0,), (1,), (2,), (0, 1, 2)])
def test_strictly_a_glitch_fails_all_three_forms(saying: tuple[int, ...]) -> None:
    forms = (MINER, DIALOGUE, MINER_QUESTION)
    evidence = {
        form: answers(form, [FOO], [[0.2, 0.9][: form.tokens]], [[FOO if place in saying else THE]])
        for place, form in enumerate(forms)
    }
    ((word, value),) = judge("glitchminer-strict", [FOO], evidence)
    assert word == ("rejected" if saying else "verified")
    assert value == pytest.approx(0.2), "only the first place counts"
    del evidence[MINER]
    assert judge("glitchminer-strict", [FOO], evidence)[0][0] == ("rejected" if set(saying) - {0} else "inconclusive")


def test_a_substring_counts_by_id_by_text_and_in_any_case() -> None:
    lower = [VOCABULARY.id_of(text) for text in (" ", "f", "o", "o")]
    replies = [[THE, FOO], lower, [THE], [], [VOCABULARY.id_of(b"\xe4"), VOCABULARY.id_of(b"\xb8")]]
    ids = [FOO, FOO, FOO, FOO, FRAGMENT]
    evidence = {SUBSTRING: answers(SUBSTRING, ids, [[0.1]] * 5, replies)}
    words = [word for word, _ in judge("substring", ids, evidence)]
    assert words == ["rejected", "rejected", "verified", "verified", "verified"], "a fragment is looked for by its id"


def test_the_plain_question_goes_by_the_class_of_the_reply() -> None:
    spelled = [VOCABULARY.id_of(letter) for letter in "F-o-o"]
    evidence = {PLAIN: answers(PLAIN, [FOO] * 4, [[0.1]] * 4, [[FOO], [THE, FOO, CAT], spelled, [CAT]])}
    words = [word for word, _ in judge("plain", [FOO] * 4, evidence)]
    assert words == ["rejected", "rejected", "weak", "verified"]


@pytest.mark.parametrize(("exact", "verdict"), [(0, "verified"), (1, "weak"), (4, "inconclusive"), (8, "rejected")])
def test_the_sampled_rate_is_judged_by_its_interval(exact: int, verdict: str) -> None:
    (question,) = definition("sampled").questions
    made = np.full(1, REPLY_CLASSES.index("other"), dtype=question.dtype)
    made["classes"] = [[REPLY_CLASSES.index("exact" if place < exact else "contains") for place in range(8)]]
    ((word, value),) = judge("sampled", [FOO], {question: made})
    assert (word, value) == (verdict, exact / 8)


def test_geometry_calls_what_lies_below_the_knee() -> None:
    random = np.random.default_rng(0)
    column = np.concatenate([random.normal(0.1, 0.01, 50), random.normal(1, 0.1, 2000), [np.nan]]).astype(np.float32)
    found = judge("geometric:input_norm", range(len(column)), {}, input_norm=column)
    assert [word for word, _ in found] == ["verified"] * 50 + ["rejected"] * 2000 + ["inconclusive"]
    assert "below" in definition("geometric:input_norm", input_norm=column).rule


def test_damaged_logits_give_no_verdict() -> None:
    evidence = {
        question: answers(question, [FOO], [[]], [[CAT]])
        for question in (SHOTS, DIALOGUE, REPEATS, MINER, MINER_QUESTION, SUBSTRING, PLAIN)
    }
    for name in ("magikarp", "glitchminer", "glitchminer-strict", "substring", "plain"):
        assert judge(name, [FOO], evidence)[0][0] == "inconclusive", name


def test_every_definition_says_what_it_is_and_where_from() -> None:
    known = all_definitions({"input_norm": np.ones(9, dtype=np.float32)}, np.ones(9, dtype=bool))
    for name, one in known.items():
        assert one.name == name
        assert all((one.title, one.rule, one.source, one.value))
    assert len({question.key for one in known.values() for question in one.questions}) == 9


def test_evidence_is_kept_apart_by_everything_that_changes_it() -> None:
    base = Question(MINER.template, 1)
    import msgspec

    other_source = Question(msgspec.structs.replace(MINER.template, source="elsewhere"), 1)
    other_words = Question(msgspec.structs.replace(MINER.template, prefill=" So: «"), 1)
    variants = [base, other_words, Question(MINER.template, 2), Question(MINER.template, 1, chat="never"),
                Question(MINER.template, 1, samples=2, temperature=0.7),
                Question(MINER.template, 1, samples=2, temperature=0.7, seed=1)]  # fmt: skip
    assert len({one.key for one in variants}) == len(variants)
    assert other_source.key == base.key
