"""How lineage is worded: verdicts, none of these, and what cannot be told."""

from __future__ import annotations

import msgspec
import pytest

from explorer.base.numbers import format_p
from explorer.base.records.lineage import PROMPTS, FindLineage, Lineage, LineagePair, Rung, Verdict
from explorer.base.records.lineage_children import Bifurcation, Branch, Collapse, Fork
from explorer.base.records.tokens import TokenRef
from explorer.base.templates import find_template
from explorer.specs.blocks import Table, Words
from explorer.specs.comparing.agreement import Comparison
from explorer.specs.lineage_blocks import blocks, describe, summarise
from explorer.specs.lineage_children import of_children
from explorer.specs.registry import spec_of

TEMPLATES = tuple(map(find_template, PROMPTS))


def pair(candidate: str, verdict: Verdict, child: str = "child") -> LineagePair:
    return LineagePair(
        child=child, candidate=candidate, verdict=verdict, reason="why", gate="passed", tokens=20, outputs=9, r=0.5,
        p_holm=2e-18,
    )  # fmt: skip


def outcome(*verdicts: Verdict, child: str = "child") -> Lineage:
    pairs = tuple(pair(f"base-{place}", verdict, child) for place, verdict in enumerate(verdicts))
    return Lineage(pairs=pairs, favourites=())


@pytest.mark.parametrize(
    ("verdicts", "said", "row"),
    [
        (("related", "none"), "child: base-0 (r 0.5, p 2e-18)", "no"),
        (("none", "none"), "child: none of these", "yes"),
        (("none", "cannot tell"), "child: cannot tell", "cannot tell"),
        (("related", "cannot tell"), "child: base-0 (r 0.5, p 2e-18)", "no"),
    ],
)
def test_none_of_these_is_a_row_like_any_other(verdicts: tuple[Verdict, ...], said: str, row: str) -> None:
    found = outcome(*verdicts)
    assert summarise(found) == said
    request = FindLineage(children=("child",), bases=("base-0", "base-1"), templates=TEMPLATES)
    table = next(iter(blocks(request, found)))
    assert isinstance(table, Table)
    assert table.title.startswith("child: 4 prompts, alpha 0.001")
    assert table.heads[:2] == ("candidate", "verdict")
    assert table.rows[-1][:2] == ("none of these", row)
    assert [line[1] for line in table.rows[:-1]] == list(verdicts)


def test_several_children_have_a_column() -> None:
    request = FindLineage(children=("one", "other"), bases=("base-0",), templates=TEMPLATES)
    pairs = (*outcome("none", child="one").pairs, *outcome("related", child="other").pairs)
    table = next(iter(blocks(request, Lineage(pairs=pairs, favourites=()))))
    assert isinstance(table, Table)
    assert [row[:3] for row in table.rows] == [
        ("one", "base-0", "none"),
        ("one", "none of these", "yes"),
        ("other", "base-0", "related"),
        ("other", "none of these", "no"),
    ]
    assert table.strong == {1, 2}


@pytest.mark.parametrize(
    ("p", "text"), [(None, "–"), (0.0833, "0.083"), (4.1e-19, "4e-19"), (1e-5, "1e-5"), (1.0, "1.000")]
)
def test_small_p_values_keep_their_size(p: float | None, text: str) -> None:
    assert format_p(p) == text


def parted(said: str = "") -> Lineage:
    word, other = (TokenRef(token_id=each, token_bytes=text.hex(), text="") for each, text in enumerate((b" a", b" b")))
    branches = (
        Branch(child="one", output=word, logprob=-0.5, base_logprob=-1.0, sister_logprob=-3.0),
        Branch(child="other", output=other, logprob=-0.7, base_logprob=-1.2, sister_logprob=-4.0),
    )
    fork = Fork(template="word-is", token=word, branches=branches)
    found = Bifurcation(
        base="base-0", children=("one", "other"), cells=80, attractors=5.7, same=14, apart=17, null=4.45, p=1e-5,
        forks=(fork,) * 5,
    )  # fmt: skip
    if said:
        found = Bifurcation(base="", children=("one", "other"), said=said)
    surer = Collapse(
        child="one", base="base-0", verdict="collapse", tokens=-3.77, controls=-0.68, low=-3.51, high=-2.64,
        sure_base=0.0, sure_child=0.29, counted=20,
    )  # fmt: skip
    pairs = (*outcome("related", child="one").pairs, *outcome("related", child="other").pairs)
    return Lineage(pairs=pairs, favourites=(), bifurcations=(found,), collapses=(surer,))


