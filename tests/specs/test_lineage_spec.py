"""How lineage is worded: verdicts, none of these, and what cannot be told."""

from __future__ import annotations

import pytest

from explorer.base.records.lineage import PROMPTS, FindLineage, Lineage, LineagePair, Verdict
from explorer.base.templates import find_template
from explorer.specs.blocks import Table
from explorer.specs.lineage_blocks import blocks, small, summarise

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
    assert small(p) == text
