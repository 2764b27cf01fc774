"""Definitions judged against ordinary tokens, and prompts that a settled verdict does not need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.base.records.verification import (
    ReadEvidence,
    ReadVerdicts,
    VerdictEvidence,
    VerificationResult,
    Verify,
)
from explorer.engine.answers.verification.answer import read_evidence, read_verdicts, verify
from explorer.engine.answers.verification.controls import choose_controls, controls_fail, shares_meet
from explorer.engine.answers.vocabulary import Read
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import HasHidden
from explorer.specs.registry import spec_of
from explorer.tables.exports import rows_of
from explorer.tables.verdicts import VerdictMatrix
from tests.behaviour.behaviour_fakes import run_through

CONTROL = Control(lambda: False, lambda part: None)
FAIL = "inconclusive: the controls fail too"
ASKING = ("magikarp", "glitchminer", "glitchminer-strict", "substring", "plain")


@pytest.fixture(scope="module")
def mynah() -> HasHidden:
    engine = Engine()
    engine.models.load("zoo:mynah", dtype="float32", device="cpu")
    model = engine.models.get("mynah")
    assert isinstance(model, HasHidden)
    return model


@pytest.fixture(scope="module")
def read(mynah: HasHidden) -> Read:
    return found_by(Engine().vocabularies.read(mynah, None))  # type: ignore[no-any-return]


def found_by(work: Any) -> Any:
    return run_through(work)[1]


class Mumbling:
    """A model whose replies say nothing of the question: every row is told that the greatest logit is another id's."""

    def __init__(self, model: HasHidden) -> None:
        self._model = model
        self.info, self.vocabulary, self.embeddings = model.info, model.vocabulary, model.embeddings

    def start(self, prompts: Any) -> Any:
        return self._model.start([prompt[:1] for prompt in prompts])


def swept(model: Any, read: Read, cache: Path, **chosen: Any) -> tuple[VerificationResult, Verify, VerdictMatrix]:
    request = Verify(model="mynah", **chosen)
    result = found_by(verify(model, read, request, CONTROL, cache))
    assert isinstance(result, VerificationResult)
    return result, request, VerdictMatrix(found_by(read_verdicts(model, read, ReadVerdicts(of=request), cache)))


@pytest.mark.parametrize(
    ("called", "tokens", "fail"),
    [(0, 16, False), (0, 2, False), (4, 16, False), (5, 16, True), (16, 16, True), (1, 1, True)],
)  # fmt: skip
def test_controls_fail_where_their_interval_reaches_one_half(called: int, tokens: int, fail: bool) -> None:
    assert controls_fail(called, tokens) is fail


def test_tokens_that_are_called_as_often_as_controls_are_said_to_be() -> None:
    assert shares_meet(17, 100, 3, 16)
    assert not shares_meet(300, 300, 3, 16)
    assert not shares_meet(3, 100, 0, 16)


def test_controls_are_ordinary_alike_untested_and_the_same_every_time(mynah: HasHidden, read: Read) -> None:
    withheld = np.flatnonzero(read.columns.flags["withheld"])
    trained = ~read.columns.flags["withheld"]
    chosen = choose_controls(mynah.vocabulary, withheld, 16, 0, trained)
    assert len(set(chosen.tolist())) == 16
    assert not np.isin(chosen, withheld).any()
    assert (read.columns.categories[chosen] == 0).all()
    assert choose_controls(mynah.vocabulary, withheld, 16, 0, trained).tolist() == chosen.tolist()
    assert len(choose_controls(mynah.vocabulary, withheld, 0, 0, trained)) == 0
    assert len(choose_controls(mynah.vocabulary, withheld[:1], 16, 0, trained)) == 16


