"""Long work in portions gives what it gives in one piece."""

from __future__ import annotations

import random

import numpy as np
import pytest

from explorer.tables import portions
from explorer.tables.portions import finish, rank_strings


@pytest.mark.parametrize("count", [0, 1, 7, 500])
def test_strings_are_ranked_in_portions_as_in_one_sort(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "_PORTION", 7)
    monkeypatch.setattr(portions, "_HEAPS", 3)
    draw = random.Random(count)
    strings = ["".join(draw.choices("ab\xff", k=draw.randrange(8))) for _ in range(count)]
    places = {string: place for place, string in enumerate(sorted(set(strings)))}
    assert np.array_equal(finish(rank_strings(strings)), [places[string] for string in strings])
    assert len(list(rank_strings(strings))) >= 2 * count // 7
