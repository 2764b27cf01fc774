"""The published list of tokens hard to speak, line by line, on a model that is here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.base.errors import ExplorerError
from explorer.engine.answers.self_test import hard_list as self_test_speaking
from explorer.engine.answers.self_test.hard_list import compare_hard_tokens
from explorer.engine.control import Control
from explorer.engine.data.published import HardToken, hard_tokens
from explorer.engine.models.roster import Roster
from tests.engine_work import outcome_of

CONTROL = Control(cancelled=lambda: False, tell=lambda part: None)


def test_each_line_is_held_against_our_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Roster().load("zoo:mynah", dtype="float32", device="cpu")
    output = model.embeddings().output
    assert output is not None
    rows = output.double().numpy()
    winners = (rows @ rows.T).argmax(axis=1)
    hard = np.flatnonzero(winners != np.arange(len(rows)))
    token, other = int(hard[0]), int(hard[1])
    wrong = (int(winners[other]) + 1) % len(rows)
    listed = (
        HardToken(token, int(winners[token]), best=((False, token), (True, wrong))),
        HardToken(other, wrong, best=()),
    )
    monkeypatch.setattr(self_test_speaking, "hard_tokens", lambda source: listed)
    score = outcome_of(compare_hard_tokens(model, CONTROL, tmp_path))
    assert score is not None
    first, second = score.lines
    assert score.agreed == 1
    assert (first.winner.token_id, first.lead) == (int(winners[token]), 0.0)
    assert second.lead == pytest.approx(rows[other] @ (rows[winners[other]] - rows[wrong]))
    assert second.lead > 0
    assert score.not_listed == len(hard) - 2
    assert [box.bias for box in first.boxes] == [False, True]
    agrees = [box.agrees for box in first.boxes]
    # The same token printed as speakable and as not: one of the two can be right where the bias changes nothing.
    assert agrees[0] == (first.boxes[0].verdict == "speakable")
    assert agrees[1] == (first.boxes[1].verdict == "unspeakable")
    assert score.boxes_agreed == agrees.count(True)


def test_a_list_about_another_model_of_the_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Roster().load("zoo:mynah", dtype="float32", device="cpu")
    published = hard_tokens("openai-community/gpt2")
    monkeypatch.setattr(self_test_speaking, "hard_tokens", lambda source: published)
    with pytest.raises(ExplorerError, match="does not have"):
        outcome_of(compare_hard_tokens(model, CONTROL, tmp_path))


def test_both_published_tables_are_there() -> None:
    small, large = hard_tokens("openai-community/gpt2"), hard_tokens("weights:openai-community/gpt2-xl")
    assert (len(small), len(large)) == (59, 33)
    assert {len(token.best) for token in large} == {2}
    assert not hard_tokens("zoo:mynah")
