"""Laws of the indicators, and exactness against plain NumPy in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from explorer.base.records.neighbours import Metric
from explorer.base.records.tokens import INDICATORS
from explorer.engine.core.indicators import (
    cosine_distances,
    distances,
    finite_rows,
    indicator_parts,
    mean_row,
    norms,
    principal_component_passes,
)
from explorer.engine.core.neighbours import distances_to

METRICS: tuple[Metric, ...] = ("euclidean", "cosine", "dot")
Exact = npt.NDArray[np.float64]
VOCAB, WIDTH, KNOWN, UNUSED = 700, 24, 690, (3, 17, 500, 695)


@dataclass(frozen=True)
class Matrices:
    input: Tensor
    output: Tensor | None = None
    output_bias: Tensor | None = None
    tied: bool = False


def all_indicators(embeddings: Any, unused_ids: Sequence[int], tokenizer_size: int) -> dict[str, Any]:
    """Every column that `indicator_parts` gives."""
    return dict(part for part in indicator_parts(embeddings, unused_ids, tokenizer_size) if part is not None)


def matrix(seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rows like a language model's: off-centre, one direction stronger than the others, a tight unused cluster."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.linspace(0.3, 1.0, WIDTH)
    spread[0] = 3.0
    rows = torch.randn(VOCAB, WIDTH, generator=generator) * spread + 0.4
    rows[list(UNUSED)] = rows[0] / 10 + 1e-3 * torch.randn(len(UNUSED), WIDTH, generator=generator)
    return rows.to(dtype)


def reference(embeddings: Tensor, unused: tuple[int, ...], known: int) -> dict[str, Exact]:
    """The `unused_…` indicators as magikarp computes them, in float64, over the rows that count."""
    rows = embeddings.double().numpy()
    counted = np.isfinite(rows).all(axis=1) & (np.arange(len(rows)) < known)
    mean = rows[counted].mean(axis=0)
    component = np.linalg.svd(rows[counted] - mean, full_matrices=False)[2][0]

    def cosine(table: Exact) -> Exact:
        target = table[list(unused)].mean(axis=0)
        cosines: Exact = table @ target / (np.linalg.norm(table, axis=1) * np.linalg.norm(target))
        return 1 - cosines

    return {
        "unused_cosine_distance": cosine(rows),
        "unused_cosine_distance_centred": cosine(rows - mean),
        "unused_cosine_distance_no_pc1": cosine(rows - np.outer(rows @ component, component)),
        "unused_l2_distance": np.linalg.norm(rows - rows[list(unused)].mean(axis=0), axis=1),
    }


def centroid_reference(embeddings: Tensor, known: int) -> dict[str, Exact]:
    rows = embeddings.double().numpy()
    mean = rows[:known].mean(axis=0)
    lengths = np.linalg.norm(rows, axis=1)
    return {
        "norm": lengths,
        "centroid_distance": np.linalg.norm(rows - mean, axis=1),
        "centroid_cosine": rows @ mean / (lengths * np.linalg.norm(mean)),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_indicator_equals_the_numpy_reference(dtype: torch.dtype) -> None:
    model = Matrices(matrix(1, dtype), matrix(2, dtype), torch.arange(VOCAB).to(dtype))
    found = all_indicators(model, UNUSED, KNOWN)
    assert model.output is not None
    expected = {f"input_{name}": column for name, column in centroid_reference(model.input, KNOWN).items()}
    expected |= {f"output_{name}": column for name, column in centroid_reference(model.output, KNOWN).items()}
    expected["output_centroid_cosine_distance"] = 1 - expected["output_centroid_cosine"]
    expected |= reference(model.output, UNUSED, KNOWN)
    for name, column in expected.items():
        np.testing.assert_allclose(found[name], column, rtol=1e-5, atol=1e-15, err_msg=name)
        assert found[name].dtype == np.float32
    assert list(found) == list(INDICATORS)


def test_tied_matrices_have_the_same_input_and_output_columns() -> None:
    rows = matrix(3)
    found = all_indicators(Matrices(rows, rows, tied=True), UNUSED, VOCAB)
    for name in ("norm", "centroid_distance", "centroid_cosine"):
        np.testing.assert_array_equal(found[f"input_{name}"], found[f"output_{name}"])


def test_indicators_that_cannot_be_computed_are_left_out() -> None:
    rows = matrix(4)
    of_input = ["input_norm", "input_centroid_distance", "input_centroid_cosine"]
    assert list(all_indicators(Matrices(rows), UNUSED, VOCAB)) == of_input
    assert "unused_l2_distance" not in all_indicators(Matrices(rows, rows), (), VOCAB)
    broken = rows.clone()
    broken[list(UNUSED)] = float("nan")
    assert "unused_l2_distance" not in all_indicators(Matrices(rows, broken), UNUSED, VOCAB)


def test_an_unused_id_outside_the_matrix_is_refused() -> None:
    rows = matrix(4)
    with pytest.raises(ValueError, match="between 0 and 699"):
        all_indicators(Matrices(rows, rows), (VOCAB,), VOCAB)


def test_relabelling_tokens_relabels_indicators() -> None:
    rows, order = matrix(5), torch.randperm(VOCAB, generator=torch.Generator().manual_seed(0))
    place = torch.argsort(order)
    before = all_indicators(Matrices(rows, rows, tied=True), UNUSED, VOCAB)
    after = all_indicators(Matrices(rows[order], rows[order], tied=True), place[list(UNUSED)].tolist(), VOCAB)
    for name in before:
        np.testing.assert_allclose(after[name], before[name][order.numpy()], rtol=1e-5, atol=1e-12)


def test_rotating_the_space_changes_no_indicator() -> None:
    rows = matrix(6).double()
    rotation = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(1)).double()).Q
    before = all_indicators(Matrices(rows, rows, tied=True), UNUSED, VOCAB)
    turned = all_indicators(Matrices(rows @ rotation, rows @ rotation, tied=True), UNUSED, VOCAB)
    for name in before:
        np.testing.assert_allclose(turned[name], before[name], rtol=1e-5, atol=1e-12, err_msg=name)


def test_padding_rows_do_not_move_the_centroid() -> None:
    rows = matrix(7)
    moved = rows.clone()
    moved[KNOWN:] += 1000
    before = all_indicators(Matrices(rows), (), KNOWN)
    after = all_indicators(Matrices(moved), (), KNOWN)
    for name in before:
        np.testing.assert_array_equal(after[name][:KNOWN], before[name][:KNOWN])


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_broken_row_spoils_only_itself(poison: float) -> None:
    rows, unused = matrix(8), (3, 17, 500)
    broken = rows.clone()
    broken[42, 5] = poison
    broken[500, 0] = poison
    without = torch.tensor([token_id for token_id in range(VOCAB) if token_id not in (42, 500)])
    found = all_indicators(Matrices(broken, broken, tied=True), unused, VOCAB)
    expected = all_indicators(Matrices(rows[without], rows[without], tied=True), (3, 17), VOCAB - 2)
    for name in expected:
        assert not np.isfinite(found[name][[42, 500]]).any(), name
        np.testing.assert_allclose(found[name][without.numpy()], expected[name], rtol=1e-5, atol=1e-12)
    assert torch.nonzero(~finite_rows(broken)).flatten().tolist() == [42, 500]


def test_a_zero_row_has_cosine_zero_to_everything() -> None:
    rows = matrix(9)
    rows[5] = 0
    assert cosine_distances(rows, mean_row(rows, finite_rows(rows)))[5] == 1
    assert (cosine_distances(rows, torch.zeros(WIDTH)) == 1).all()


def test_small_cosine_distances_keep_their_digits() -> None:
    angle = 1e-7
    rows = torch.tensor([[1.0, angle], [1.0, 0.0]], dtype=torch.float64)
    found = cosine_distances(rows, torch.tensor([1.0, 0.0], dtype=torch.float64))
    assert found[0].item() == pytest.approx(angle**2 / 2, rel=1e-6)
    assert found[1].item() == 0


def test_equal_rows_have_equal_values_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.engine.core.rows._CHUNK_BYTES", {"cpu": 8 * WIDTH * 9})
    row = torch.randn(WIDTH, generator=torch.Generator().manual_seed(2))
    rows, point = row.repeat(31, 1), torch.randn(WIDTH, generator=torch.Generator().manual_seed(3))
    reduced = cosine_distances(rows, point, origin=point / 3, without=point / point.norm())
    for column in (norms(rows), distances(rows, point), reduced, *(distances_to(rows, 0, m) for m in METRICS)):
        assert len(set(column.tolist())) == 1


def test_chunks_of_any_size_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = matrix(10)
    whole = all_indicators(Matrices(rows, rows, tied=True), UNUSED, KNOWN)
    monkeypatch.setattr("explorer.engine.core.rows._CHUNK_BYTES", {"cpu": 8 * WIDTH * 33})
    for name, column in all_indicators(Matrices(rows, rows, tied=True), UNUSED, KNOWN).items():
        np.testing.assert_allclose(column, whole[name], rtol=1e-6, atol=1e-12)


def test_the_number_of_threads_is_left_as_it_was() -> None:
    before = torch.get_num_threads()
    norms(matrix(11))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("seed", range(5))
def test_the_first_principal_component_is_the_svd_s(seed: int) -> None:
    rows = matrix(seed)
    counted = torch.arange(VOCAB) < KNOWN
    *_, component = principal_component_passes(rows, counted, mean_row(rows, counted))
    exact = rows[:KNOWN].double() - rows[:KNOWN].double().mean(dim=0)
    expected = torch.linalg.svd(exact, full_matrices=False).Vh[0]
    assert abs(float(component @ expected)) == pytest.approx(1, abs=1e-12)


def test_rows_without_variance_have_no_first_component() -> None:
    rows = torch.full((50, WIDTH), 0.1)
    counted = torch.ones(50, dtype=torch.bool)
    *_, component = principal_component_passes(rows, counted, mean_row(rows, counted))
    assert not component.any()


def test_work_on_a_matrix_can_be_stopped_between_passes() -> None:
    rows = matrix(12)
    parts = list(indicator_parts(Matrices(rows, rows, tied=True), UNUSED, VOCAB))
    assert parts.count(None) >= 3
    assert [part[0] for part in parts if part is not None] == [name for name in INDICATORS if name != "output_bias"]
