"""Numbers are written as the published tables write them."""

from __future__ import annotations

import csv
import math
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.base.numbers import (
    format_entropy,
    format_logprob,
    format_logprob_and_percent,
    format_percent,
    format_prob_percent,
    format_significant,
)


def test_every_published_row_is_reproduced_to_its_rounding(shared: Path) -> None:
    with (shared / "reference" / "base_instruct_logprobs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 40
    for row in rows:
        printed = Decimal(row["logprob"])
        assert format_logprob(float(printed)) == row["logprob"]
        half = Decimal((0, (5,), int(printed.as_tuple().exponent) - 1))
        low, high = (Decimal(format_prob_percent(float(end))[:-1]) for end in (printed - half, printed + half))
        assert low <= Decimal(row["prob_percent"]) <= high


def test_every_published_percentage_is_written_with_the_same_digits(shared: Path) -> None:
    with (shared / "reference" / "base_instruct_logprobs.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert format_significant(Decimal(row["prob_percent"])) == row["prob_percent"]


@pytest.mark.parametrize(
    ("logprob", "written"),
    [
        (-1.409511, "-1.410 / 24.43%"),
        (-19.348, "-19.35 / 3.956e-7%"),
        (-18.2228, "-18.22 / 1.219e-6%"),
        (-16.0, "-16.00 / 0.00001125%"),
        (0.0, "0.000 / 100.0%"),
        (-0.0, "0.000 / 100.0%"),
        (-1e-9, "-1.000e-9 / 100.0%"),
        (-1000.0, "-1000 / 5.076e-433%"),
        (-12345.6, "-1.235e4 / 2.366e-5360%"),
        (-math.inf, "-inf / 0%"),
        (math.nan, "nan / nan%"),
    ],
)
def test_a_logprob_and_its_percentage(logprob: float, written: str) -> None:
    assert format_logprob_and_percent(logprob) == written


@given(st.floats(-700, -1e-6))
def test_what_is_written_is_within_half_a_unit_of_the_fourth_digit(logprob: float) -> None:
    assert float(format_logprob(logprob)) == pytest.approx(logprob, rel=5.001e-4)
    assert float(format_prob_percent(logprob)[:-1]) == pytest.approx(100 * math.exp(logprob), rel=5.001e-4)


@pytest.mark.parametrize(
    ("entropy", "written"), [(None, "–"), (0.0, "0.000"), (0.01234, "0.01234"), (2.3456, "2.346"), (10.0, "10.00")]
)
def test_an_entropy_has_four_significant_digits(entropy: float | None, written: str) -> None:
    assert format_entropy(entropy) == written


def test_a_share_has_one_decimal_and_says_all_or_none_only_where_it_is_so() -> None:
    shares = (0.0, 0.0004, 0.0006, 0.0667, 0.11, 0.2468, 0.9994, 0.9996, 1.0)
    expected = ["0.0 %", "< 0.1 %", "0.1 %", "6.7 %", "11.0 %", "24.7 %", "99.9 %", "> 99.9 %", "100.0 %"]
    assert [format_percent(share) for share in shares] == expected
