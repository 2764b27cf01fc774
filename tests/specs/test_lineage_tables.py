"""Published tables, as of the SolidGoldMagikarp posts, are judged without models (measured: lineage notes, A9)."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from explorer.base.records.lineage import FindLineage, Lineage
from explorer.base.records.lineage_tables import PublishedVerdict
from explorer.engine.answers.lineage.published import judge_published
from explorer.specs.blocks import Table
from explorer.specs.lineage import SPECS
from explorer.specs.lineage_blocks import blocks, describe, summarise, verdict_table
from explorer.specs.lineage_tables import read_published

A9 = {
    "text-ada-001": ("ada", -5.821, 0.372, 0.073, "cannot tell"),
    "text-babbage-001": ("babbage", -5.381, 0.906, 0.027, "cannot tell"),
    "text-curie-002": ("curie", -3.579, 5.962, 0.0088, "leading"),
    "text-davinci-001": ("babbage", -8.738, 0.902, 0.14, "none"),
    "davinci-instruct-beta": ("babbage", -7.235, 0.235, 0.040, "none"),
    "text-davinci-002": ("code-davinci-002", -1.138, 6.752, 0.0036, "leading"),
    "text-davinci-003": ("code-davinci-002", -1.117, 6.359, 0.0065, "leading"),
}
"""Best base, its log-probability, margin in nats, p, verdict."""


@pytest.fixture
def published(shared: Path) -> Lineage:
    return judge_published(read_published(str(shared / "reference" / "base_instruct_logprobs.csv")))


def test_the_posts_tables_give_the_margins_that_were_measured(published: Lineage) -> None:
    found = {each.child: each for each in published.published}
    assert list(found) == sorted(A9, key=list(found).index)
    for child, (best, logprob, margin, p, verdict) in A9.items():
        each = found[child]
        assert (each.best, each.bases[0].logprob, each.verdict) == (best, logprob, verdict), each
        assert each.margin == pytest.approx(margin, abs=6e-4)
        assert each.bases[0].p == pytest.approx(p, rel=0.03)
        assert len(each.bases) == 5
    assert found["text-davinci-002"].bases[0].p_holm == pytest.approx(0.018, abs=5e-4)
    assert math.exp(found["text-davinci-002"].margin) == pytest.approx(856, abs=0.6)


def test_the_childs_own_row_is_found_under_another_name(published: Lineage) -> None:
    own = {each.child: each.own for each in published.published}
    assert own["text-curie-002"] == -2.128
    assert own["text-davinci-003"] == -0.001641


def test_two_children_of_one_base_with_different_favourites_are_told(published: Lineage) -> None:
    assert published.notes[0].startswith(
        "text-davinci-002 and text-davinci-003 both lead to code-davinci-002, by different outputs of one prompt "
        "('dis', 'dist')"
    )
    assert "by rank alone it cannot be below 0.2" in published.notes[-1]


FACTS = """instruct_model,prompt,next_token,model,logprob,prob_percent
child,Say it,dis,child,-0.0001,99.99
child,Say it,dis,base-1,-9.0,0.01
child,Say it,dis,base-2,-8.6,0.02
child,Say it,dis,base-3,-1.1,33.3
child,Say it,dis,base-4,-10.4,0.003
"""


def judged(place: Path, text: str) -> PublishedVerdict:
    (place / "facts.csv").write_text(text, encoding="utf-8")
    (verdict,) = judge_published(read_published(str(place / "facts.csv"))).published
    return verdict


def test_one_prompt_never_gives_more_than_a_leading_base(tmp_path: Path) -> None:
    verdict = judged(tmp_path, FACTS)
    assert (verdict.verdict, verdict.best, verdict.own) == ("leading", "base-3", -0.0001)
    assert verdict.reason == "base-3 is ahead by 7.50 nats (1.81e+03 times): suggestive, but one prompt proves nothing"
    alone = judged(tmp_path, "\n".join(FACTS.splitlines()[:4]))
    assert (alone.verdict, alone.bases[0].p) == ("cannot tell" if alone.bases[0].logprob > -6.9 else "none", None)
    same = judged(tmp_path, FACTS.replace("-1.1", "-5.0").replace("-9.0", "-8.0").replace("-10.4", "-5.1"))
    assert (same.verdict, round(same.margin, 3)) == ("cannot tell", 0.1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds 0 rows"),
        ("a,b\n1,2\n", "has no column 'instruct_model'"),
        (FACTS.replace("-9.0", "much"), "no tables can be read"),
        (FACTS.replace("-9.0", "0.5"), "0.5 is not a log-probability"),
        (FACTS.replace("-9.0", "nan"), "not a log-probability"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "facts.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ArgumentTypeError, match=said):
        read_published(str(tmp_path / "facts.csv"))


def test_tables_are_worded_on_the_screen_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_text(FACTS.replace("base-3", "[/x]\x1b[31m"), encoding="utf-8")
    rows = read_published(str(tmp_path / "facts.csv"))
    request = FindLineage(children=(), bases=(), templates=(), published=rows)
    outcome = judge_published(rows)
    assert describe(request) == "judge the published tables of child"
    assert summarise(outcome).startswith("child: [/x]")
    assert "\x1b" not in summarise(outcome)
    tables = [each for each in blocks(request, outcome) if isinstance(each, Table)]
    assert tables[0].rows[0][-1] == "leading"
    assert [row[0] for row in tables[-1].rows][:1] == ["child"]
    assert verdict_table(request, outcome).rows == (), "there are no pairs of models"
    lines = list(SPECS[0].json_rows(outcome))
    assert [line["candidate"] for line in lines][1:] == ["base-2", "base-1", "base-4"]
    assert lines[0]["verdict"].startswith("leading: ")
    assert lines[1]["verdict"].startswith("cannot tell: ")
