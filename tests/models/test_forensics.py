"""Merge paths and leftovers, on GPT-2's own tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.engine.models.forensics import MergeIndex, merge_path
from explorer.engine.models.vocabulary import Vocabulary

SOLID_GOLD_MAGIKARP, INSTORE_AND_ONLINE, BUYABLE = 43453, 40241, 40242


@pytest.fixture(scope="module")
def gpt2(shared: Path) -> Vocabulary:
    return Vocabulary.from_directory(shared / "tokenizers" / "gpt2")


def test_gpt2_dead_tokens_are_where_they_are_known_to_be(gpt2: Vocabulary) -> None:
    assert gpt2.text(SOLID_GOLD_MAGIKARP) == " SolidGoldMagikarp"
    assert gpt2.text(INSTORE_AND_ONLINE) == "InstoreAndOnline"
    assert BUYABLE in gpt2.containing(INSTORE_AND_ONLINE)


def test_a_leftover_is_swallowed_by_the_token_made_of_it(gpt2: Vocabulary) -> None:
    index = MergeIndex(gpt2)
    assert index.swallowed_by(INSTORE_AND_ONLINE) == (BUYABLE,)
    assert gpt2.text(BUYABLE) == "BuyableInstoreAndOnline"
    assert index.swallowed_by(SOLID_GOLD_MAGIKARP) == ()


def test_a_merge_path_builds_the_token_from_single_bytes(gpt2: Vocabulary) -> None:
    path = merge_path(gpt2, SOLID_GOLD_MAGIKARP)
    known = {token_id for token_id in range(gpt2.size) if gpt2.merge_parents(token_id) is None}
    for merge in path:
        assert {merge.left, merge.right} <= known, "parts come before wholes"
        assert gpt2.token_bytes(merge.left) + gpt2.token_bytes(merge.right) == gpt2.token_bytes(merge.token_id)
        known.add(merge.token_id)
    assert path[-1].token_id == SOLID_GOLD_MAGIKARP
    assert len({merge.token_id for merge in path}) == len(path)


def test_a_byte_has_no_merges(gpt2: Vocabulary) -> None:
    (byte,) = gpt2.encode_segment("!")
    assert merge_path(gpt2, byte) == ()


def test_every_merge_is_found_from_both_its_parts(gpt2: Vocabulary) -> None:
    index = MergeIndex(gpt2)
    for whole in range(0, gpt2.size, 97):
        for part in gpt2.merge_parents(whole) or ():
            assert whole in index.swallowed_by(part)
