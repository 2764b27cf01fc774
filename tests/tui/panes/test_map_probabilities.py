"""Where measured probabilities stand over a column: against a computation token by token."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explorer.base.records.verification import VERDICTS
from explorer.tables.tested import TokenVerdicts
from explorer.tui.panes.map.probabilities import LEAST, LETTERED, Probabilities
from explorer.tui.panes.map.threshold import Numbers, begin
from tests.tui.map_samples import COLUMNS, NAME

TOKENS = 3_000


def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers, probabilities (0 and 1 among them) and verdicts of all kinds."""
    random = np.random.default_rng(4)
    probabilities = np.exp(-random.exponential(4.0, TOKENS)).astype(np.float32)
    probabilities[:3] = 0.0, 1.0, 1e-30
    verdicts = random.choice(len(VERDICTS), TOKENS).astype(np.uint8)
    return random.random(TOKENS).astype(np.float32), probabilities, verdicts


@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.25, 0.3125)])
@pytest.mark.parametrize("size", [(1, 1), (40, 9), (190, 48)])
def test_every_token_between_the_ends_is_in_its_cell_and_no_other(
    ends: tuple[float, float], size: tuple[int, int]
) -> None:
    x, probabilities, verdicts = sample()
    found = Probabilities(x, probabilities, verdicts)
    assert found.bottom == LEAST, "smaller ones stand on the lower edge"
    columns, rows = size
    inside = (x >= ends[0]) & (x <= ends[1])
    across = (x - np.float32(ends[0])) * np.float32(columns / (ends[1] - ends[0]))
    heights = np.log10(np.maximum(probabilities.astype(np.float64), 1e-8)).astype(np.float32)
    down = -heights * np.float32(rows / 8)
    column, row = np.minimum(across.astype(int), columns - 1), np.minimum(down.astype(int), rows - 1)
    layer = found.layer(ends, columns, rows)
    for verdict in LETTERED:
        here = inside & (verdicts == VERDICTS.index(verdict))
        assert set(layer.cells[verdict]) == set(zip(column[here].tolist(), row[here].tolist(), strict=True))
    plain = inside & (verdicts == VERDICTS.index("rejected"))
    cells = layer.lit.reshape(rows, 4, columns, 2).any(axis=(1, 3))
    assert {(c, r) for r, c in np.argwhere(cells).tolist()} == set(
        zip(column[plain].tolist(), row[plain].tolist(), strict=True)
    )


def test_tokens_that_all_have_one_number_stand_in_the_first_column() -> None:
    x, probabilities, verdicts = sample()
    layer = Probabilities(np.full_like(x, 0.5), probabilities, verdicts).layer((0.5, 0.5), 20, 10)
    assert {column for cells in layer.cells.values() for column, _ in cells} == {0}
    assert not layer.lit[:, 2:].any()


def test_the_layer_stays_while_the_line_moves_and_the_places_while_the_side_turns() -> None:
    values = COLUMNS.values(NAME)
    verdicts = np.where(values < 0.3, 0, 2).astype(np.uint8)
    known = TokenVerdicts("r", "greatest P(token)", verdicts, np.full(len(values), 0.5, np.float32))
    other = replace(known, values=np.full(len(values), 0.25, np.float32))
    parted = begin(Numbers(NAME, "unused-cos", values, COLUMNS), 100).knowing({"one": known, "two": other})
    assert parted.measured is not None
    places = parted.measured.places
    layer = places.layer(parted.ends, 50, 20)
    moved = parted.moved(3, 50)
    assert moved.measured is not None
    assert moved.measured.places.layer(moved.ends, 50, 20) is layer
    assert places.layer(parted.zoomed(0.5).ends, 50, 20) is not layer
    turned, following = parted.on_other_side().measured, parted.next_definition().measured
    assert turned is not None
    assert following is not None
    assert turned.places is places
    assert following.places is not places


def test_what_a_curve_needs_is_made_before_its_picture() -> None:
    values = COLUMNS.values(NAME)
    verdicts = np.where(values < 0.3, 0, 2).astype(np.uint8)
    known = TokenVerdicts("r", "greatest P(token)", verdicts, np.full(len(values), 0.5, np.float32))
    parted = begin(Numbers(NAME, "unused-cos", values, COLUMNS), 100).knowing({"one": known})
    assert parted.measured is not None
    parted.measured.warm()
    assert {"roc", "roc_auc", "precision_recall", "average_precision"} <= set(vars(parted.measured.scores))
