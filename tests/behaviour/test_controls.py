"""Controls: what a text looks like, and what may be asked in a token's stead."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from explorer.base.records.tokens import CATEGORIES
from explorer.engine.behaviour.controls import Shape, draw_controls, shape_of
from explorer.engine.models.vocabulary import Vocabulary


class Words:
    """A vocabulary of these texts, all of category `ok`; what `draw_controls` asks of one."""

    special_ids: frozenset[int] = frozenset()

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self.categories = np.full(len(texts), CATEGORIES.index("ok"), dtype=np.uint8)

    def text(self, token_id: int) -> str:
        return self._texts[token_id]


def drawn(texts: list[str], count: int, **chosen: object) -> list[str]:
    """The controls of the first text."""
    found = draw_controls(cast(Vocabulary, Words(*texts)), 0, count, 0, **chosen)  # type: ignore[arg-type]
    return [texts[token_id] for token_id in found]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        (" Magikarp", Shape("LATIN", True, True, 9, True)),
        ("swigfaiss", Shape("LATIN", True, False, 9, True)),
        ("额外的", Shape("CJK", True, False, 3, True)),
        ("हिन्दी", Shape("DEVANAGARI", True, False, 6, True)),
        ("x1", Shape("LATIN", False, False, 2, True)),
        ("42", Shape("", False, False, 2, True)),
        ("\r\n    ", Shape("", False, False, 6, False)),
        ("------", Shape("", False, False, 6, False)),
        ("", Shape("", False, False, 0, False)),
    ],
)
def test_a_shape_is_script_letters_space_and_length(text: str, shape: Shape) -> None:
    assert shape_of(text) == shape


def test_script_and_letters_come_first_then_the_space_then_the_length() -> None:
    texts = [
        "PlaneProtection",
        " PlaneDefendings",
        "ab",
        "额外的额外的额外的额外的额外的",
        "a_lane_rotation",
        "interpretation",
        "\n" * 15,
    ]
    assert drawn(texts, 3) == ["interpretation", "ab", " PlaneDefendings"]
    assert set(drawn(texts, 9)) == set(texts[1:-1]), "whitespace is never a control"


def test_what_has_no_letters_is_asked_beside_words_of_its_length() -> None:
    assert drawn([",,,,", "²", "word", "ab", "...."], 2) == ["word", "ab"]


def test_only_trained_tokens_are_controls() -> None:
    trained = np.array([True, False, True, True])
    assert set(drawn(["Night", "Nacht", "Noche", "Notte"], 9, trained=trained)) == {"Noche", "Notte"}
