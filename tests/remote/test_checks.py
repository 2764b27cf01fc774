"""Answers that are wrong in themselves are refused in words, whatever stands in them."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from explorer.engine.models.remote.checks import BadAnswer, read_json, whole_row
from explorer.engine.models.remote.words import ServerWords

SURROGATE = b'{"model_path": "\xed\xa0\x80"}'
HALVES = [math.log(0.5), math.log(0.5)]


class Told(msgspec.Struct):
    model_path: str


@pytest.mark.parametrize(
    "content", [SURROGATE, b"\xff\xfe{}", b"", b"[" * 200_000, b'{"model_path": ' + b'{"a":' * 100_000, b"\x1f\x8b\x08"]
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_json(content, Told)


@pytest.mark.parametrize("content", [SURROGATE, b"[" * 200_000, b'{"error": {"message": "\x1b[2J"}}', b"\x1b[2J\x07"])
def test_a_refusal_is_told_whatever_it_holds(content: bytes) -> None:
    said = ServerWords("", "").of(content)
    assert said
    assert all(letter.isprintable() for letter in said)
    assert len(said) <= 240


@pytest.mark.parametrize(
    ("ids", "logprobs"),
    [
        ([0, 10**19], HALVES), ([0, -(10**30)], HALVES), ([0, 0], HALVES), ([], []), ([0], [0.0]), ([0, 2], HALVES),
        ([0, 1], [math.nan, 0.0]), ([0, 1], [0.5, -1e308]), ([0, 1], [math.inf, -1.0]), ([0, 1], [-1.0, -1.0]),
    ],
)  # fmt: skip
def test_a_distribution_with_a_hole_or_no_number_is_refused(ids: list[int], logprobs: list[float]) -> None:
    with pytest.raises(BadAnswer):
        whole_row(ids, logprobs, 2)


def test_what_is_called_impossible_has_no_probability() -> None:
    np.testing.assert_array_equal(whole_row([1, 0], [-1e308, 0.0], 2), [0.0, -np.inf])
