"""Twins, the robust centre of reference tokens, and the rule for the default indicator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from jaxtyping import Bool
from torch import Tensor

from explorer.engine.core import twins
from explorer.engine.core.default_rule import choose_default
from explorer.engine.core.reference import find_centre
from explorer.engine.core.twins import find_twins, relative_step

VOCAB, WIDTH = 3000, 48


def rows_of(seed: int, dtype: torch.dtype = torch.float32, vocab: int = VOCAB) -> Tensor:
    return torch.randn(vocab, WIDTH, generator=torch.Generator().manual_seed(seed)).to(dtype)


def pairs_by_force(rows: Tensor, step: float) -> set[int]:
    """Every row that has a twin, all compared with all."""
    exact = rows.double()
    lengths = exact.norm(dim=1)
    apart = torch.cdist(exact, exact, compute_mode="donot_use_mm_for_euclid_dist")
    near = apart <= step * torch.maximum(lengths[:, None], lengths[None, :])
    near.fill_diagonal_(False)
    return set(torch.nonzero(near.any(dim=1)).flatten().tolist())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_equal_rows_and_rows_equal_up_to_rounding_are_twins(dtype: torch.dtype) -> None:
    rows = rows_of(1, dtype)
    rows[7], rows[2000], rows[30] = rows[1000], rows[1000], rows[2500]
    noise = torch.randn(WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    rounded = rows[5].double() * (1 + relative_step(dtype) / 4 * noise)
    rows[2900] = rounded.to(dtype)
    found = find_twins(rows)
    assert set(found) == {7, 1000, 2000, 30, 2500, 5, 2900} == pairs_by_force(rows, relative_step(dtype))
    assert found[2000] == 7
    assert found[7] == 1000
    assert found[2900] == 5


def test_the_finer_the_format_the_nearer_twins_must_be() -> None:
    rows = rows_of(2)
    rows[9] = rows[10] * (1 + 1e-3)
    assert find_twins(rows) == {}
    assert set(find_twins(rows, step=relative_step(torch.bfloat16))) == {9, 10}


def test_a_dense_heap_of_distinct_rows_holds_no_twins_but_the_equal_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    heap = rows_of(3)[:1] + 0.05 * rows_of(4)
    heap[77] = heap[1500]
    assert set(find_twins(heap.bfloat16())) == pairs_by_force(heap.bfloat16(), 2.0**-7)
    monkeypatch.setattr(twins, "LARGEST_HEAP", 2)
    same = torch.ones(500, WIDTH)
    assert len(find_twins(same)) == 500


def test_broken_rows_have_no_twins_and_zero_rows_have() -> None:
    rows = rows_of(5)
    rows[3:5], rows[8], rows[9], rows[20], rows[21] = 0, float("nan"), float("nan"), float("inf"), float("inf")
    assert find_twins(rows) == {3: 4, 4: 3}


def test_rows_too_narrow_for_chance_have_no_twins() -> None:
    assert find_twins(torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0)).bfloat16()) == {}


def untrained(seed: int) -> tuple[Tensor, Bool[np.ndarray, " vocab"]]:
    """Rows of which the first 60 lie about one direction, the others anywhere; and which are ordinary text."""
    rows = rows_of(seed)
    direction = torch.randn(WIDTH, generator=torch.Generator().manual_seed(99))
    rows[:60] = direction + 0.02 * rows[:60]
    return rows, np.arange(VOCAB) >= 40


def test_a_third_of_trained_reference_tokens_do_not_move_the_centre_and_are_counted() -> None:
    rows, ordinary = untrained(6)
    names = [*range(40), *range(1000, 1020)]
    centre = find_centre(rows, [[], names], ordinary)
    assert centre is not None
    assert centre.agrees
    assert centre.kind == 1
    assert centre.trained == tuple(range(1000, 1020))
    clean = find_centre(rows, [[], list(range(40))], ordinary)
    assert clean is not None
    assert torch.nn.functional.cosine_similarity(centre.row, clean.row, dim=0) > 1 - 1e-4


def test_the_surest_kind_that_agrees_is_taken() -> None:
    rows, ordinary = untrained(7)
    trained, sure, zero = list(range(500, 513)), list(range(13)), [2999]
    rows[2999] = 0
    for kinds, kind in (([sure, trained], 0), ([trained, sure], 1), ([zero, trained, sure], 2), ([[5], sure], 1)):
        centre = find_centre(rows, kinds, ordinary)
        assert centre is not None
        assert centre.agrees
        assert centre.kind == kind
    assert find_centre(rows, [zero, []], ordinary) is None


def test_reference_tokens_that_lie_like_all_others_do_not_agree() -> None:
    rows = rows_of(8)
    for kind in ([*range(13)], [*range(200)], [17]):
        centre = find_centre(rows, [kind], np.arange(VOCAB) >= 200)
        assert centre is not None
        assert not centre.agrees


def column(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1, 0.1, VOCAB).astype(np.float32)


ALL = np.ones(VOCAB, dtype=np.bool_)
CENTROID, REFERENCE, NORM = "output_centroid_cosine_distance", "unused_cosine_distance", "input_norm"


@pytest.mark.parametrize(
    ("names", "tied", "weakness", "expected", "weak"),
    [
        ((NORM,), False, "", NORM, True),
        ((NORM, CENTROID), True, "", CENTROID, True),
        ((NORM, CENTROID), False, "", NORM, False),
        ((NORM, CENTROID, REFERENCE), True, "", REFERENCE, False),
        ((NORM, CENTROID, REFERENCE), True, "reference tokens look trained", CENTROID, True),
        ((NORM, CENTROID, REFERENCE), False, "", NORM, False),
    ],
)
def test_the_default_indicator_is_there_and_a_weak_rule_is_called_weak(
    names: tuple[str, ...], tied: bool, weakness: str, expected: str, weak: bool
) -> None:
    columns = {name: column(seed) for seed, name in enumerate(names)}
    chosen = choose_default(columns, ALL, tied=tied, against="13 bytes never in UTF-8", weakness=weakness)
    assert chosen.indicator == expected
    assert chosen.rule.endswith(".")
    assert len(chosen.rule) <= 80
    assert ("Weak rule" in chosen.rule) is weak


def test_norms_that_are_all_alike_are_passed_over_and_said() -> None:
    columns = {NORM: 1.03 + 0.001 * column(1), CENTROID: column(2), REFERENCE: column(3)}
    chosen = choose_default(columns, ALL, tied=False, against="13 bytes never in UTF-8")
    assert chosen.indicator == REFERENCE
    assert any("input_norm tells nothing" in note for note in chosen.notes)
    columns[NORM][5] = 0  # one row apart is worth looking at
    assert choose_default(columns, ALL, tied=False, against="").indicator == NORM


def test_rules_that_disagree_about_the_first_hundred_are_said_to() -> None:
    one = column(4)
    same = {NORM: column(5), CENTROID: one * 2, REFERENCE: one}
    assert choose_default(same, ALL, tied=True, against="").notes == ()
    other = {NORM: column(5), CENTROID: column(6), REFERENCE: one}
    (note,) = choose_default(other, ALL, tied=True, against="").notes
    shared = len(set(np.argsort(one)[:100]) & set(np.argsort(other[CENTROID])[:100]))
    assert note == f"{CENTROID} shares {shared} of its first 100."
    assert choose_default(other, ALL & (np.arange(VOCAB) < 150), tied=True, against="").notes == ()
