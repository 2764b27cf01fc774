"""Published lists: read from the authors' own files, matched by id and bytes, flagged and scored."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from explorer.base import token_lists
from explorer.base.errors import ExplorerError
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.self_test import SelfTest, SelfTestResult
from explorer.base.records.token_lists import ListedToken, MatchTokenList, TokenListMatched
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.base.token_lists import read_token_list, spell_as_report
from explorer.engine.answers.verification import definitions
from explorer.engine.handlers import Engine
from explorer.tables.filters import parse_filter
from explorer.tables.table import TokenColumns
from tests.engine_work import answer

SPAN = "<span style='border: 1px solid rgb(169, 68, 66);'>"
HEAD = "|   token_id | token    |   indicator | max_prob | in_other_tokens |\n|-----|-----|-----|-----|-----|"
REPORT = f"""# Report for `someone/mynah-7B`

## Under-trained token verification results
3 entries below threshold of 0.040

{HEAD}
|      26392 | ````` ▁}});\\r ````` |  0.0054809  | {SPAN}8.3e-06</span> | ````` ▁}});\\r\\n ````` |
|      19248 | ````` NdEx `````    |  0.00231    | {SPAN}0.56</span>    |                 |
<details><summary>1 additional entries below threshold</summary>

{HEAD}
|        907 | ````` a\\|b `````    |   1.01e-02  | {SPAN}0.001</span>   | {SPAN}````` x `````</span> |
</details>
<details><summary>1 additional entries above threshold</summary>

{HEAD}
|          5 | ````` x ````` | 0.05  | {SPAN}1e-06</span>   |                 |
</details>

## Byte tokens
|   token_id | token   |   indicator | ord |
|------------|---------|-------------|-----|
|        177 | ````` <0xF5> ````` | 0.001 | 245 |
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    assert isinstance(answer(engine, LoadModel(source="zoo:mynah")), ModelLoaded)
    return engine


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


def test_a_report_lists_what_its_authors_verified_below_their_threshold(tmp_path: Path) -> None:
    found = read_token_list(write(tmp_path, "someone_mynah.md", REPORT))
    assert (found.name, found.of_model, found.spelled) == ("someone_mynah.md", "someone/mynah-7B", "report")
    assert found.tokens == (
        ListedToken(token_id=26392, spelling="▁});\\r", indicator=0.0054809, max_prob=8.3e-06),
        ListedToken(token_id=907, spelling="a\\|b", indicator=0.0101, max_prob=0.001),
    )


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_a_verification_file_lists_the_verified_tokens(tmp_path: Path, name: str) -> None:
    probs = {7: [1e-5, 9e-3], 8: [1e-5, 0.2], 9: None}
    lines = [
        {"i": one, "raw_vocab": f"Ġw{one}", "category": "OK", "decoded": f" w{one}", "indicators": [0.5 + one, 2.0]}
        | ({"verification": [{"max_prob": prob} for prob in found]} if found else {})
        for one, found in probs.items()
    ]
    found = read_token_list(write(tmp_path, name, "\n".join(map(json.dumps, lines)) + "\n\n"))
    assert found.tokens == (ListedToken(token_id=7, spelling=" w7", indicator=7.5, max_prob=9e-3),)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.md", "# nothing here\n"),
        ("x.jsonl", "{"),
        ("x.jsonl", '{"verification": [{"max_prob": 0.001}]}'),
        ("x.jsonl", "[" * 100_000),
        ("x.jsonl", '["a list"]'),
        ("x.csv", "id,text\n1,a\n"),
        ("x.txt", "5"),
        ("x.jsonl.gz", "a" * (1 << 22)),
    ],
)
def test_what_is_no_list_is_refused_in_a_line(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(ExplorerError) as caught:
        read_token_list(write(tmp_path, name, content))
    assert name in str(caught.value)
    assert ".jsonl.gz" in caught.value.hint
    with pytest.raises(ExplorerError):
        read_token_list(tmp_path / "absent.md")


def test_a_file_that_is_no_gzip_and_one_of_too_many_lines_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(ExplorerError):
        read_token_list(tmp_path / "x.jsonl.gz")
    monkeypatch.setattr(token_lists, "MOST_LINES", 10)
    with pytest.raises(ExplorerError, match="too large"):
        read_token_list(write(tmp_path, "x.md", "\n" * 11))


@pytest.mark.parametrize(
    ("token", "spelling"),
    [
        (b" });\r", "▁});\\r"),
        (b"a|b", "a\\|b"),
        ("ed\u200cx".encode(), "ed\\u200cx"),
        (b"\\n", "\\n"),
        (b"\xe2\x82", "<0xE2><0x82>"),
        ("বাং".encode(), "বাং"),
    ],
)
def test_tokens_are_spelled_as_the_reports_spell_them(token: bytes, spelling: str) -> None:
    assert spell_as_report(token) == spelling


def listed_of(engine: Engine, ids: list[int], **chosen: Any) -> MatchTokenList:
    """A list that names these tokens of mynah as a report would."""
    vocabulary = engine.models.get("mynah").vocabulary
    tokens = [
        ListedToken(
            token_id=one, spelling=spell_as_report(vocabulary.token_bytes(one)), indicator=0.1 + one, max_prob=1e-6
        )
        for one in ids
    ]
    request = MatchTokenList(model="mynah", name="r.md", of_model="", spelled="report", tokens=tuple(tokens))
    return msgspec.structs.replace(request, **chosen)


def test_a_list_about_another_tokenizer_flags_nothing(engine: Engine) -> None:
    right = listed_of(engine, [907, 725]).tokens
    wrong = tuple(ListedToken(token_id=one, spelling="not this") for one in (3, 4, 5, 10**8))
    outcome = answer(engine, listed_of(engine, [], tokens=(*right, *wrong)))
    assert isinstance(outcome, TokenListMatched)
    assert (outcome.listed, outcome.matched, outcome.used) == (6, 2, False)
    columns = answer(engine, ReadVocabulary(model="mynah"))
    assert isinstance(columns, VocabularyColumns)
    assert "published" not in columns.flags


def test_matched_tokens_are_flagged_and_the_self_test_scores_them(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(answer(engine, ReadVocabulary(model="mynah")), VocabularyColumns)
    request = listed_of(engine, [907, 725, 871])
    outcome = answer(engine, msgspec.structs.replace(request, tokens=(*request.tokens, *request.tokens[:1])))
    assert isinstance(outcome, TokenListMatched)
    assert (outcome.matched, outcome.used) == (3, True)
    sent = answer(engine, ReadVocabulary(model="mynah"))
    assert isinstance(sent, VocabularyColumns)
    columns = TokenColumns(sent)
    assert np.flatnonzero(parse_filter("flag:published").mask(columns)).tolist() == [725, 871, 907]
    monkeypatch.setattr(definitions, "_MAGIKARP", (definitions.DIALOGUE, definitions.REPEATS))
    scored = answer(engine, SelfTest(model="mynah", list_name="r.md"))
    assert isinstance(scored, SelfTestResult)
    assert (scored.list_name, scored.listed) == ("r.md", 3)
    assert scored.score.recall == 1
    assert scored.tested < 100
    with pytest.raises(ExplorerError, match="not matched"):
        answer(engine, SelfTest(model="mynah", list_name="other.md"))
