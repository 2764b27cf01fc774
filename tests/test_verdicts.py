"""The matrix that the screen filters, and what is exported of it."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Array
from explorer.base.records.verification import DefinitionSummary, VerdictColumns, VerdictPart
from explorer.tables.agreement import jaccard
from explorer.tables.exports import FORMATS, rows_of, write_export
from explorer.tables.verdicts import VerdictMatrix

TOKENS = [b" Foo", b"`a|b`", b"\xff", b'a,"b"\n', "é".encode(), b"[/x]\x1b"]
IDS = [40, 7, 3, 99, 12, 5]
VERIFIED, WEAK, REJECTED, INCONCLUSIVE, NOT_ASKED = range(5)
VERDICTS = [[VERIFIED, REJECTED, WEAK, INCONCLUSIVE, REJECTED, NOT_ASKED],
            [VERIFIED, REJECTED, REJECTED, VERIFIED, WEAK, NOT_ASKED]]  # fmt: skip
VALUES = [[1e-9, 0.95, 0.05, 0.01, 0.2, np.nan], [0.1, 0.9, 0.8, 0.2, 0.3, np.nan]]


def summary(name: str) -> DefinitionSummary:
    return DefinitionSummary(name=name, title="", rule="", source="", value="", verified=0, weak=0, rejected=0,
                             inconclusive=0)  # fmt: skip


def columns() -> VerdictColumns:
    joined, offsets = Array.of_tokens(TOKENS)
    return VerdictColumns(
        model="mynah",
        source="zoo:mynah",
        token_ids=Array.of(np.array(IDS, dtype=np.int32)),
        token_bytes=joined,
        offsets=offsets,
        categories=Array.of(np.array([0, 0, 2, 0, 0, 4], dtype=np.uint8)),
        indicators={"input_norm": Array.of(np.array([0.1, 2, 0.3, np.nan, 1, 3], dtype=np.float32))},
        flags={},
        definitions=(summary("magikarp"), summary("plain")),
        verdicts=Array.of(np.array(VERDICTS, dtype=np.uint8)),
        values=Array.of(np.array(VALUES, dtype=np.float32)),
        default_indicator="input_norm",
        main_indicator="input_norm",
    )


MATRIX = VerdictMatrix(columns())
ALL = range(len(MATRIX))


def test_agreement_looks_at_what_is_decided() -> None:
    assert MATRIX.where("all agree").tolist() == [True, True, False, False, False, False]
    assert MATRIX.where("disagree").tolist() == [False, False, True, False, True, False]
    assert MATRIX.where("called").tolist() == [True, False, True, True, True, False]
    assert MATRIX.where("all").all()
    assert not MATRIX.where("disagree", ("plain",)).any(), "one alone cannot disagree"


def test_overlap_and_curves_are_those_of_the_calls() -> None:
    assert jaccard(*MATRIX.called()) == 1 / 4
    curve = MATRIX.roc("input_norm", "magikarp")
    assert curve is not None
    assert (curve.x[0], curve.y[-1]) == (0, 1)
    assert MATRIX.roc("input_norm", "magikarp", low_is_suspicious=False) is not None
    nothing = VerdictMatrix(columns())
    nothing.verdicts[:] = REJECTED
    assert nothing.precision_recall("input_norm", "plain") is None


def test_verdicts_of_a_running_sweep_are_taken_in_by_id() -> None:
    matrix = VerdictMatrix(columns())
    part = VerdictPart(
        token_ids=Array.of(np.array([5, 1000, 40, 8], dtype=np.int32)),
        verdicts={"plain": Array.of(np.array([WEAK, WEAK, REJECTED, WEAK], dtype=np.uint8)),
                  "other": Array.of(np.zeros(4, dtype=np.uint8))},
        values={"plain": Array.of(np.array([0.5, 0, 0.75, 0], dtype=np.float32)),
                "other": Array.of(np.zeros(4, dtype=np.float32))},
    )  # fmt: skip
    matrix.take(part)
    assert matrix.verdicts[1].tolist() == [REJECTED, REJECTED, REJECTED, VERIFIED, WEAK, WEAK]
    assert matrix.cell("plain", 5).value == 0.5
    assert matrix.verdicts[0].tolist() == VERDICTS[0]


def test_rows_are_json_with_every_verdict() -> None:
    rows: list[dict[str, Any]] = json.loads(json.dumps(rows_of(MATRIX, ALL), allow_nan=False))
    assert [row["token_id"] for row in rows] == IDS
    assert [bytes.fromhex(row["token_bytes"]) for row in rows] == TOKENS
    assert rows[0]["verdicts"]["magikarp"] == {"verdict": "verified", "value": 1e-9}
    assert rows[5]["verdicts"]["plain"] == {"verdict": "not asked", "value": None}
    assert "input_norm" not in rows[3]["indicators"]


def test_csv_and_parquet_hold_the_same_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert write_export(MATRIX, ALL, tmp_path / "x.csv") == "csv"
    assert write_export(MATRIX, ALL, tmp_path / "x.parquet") == "parquet"
    lines = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text(), newline="")))
    table = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    for line, row in zip(lines, table, strict=True):
        assert int(line["token_id"]) == row["token_id"]
        assert bytes.fromhex(line["token_bytes"]) == bytes.fromhex(row["token_bytes"])
        assert line["text"] == row["text"]
        assert line["magikarp"] == row["magikarp"]
        assert float(line["plain value"] or "nan") == pytest.approx(row["plain value"] or float("nan"), nan_ok=True)


def test_markdown_is_one_line_a_token_whatever_it_holds() -> None:
    lines = str(FORMATS["markdown"](MATRIX, ALL)).splitlines()
    assert len(lines) == 2 + len(TOKENS)
    assert all(line.replace("\\|", "").count("|") == lines[0].count("|") for line in lines)
    assert "\x1b" not in "".join(lines)


def test_jsonl_has_the_field_names_and_words_of_magikarp() -> None:
    rows = [json.loads(line) for line in str(FORMATS["jsonl"](MATRIX, ALL)).splitlines()]
    assert [row["i"] for row in rows] == IDS
    assert [row.get("magikarp") for row in rows] == [
        "strong_verified", "strong_rejected", "weak_verified", "verification_encoding_failed", "weak_rejected", None,
    ]  # fmt: skip
    assert rows[2]["category"] == "UNDECODEABLE"
    assert rows[0]["max_prob"] == pytest.approx(1e-9)


def test_bias_and_ban_list_name_exactly_the_chosen_ids() -> None:
    assert json.loads(FORMATS["logit-bias"](MATRIX, [0, 3])) == {"40": -100, "99": -100}
    assert json.loads(FORMATS["ban-list"](MATRIX, [0, 3])) == [40, 99]
    assert json.loads(FORMATS["ban-list"](MATRIX, [])) == []


def test_an_unknown_form_and_an_unwritable_place_are_said(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="no known form"):
        write_export(MATRIX, ALL, tmp_path / "x.docx")
    with pytest.raises(ExplorerError, match="cannot be written"):
        write_export(MATRIX, ALL, tmp_path / "nowhere" / "x.csv")
    assert write_export(MATRIX, ALL, tmp_path / "x.txt", "ban-list") == "ban-list"


@pytest.mark.parametrize("name", ["x.csv", "x.md", "x.parquet"])
def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExplorerError, match="cannot be written: No space left"):
        write_export(MATRIX, ALL, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / name).write_text("before")
    with pytest.raises(ExplorerError, match="cannot be written: No space left"):
        write_export(MATRIX, ALL, tmp_path / name)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "before")]