def test_where_two_children_part_is_told_beside_chance() -> None:
    words, cells, entropies = of_children(parted())
    assert isinstance(words, Words)
    assert "in 17 of 80 cells (a token in a prompt) one and other say different attractors of base-0" in words.text
    assert "by chance in 4.5 (p 1e-5); in 14 they say the same one" in words.text
    assert isinstance(cells, Table)
    assert cells.title == "the 4 surest of 17 cells in which two children of one base part"
    assert cells.rows[:2] == (
        ("·a", "word-is", "one", "·a", "-0.5000 / 60.65%", "-1.000 / 36.79%", "-3.000 / 4.979%"),
        ("·a", "word-is", "other", "·b", "-0.7000 / 49.66%", "-1.200 / 30.12%", "-4.000 / 1.832%"),
    )
    assert isinstance(entropies, Table)
    assert entropies.rows == (("one", "base-0", "collapse", "-3.77", "-0.68", "-3.51 to -2.64", "29% (0%)"),)


def test_children_that_are_not_compared_say_why() -> None:
    words = next(iter(of_children(parted("not asked: they are strangers"))))
    assert words == Words("bifurcation of one and other not asked: they are strangers")


def test_a_summary_tells_of_children_that_part_or_collapsed() -> None:
    assert summarise(parted()) == (
        "one: base-0 (r 0.5, p 2e-18); other: base-0 (r 0.5, p 2e-18); one and other part in 17 of 80 cells "
        "(by chance 4.5); entropy of one collapsed"
    )
    assert "part" not in summarise(parted("not asked: they are strangers"))


def test_a_question_tells_what_else_it_asks() -> None:
    request = FindLineage(children=("one",), bases=("base-0",), templates=TEMPLATES, chat="auto", samples=8)
    said = "find which of base-0 one comes from, in the chat format, with 8 samples a token"
    assert describe(request) == said


def test_json_tells_children_with_their_pair() -> None:
    request = FindLineage(children=("one", "other"), bases=("base-0",), templates=TEMPLATES)
    rows = list(spec_of(request).json_rows(parted()))
    assert [row["child"] for row in rows] == ["one", "other"]
    assert [row["bifurcations"][0]["apart"] for row in rows] == [17, 17]
    assert rows[0]["collapse"]["verdict"] == "collapse"
    assert rows[1]["collapse"] is None


@pytest.mark.parametrize(
    ("fixed", "p", "agrees"),
    [(36, 2e-40, True), (33, 2e-36, True), (32, 2e-34, False), (36, 0.5, False)],
    ids=["two exchanged", "still two", "three fewer", "decides otherwise"],
)
def test_a_matching_may_exchange_two_tokens_that_are_nearly_as_good(fixed: int, p: float, agrees: bool) -> None:
    def found(fixed: int, p: float) -> Lineage:
        rung = Rung(name="B1 top-20", null="answers", p=p, z=9.0, fixed=fixed, tokens=40)
        whole = msgspec.structs.replace(pair("base-0", "related"), rungs=(rung,))
        return Lineage(pairs=(whole,), favourites=())

    request = FindLineage(children=("child",), bases=("base-0",), templates=TEMPLATES)
    agreement = spec_of(request).compare(request, found(35, 1e-38), found(fixed, p), Comparison())
    assert (agreement.difference == "") == agrees


@pytest.mark.parametrize(("came", "agrees"), [(0.0132981, True), (0.0142, False), (-0.0132965, False)])
def test_a_similarity_near_0_is_held_to_its_own_unit(came: float, agrees: bool) -> None:
    def found(own: float) -> Lineage:
        whole = msgspec.structs.replace(pair("base-0", "related"), token_bytes=("61",), own=(own,), others=(0.0,))
        return Lineage(pairs=(whole,), favourites=())

    request = FindLineage(children=("child",), bases=("base-0",), templates=TEMPLATES)
    agreement = spec_of(request).compare(request, found(0.0132965), found(came), Comparison())
    assert (agreement.difference == "") == agrees
