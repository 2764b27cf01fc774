"""On a screen an indicator has one name: that of its heading in the token table."""

from __future__ import annotations

import pytest

from explorer.base.indicator_names import with_labels
from explorer.base.records.maps import ReadMap
from explorer.base.records.notes import WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.tokens import LABELS
from explorer.base.records.unions import AnyRequest
from explorer.base.records.verification import Verify
from explorer.base.records.vocabulary import RankTokens
from explorer.specs.screen_words import describe_on_screen, summarise_on_screen


@pytest.mark.parametrize(
    ("words", "said"),
    [
        *LABELS.items(),
        ("by input_norm, filter z:input_norm<-3 input_norm >= 2", "by ‖W_E‖, filter z:input_norm<-3 input_norm >= 2"),
        ("geometric:unused_cosine_distance_no_pc1 57,", "geometric:u-cos-pc1 57,"),
        ("my_input_norm input_norms", "my_input_norm input_norms"),
    ],
)
def test_names_become_labels_but_in_the_notation_of_filters(words: str, said: str) -> None:
    assert with_labels(words) == said


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (RankTokens(model="mynah", sort="output_norm"), "by ‖W_U‖"),
        (Verify(model="mynah", top_percent=2, indicator="input_norm"), "lowest by ‖W_E‖"),
        (ReadMap(model="mynah", plane="input_norm,pc1"), "plane ‖W_E‖,pc1"),
        (WriteNote(text="input_norm tells"), "input_norm tells"),
    ],
)
def test_steps_name_indicators_as_the_table_does_and_notes_are_left_alone(request_: AnyRequest, said: str) -> None:
    assert said in describe_on_screen(request_)


def test_what_came_back_does_so_too() -> None:
    failure = Failure(message="output_bias is missing")
    assert summarise_on_screen(RankTokens(model="mynah"), failure) == "failed: bias is missing"
    assert summarise_on_screen(WriteNote(text=""), failure) == "failed: output_bias is missing"
