"""The short form of the attack by altered checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.attack_checkpoints import attack_one
from tests.attack.hostile_checkpoints import BASES


@pytest.mark.parametrize("name", BASES)
def test_an_altered_checkpoint_works_or_is_refused_in_one_line_and_soon(name: str, tmp_path: Path) -> None:
    base = tmp_path / name
    base.mkdir()
    BASES[name](base)
    found = [attack_one(base, tmp_path / "altered", seed) for seed in range(2000, 2003)]
    assert [(one.how, one.wrong) for one in found if one.wrong] == []
    assert any(one.said for one in found), "none of them was hostile"
