"""The short form of the attack by altered session files."""

from __future__ import annotations

from pathlib import Path

from tests.attack.attack_sessions import attack_one, write_bases


def test_an_altered_session_is_opened_or_refused_in_one_line_and_soon(tmp_path: Path) -> None:
    bases = write_bases(tmp_path)
    found = [attack_one(bases[seed % len(bases)], tmp_path, seed) for seed in range(60)]
    assert [(one.how, one.wrong) for one in found if one.wrong] == []
    assert sum(bool(one.refusals) for one in found) > 5, "hardly one of them was hostile"