def test_on_the_zoo_controls_and_cascade_change_no_verdict(mynah: HasHidden, read: Read, tmp_path: Path) -> None:
    flags = read.columns.flags
    ids = (*np.flatnonzero(flags["withheld"])[::12].tolist(), *range(300, 3000, 181))
    bare, _, _ = swept(mynah, read, tmp_path / "bare", token_ids=ids, definitions=ASKING)
    found, request, matrix = swept(
        mynah, read, tmp_path / "judged", token_ids=ids, definitions=ASKING, controls=16, cascade=True
    )
    assert found.digest == bare.digest
    assert [row.token for row in found.rows] == [row.token for row in bare.rows]
    assert all(
        one.controls is not None and not one.controls.fail and one.controls.tokens == 16 for one in found.definitions
    )
    assert len(found.controls) == 16
    assert bare.skipped == 0 < found.skipped
    questions = bare.answered // len(ids)
    assert found.answered + found.skipped + found.reused == questions * (len(ids) + 16)
    assert (matrix.verdicts < 4).all(), "every cell has its verdict, also where a prompt was not asked"
    places = {one.name: at for at, one in enumerate(matrix.definitions)}
    settled = matrix.values[places["magikarp"]] > 0.1
    assert (matrix.verdicts[places["magikarp"], settled] == 2).all()
    token_id = int(matrix.token_ids[settled][0])
    evidence = read_evidence(
        mynah, read, ReadEvidence(of=request, definition="magikarp", token_id=token_id), tmp_path / "judged"
    )
    assert isinstance(evidence, VerdictEvidence)
    assert [prompt.asked for prompt in evidence.prompts].count(False) >= 1
    assert evidence.cell == matrix.cell("magikarp", int(np.flatnonzero(settled)[0]))
    said = str(
        list(spec_of(ReadEvidence(of=request, definition="magikarp", token_id=token_id)).blocks(request, evidence))
    )
    assert "a cheaper prompt had settled the verdict" in said


def test_every_prompt_is_asked_after_all_where_that_is_wanted(mynah: HasHidden, read: Read, tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"token_ids": tuple(range(300, 2700, 200)), "definitions": ("magikarp",)}
    first, _, _ = swept(mynah, read, tmp_path, **chosen, cascade=True)
    again, _, _ = swept(mynah, read, tmp_path, **chosen)
    assert first.skipped > 0
    assert (again.answered, again.reused, again.skipped) == (first.skipped, first.answered, 0)
    assert again.digest == first.digest


def test_where_the_controls_fail_no_call_counts_and_everywhere_it_is_said(
    mynah: HasHidden, read: Read, tmp_path: Path
) -> None:
    model = Mumbling(mynah)
    ids = tuple(np.flatnonzero(read.columns.flags["withheld"])[:8].tolist())
    bare, _, _ = swept(model, read, tmp_path, token_ids=ids, definitions=("plain", "geometric"))
    assert bare.definitions[0].verified + bare.definitions[0].weak == 8
    found, request, matrix = swept(
        model, read, tmp_path, token_ids=ids, definitions=("plain", "geometric"), controls=16
    )
    plain, geometric = found.definitions
    assert (plain.verified, plain.weak, plain.silenced, plain.inconclusive) == (0, 0, 8, 8)
    assert plain.controls is not None
    assert plain.controls.fail
    assert plain.controls.replies is not None
    assert plain.controls.replies.said <= plain.controls.tokens - plain.controls.called
    assert geometric.controls is None
    assert any("the controls fail too" in note and "plain calls" in note for note in found.notes)
    assert {cell["verdicts"]["plain"]["verdict"] for cell in rows_of(matrix, range(8))} == {FAIL}
    assert not matrix.called()[0].any()
    evidence = found_by_evidence(model, read, request, ids[0], tmp_path)
    assert evidence.cell.verdict == FAIL
    shown = str(list(spec_of(request).blocks(request, found)))
    for part in ("the controls fail too", "controls: exact or contains", "controls called", "fail"):
        assert part in shown


def found_by_evidence(model: Any, read: Read, request: Verify, token_id: int, cache: Path) -> VerdictEvidence:
    return read_evidence(model, read, ReadEvidence(of=request, definition="plain", token_id=token_id), cache)
