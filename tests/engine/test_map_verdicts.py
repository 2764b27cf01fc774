"""A map coloured by verdicts: which verification it shows, the same verdicts as that has, and that it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.base.records.maps import ReadMap, VocabularyMap
from explorer.base.records.unions import Cancelled
from explorer.base.records.verification import VERDICTS, ReadVerdicts, VerdictColumns, VerificationResult, Verify
from explorer.engine.answers.verification import finished
from explorer.engine.answers.verification.finished import note_finished, read_finished
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.tables.tested import TokenVerdicts, learn
from explorer.tables.verdicts import VerdictMatrix
from tests.engine_work import answer, outcome_of

FIRST = Verify(model="mynah", token_ids=(907, 930, 931, 2000, 2001), definitions=("plain",), chat="never", controls=4)
SECOND = Verify(model="mynah", token_ids=(931, 932, 2002, 2003), definitions=("plain", "geometric"), chat="never")


@pytest.fixture(scope="module", name="engine")
def loaded() -> Engine:
    made = Engine()
    made.models.load("zoo:mynah")
    return made


def coloured(engine: Engine, colour: str = "verdict") -> tuple[dict[int, str], str]:
    """The verdict of each token that has one, and what is said of them."""
    found = answer(engine, ReadMap(model="mynah", plane="distance", colour=colour))
    assert isinstance(found, VocabularyMap)
    assert found.classes is not None
    assert found.class_of is not None
    codes = found.class_of.numpy().tolist()
    names = {token_id: found.classes.name_of(code) for token_id, code in enumerate(codes)}
    return {token_id: name for token_id, name in names.items() if name != "not asked"}, found.classes.notes[0]


def verified(engine: Engine, request: Verify) -> None:
    assert isinstance(answer(engine, request), VerificationResult)


def learned(engine: Engine, *requests: Verify) -> dict[int, str]:
    """What plots would know by `plain` after these."""
    known: TokenVerdicts | None = None
    for request in requests:
        columns = answer(engine, ReadVerdicts(of=request))
        assert isinstance(columns, VerdictColumns)
        matrix = VerdictMatrix(columns)
        known = learn(known, matrix, [each.name for each in matrix.definitions].index("plain"), 3072)
    assert known is not None
    names = [VERDICTS[code].replace("inconclusive: the ", "") for code in known.verdicts.tolist()]
    return {token_id: name for token_id, name in enumerate(names) if name != "not asked"}


def test_the_newest_finished_verification_colours_whatever_its_options(engine: Engine) -> None:
    assert coloured(engine) == ({}, "no verification is finished: what was asked so far with the usual options")
    verified(engine, FIRST)
    found, said = coloured(engine)
    assert found == learned(engine, FIRST)
    assert set(found) == set(FIRST.token_ids or ())
    assert said == ("newest finished verification: verify 5 tokens of mynah by plain, without the chat template")
    verified(engine, SECOND)
    found, said = coloured(engine)
    assert found == learned(engine, FIRST, SECOND), "geometry does not ask the model"
    assert said.endswith(
        "verify 4 tokens of mynah by plain, geometric, without the chat template; 1 earlier one for other tokens"
    )
    named, said = coloured(engine, "verdict:geometric:input_norm")
    assert set(named) == set(SECOND.token_ids or ())
    assert said.startswith("newest finished verification by geometric:input_norm: verify 4 tokens")
    assert coloured(engine, "verdict:substring") == (
        {}, "no verification by substring is finished: what was asked so far with the usual options"
    )  # fmt: skip


def test_a_model_of_weights_alone_is_coloured_by_its_geometry(engine: Engine) -> None:
    name = engine.models.load("weights:zoo:mynah").info.name
    found = answer(engine, ReadMap(model=name, plane="distance", colour="verdict"))
    assert isinstance(found, VocabularyMap)
    assert found.classes is not None
    assert {"verified", "rejected"} <= {one.name for _, one in found.classes.present}


def test_one_that_is_cancelled_is_not_finished(engine: Engine) -> None:
    verified(engine, FIRST)
    stopped = outcome_of(engine.begin(SECOND, Control(cancelled=lambda: True, tell=lambda part: None)))
    assert isinstance(stopped, Cancelled)
    assert "verify 5 tokens" in coloured(engine)[1]


@pytest.fixture(name="kept")
def folder(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def test_each_is_remembered_once_the_newest_last_and_without_a_name(kept: Path) -> None:
    requests = [Verify(model=f"m{place}", random=place) for place in range(finished.MOST + 2)]
    for request in [*requests, requests[4]]:
        note_finished(kept, request)
    assert [each.random for each in read_finished(kept)] == [2, 3, 5, 6, 7, 8, 9, 4]
    assert {each.model for each in read_finished(kept)} == {""}


@pytest.mark.parametrize("content", [b"", b"[", b'[{"kind": "Verify", "model": 3}]', b"\xff\xfe", b'{"a": 1}'])
def test_what_is_damaged_says_nothing(kept: Path, content: bytes) -> None:
    kept.mkdir()
    (kept / "finished.json").write_bytes(content)
    assert read_finished(kept) == ()
    note_finished(kept, FIRST)
    assert len(read_finished(kept)) == 1


def test_what_cannot_be_written_is_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    note_finished(tmp_path / "file", FIRST)
    assert read_finished(tmp_path / "file") == ()
