"""The short form of the attack by kills."""

from __future__ import annotations

from pathlib import Path

from tests.attack.attack_explorer_kills import kill_one
from tests.attack.attack_kills import busy_disk, kill_some


def test_what_was_told_as_kept_outlives_a_kill(tmp_path: Path) -> None:
    with busy_disk(tmp_path):
        found = kill_some(tmp_path, [1, 2, 3, 4])
    assert [(one.lost, one.problem) for one in found] == [(0, "")] * 4
    assert all(one.told > 0 for one in found)


def test_what_the_screen_showed_as_kept_outlives_a_kill_of_the_explorer(tmp_path: Path) -> None:
    with busy_disk(tmp_path):
        found = [kill_one(tmp_path, seed, with_model=False) for seed in (2, 3, 4)]
    assert [(one.lost, one.problem) for one in found] == [(0, "")] * 3
    assert all(one.told > 0 for one in found)
