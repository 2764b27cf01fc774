"""The default view of real models against what was measured of them; skipped where they were not fetched.

What was measured, on 2026-11-28 with this program on these files (SmolLM2 converted to bfloat16): `verify SMOLLM2
--definitions magikarp --token-ids …` (253 `ok` tokens: the first 100 by either centre of the identical rows, 60 by each
centroid indicator, 60 at random; and the byte 0), and `verify GEMMA --definitions glitchminer-strict --token-ids …`
(the first 130 `ok` tokens of the default view).
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.vocabulary import RankTokens, ReadVocabulary, VocabularyColumns
from explorer.engine.answers.reference import LOOKS_TRAINED
from explorer.engine.handlers import Engine
from explorer.tables.agreement import roc_auc
from explorer.tables.map_cells import Cloud
from explorer.tables.ranking import select
from explorer.tables.table import TokenColumns
from explorer.tui.panes.map.windows import cell_of, window_of_cells
from tests.engine_work import answer

SMOLLM2_TWINS = {5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 36743, 36744, 45175, 48047}
SMOLLM2_VERIFIED = (34047, 36743, 36744, 36902, 39121, 39145, 43420, 43858, 45139, 45175, 45691, 48047)
"""The 12 `ok` tokens that the magikarp definition verifies: PlaneProtection, swigfaiss, MetaInfoClass, …"""
SMOLLM2_BYTE_0 = 190
"""Verified too."""
GEMMA_VERIFIED = frozenset((
    214244, 167077, 226565, 163811, 234024, 95439, 136932, 72528, 208094, 188005, 99144, 58251, 170342, 147627,
    208718, 165131, 173822, 213598, 56818, 173738, 183804, 99154, 130893, 173792, 92122, 189179, 226545, 192703,
    189817, 185167, 99306, 68115, 170333, 108595, 52600, 222989, 233655, 181224, 91814, 226563, 231684, 178827,
    185146, 137311, 208721, 167051, 226620, 198456, 173824, 208647, 133025, 234038, 122982, 165136, 203196, 113569,
    158014, 169662, 143045, 169237, 121238, 57309, 122782, 140975, 207736, 250244, 134996, 213596, 61262, 213759,
    152634, 226706, 175762, 222991, 233665, 115580, 127204, 185157, 175868, 131116, 189287, 150625, 145613, 150699,
    220224, 68511, 63618, 22231, 202282, 145692, 160834, 202288, 109528, 173820, 80797, 215120, 116996, 177351,
    91072, 42873, 84990, 233506, 107794, 203204, 131144, 184776, 104989, 136915, 213807, 181230, 158028, 226594,
    177352, 226597, 167093, 133044, 189367, 185104, 250243, 197415, 133048, 77845, 94134, 153202, 126009, 197465,
    202283, 58250, 219827, 152630,
))  # fmt: skip
"""The first 130 `ok` tokens; glitchminer-strict verified every one of them."""


def read_columns(source: Path) -> VocabularyColumns:
    """The vocabulary of a model with its indicators, as the screen gets it; the blocks are not loaded."""
    engine = Engine()
    loaded = answer(engine, LoadModel(source=f"weights:{source}"))
    assert isinstance(loaded, ModelLoaded)
    columns = answer(engine, ReadVocabulary(model=loaded.info.name))
    assert isinstance(columns, VocabularyColumns)
    return columns


@pytest.fixture(scope="module")
def smollm2(smollm2_gguf: Path) -> VocabularyColumns:
    return read_columns(smollm2_gguf)


@pytest.fixture(scope="module")
def gemma(gemma_gguf: Path) -> VocabularyColumns:
    return read_columns(gemma_gguf)


def first_rows(columns: TokenColumns, count: int) -> list[int]:
    """The ids of the first rows of the default view."""
    return [int(token_id) for token_id in select(columns, RankTokens(model=columns.model))[:count]]


def test_the_identical_rows_of_smollm2_are_its_reference(smollm2: VocabularyColumns) -> None:
    assert {entry.token_id for entry in smollm2.unused if entry.is_found} == SMOLLM2_TWINS
    assert smollm2.default_indicator == "unused_cosine_distance"
    assert smollm2.default_rule == "Cosine distance to the centre of 15 identical rows."
    assert "output_centroid_cosine_distance shares 18 of its first 100." in smollm2.notes


def test_the_first_rows_of_smollm2_are_verified_glitch_tokens(smollm2: VocabularyColumns) -> None:
    columns = TokenColumns(smollm2)
    assert set(first_rows(columns, 13)) == {*SMOLLM2_VERIFIED, SMOLLM2_BYTE_0}
    ordinary = np.flatnonzero(columns.is_candidate)
    values, verified = columns.values(columns.default_indicator)[ordinary], np.isin(ordinary, SMOLLM2_VERIFIED)
    assert roc_auc(-values, verified) == 1
    of_others = (("output_centroid_cosine_distance", (5, 39)), ("output_centroid_distance", (0, 76)))
    for indicator, expected in of_others:
        order = ordinary[np.argsort(columns.values(indicator)[ordinary], kind="stable")]
        places = np.flatnonzero(np.isin(order, SMOLLM2_VERIFIED)) + 1
        assert (int((places <= 12).sum()), int(places.max())) == expected, indicator


def test_the_first_rows_of_gemma_all_fail_and_none_is_a_reference_token(gemma: VocabularyColumns) -> None:
    columns = TokenColumns(gemma)
    first = np.array(first_rows(columns, 100))
    assert not columns.set_aside[first].any()
    ordinary = first[columns.is_candidate[first]].tolist()
    assert len(ordinary) > 60
    assert set(ordinary) <= GEMMA_VERIFIED
    candidates = np.flatnonzero(columns.is_candidate)
    order = candidates[np.argsort(columns.values(columns.default_indicator)[candidates], kind="stable")]
    assert set(order[:100].tolist()) <= GEMMA_VERIFIED


def test_gemma_s_trained_names_are_counted_and_its_norms_passed_over(gemma: VocabularyColumns) -> None:
    assert gemma.default_rule == "Cosine distance to the centre of 13 bytes never in UTF-8."
    trained = sum(entry.reason.endswith(", looks trained") for entry in gemma.unused)
    assert 1_700 < trained < 1_900
    assert f"{trained:,} of {len(gemma.unused):,} reference tokens look trained." in gemma.notes
    assert any(note.startswith("input_norm tells nothing: all norms lie from 1.028") for note in gemma.notes)


def test_gemma_s_lowest_two_percent_hold_no_reference_token(gemma: VocabularyColumns) -> None:
    columns = TokenColumns(gemma)
    lowest = columns.percentiles(columns.default_indicator) <= 2
    assert not (lowest & columns.set_aside).any()
    assert (lowest & columns.is_candidate).sum() == pytest.approx(0.02 * columns.is_candidate.sum(), rel=0.001)


def test_tokens_published_for_gemma_3_12b_lie_lowest_in_the_270m(gemma: VocabularyColumns, shared: Path) -> None:
    columns = TokenColumns(gemma)
    with (shared / "reference" / "gemma_3_12b_it_first34.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert columns.token_bytes(int(row["token_id"])).decode() == row["token"]
    percentiles = columns.percentiles(columns.default_indicator)[[int(row["token_id"]) for row in rows]]
    assert (percentiles <= 2.13).sum() >= 33


def fullest_cell(columns: VocabularyColumns) -> tuple[set[int], set[int]]:
    """On the plane proposed first, at 118 x 34 cells of the screen: the tokens under the box of one cell, that in which
    most of the trusted reference tokens are; and these reference tokens."""
    x, y = (columns.indicators[name].numpy() for name in ("unused_cosine_distance", "output_centroid_distance"))
    cloud = Cloud(x, y)
    window = cloud.whole_window()
    references = {entry.token_id for entry in columns.unused if not entry.reason.endswith(LOOKS_TRAINED)}
    cells = Counter(cell_of(float(x[at]), float(y[at]), window, 118, 34) for at in references)
    cell = cells.most_common(1)[0][0]
    assert cell is not None
    return set(cloud.inside(window_of_cells(cell, cell, window, 118, 34)).tolist()), references


def test_the_untrained_rows_of_smollm2_are_one_cell_of_the_first_map(smollm2: VocabularyColumns) -> None:
    inside, references = fullest_cell(smollm2)
    assert references == SMOLLM2_TWINS
    assert references | {*SMOLLM2_VERIFIED, SMOLLM2_BYTE_0} <= inside, "recall 1, also of those that were verified"
    assert len(inside) <= 28
    assert len(inside & references) / len(inside) >= 0.53


def test_the_untrained_rows_of_gemma_are_one_cell_of_the_first_map(gemma: VocabularyColumns) -> None:
    inside, references = fullest_cell(gemma)
    assert len(inside & references) / len(references) >= 0.92
    assert len(inside & references) / len(inside) >= 0.72
    near = np.flatnonzero(gemma.indicators["unused_cosine_distance"].numpy() < 0.1)
    assert inside <= set(near.tolist())
    assert len(inside) / len(near) >= 0.9
