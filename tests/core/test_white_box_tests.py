"""The tests of lineage that look into weights, on made-up models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

from explorer.engine.core.lineage import cka, exact, neurons, rows
from explorer.engine.core.lineage.neurons import Layer

D = 48


def blocks(one: np.ndarray, other: np.ndarray, size: int = 100) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for first in range(0, len(one), size):
        yield one[first : first + size], other[first : first + size]


def learned(seed: int, n: int = 1_000) -> np.ndarray:
    """Trained rows: what the data teaches (a structure of the tokens) in a basis of the model's own."""
    shared = np.random.default_rng(0).standard_normal((n, 8)) * np.array([4.0, 2, 2, 1, 1, 1, 1, 1])
    generator = np.random.default_rng(seed)
    basis = generator.standard_normal((8, D))
    found: np.ndarray = (shared @ basis + generator.standard_normal((n, D))).astype(np.float32)
    return found


def test_strangers_that_learned_from_the_same_data_have_uniform_p_by_coordinates() -> None:
    found, shuffled = [], []
    for seed in range(60):
        one, other = learned(2 * seed + 1), learned(2 * seed + 2)
        compared = rows.compare_rows(blocks(one, other), D, seed)
        assert compared is not None
        found.append(compared.permuted.p)
        unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (one, other)]
        by_row = exact.permute((unit[0] @ unit[1].T)[:200, :200].astype(np.float64), seed, draws=99)
        assert by_row is not None
        shuffled.append(abs(by_row.z))
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert np.median(shuffled) > 3, "rows shuffled: the wrong null, which rejects strangers"


def test_a_child_has_its_bases_coordinates_and_equal_rows_are_counted() -> None:
    base = learned(1)
    child = base.copy()
    child[500:] += 0.3 * np.random.default_rng(5).standard_normal((500, D)).astype(np.float32)
    compared = rows.compare_rows(blocks(base, child), D, 0)
    assert compared is not None
    assert compared.equal == 0.5
    assert compared.cosine > 0.9
    assert compared.permuted.p == 1 / (1 + rows.DRAWS)
    assert compared.permuted.z > 5


def test_rows_that_are_no_numbers_or_zero_are_no_information() -> None:
    base, child = learned(1), learned(1)
    child[0, 0] = np.nan
    base[1] = 0
    child[1] = 0
    compared = rows.compare_rows(blocks(base, child), D, 0)
    assert compared is not None
    assert (compared.rows, compared.equal) == (998, 1.0)
    assert rows.compare_rows(blocks(base * np.nan, child), D, 0) is None
    assert rows.compare_rows(iter(()), D, 0) is None


def layer(seed: int, n: int = 60) -> Layer:
    generator = np.random.default_rng(seed)
    return Layer(generator.standard_normal((n, D)), generator.standard_normal((n, D)))


def test_a_childs_neurons_stand_in_their_place_and_a_strangers_do_not() -> None:
    base, stranger = layer(0), layer(1)
    noise = np.random.default_rng(2).standard_normal((2, 60, D))
    child = Layer(base.read + noise[0], base.write + noise[1])
    matched = neurons.match_layer(base, child, 0)
    assert matched is not None
    assert (matched.neurons, matched.fixed, matched.agreeing) == (60, 60, 60)
    assert neurons.join_layers([matched.p_fixed, matched.p_fixed]) < 1e-100
    unlike = neurons.match_layer(base, stranger, 0)
    assert unlike is not None
    assert min(unlike.p_fixed, unlike.p_order, unlike.p_agreeing) > 0.01


def test_renamed_neurons_are_found_by_input_against_output() -> None:
    base, order = layer(0), np.random.default_rng(3).permutation(60)
    renamed = neurons.match_layer(base, Layer(base.read[order], base.write[order]), 0)
    assert renamed is not None
    assert renamed.fixed < 5
    assert renamed.agreeing == 60
    assert renamed.p_agreeing < 1e-50


def test_p_of_neurons_is_valid_for_strangers_and_weights_without_numbers_tell_nothing() -> None:
    found = []
    for seed in range(200):
        matched = neurons.match_layer(layer(2 * seed + 10, 24), layer(2 * seed + 11, 24), seed)
        assert matched is not None
        found.append((matched.p_fixed, matched.p_order))
    fixed, order = np.array(found).T
    assert (fixed <= 0.05).mean() <= 0.08
    assert 0.01 <= (order <= 0.05).mean() <= 0.1
    assert stats.kstest(order, "uniform").pvalue > 0.01
    broken = layer(0)
    broken.read[3, 4] = np.nan
    assert neurons.match_layer(broken, layer(1), 0) is None
    assert neurons.match_layer(Layer(np.zeros((9, D)), np.zeros((9, D))), layer(1, 9), 0) is None


def test_wide_layers_are_compared_on_the_same_drawn_neurons() -> None:
    drawn = neurons.draw_neurons(11_008, 3)
    assert len(drawn) == len(set(drawn.tolist())) == neurons.AT_MOST
    assert (drawn == neurons.draw_neurons(11_008, 3)).all()
    assert (neurons.draw_neurons(60, 0) == np.arange(60)).all()


def test_cka_finds_a_child_whatever_its_width_and_basis() -> None:
    generator = np.random.default_rng(0)
    base = generator.standard_normal((40, 30))
    child = base @ generator.standard_normal((30, 50)) + generator.standard_normal((40, 50))
    stranger = generator.standard_normal((40, 50))
    grams = [cka.gram(each) for each in (base, child, stranger)]
    assert grams[0] is not None
    assert grams[1] is not None
    assert grams[2] is not None
    own, other = (cka.compare_grams(grams[0], each, 0) for each in grams[1:] if each is not None)
    assert (own.p, own.z > 10) == (1 / (1 + cka.DRAWS), True)
    assert other.p > 0.01
    assert cka.compare_grams(grams[0], grams[0], 0).value == pytest.approx(1)


def test_states_that_do_not_depend_on_the_token_are_no_information() -> None:
    constant = np.tile(np.random.default_rng(0).standard_normal(30).astype(np.float32), (40, 1))
    broken = np.random.default_rng(0).standard_normal((40, 30))
    broken[2, 3] = np.nan
    assert cka.gram(constant) is None
    assert cka.gram(constant * np.float32(1 + 1e-7)) is None
    assert cka.gram(broken) is None
