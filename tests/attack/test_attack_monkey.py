"""The short form of the monkey at the keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.monkey import play


@pytest.mark.parametrize(("kind", "keys"), [("explorer", 40), ("replay", 50), ("early", 60)])
async def test_no_keys_end_the_program_or_make_it_deaf(
    kind: str, keys: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = await play(kind, 14, tmp_path, keys)
    assert found.wrong == []
    assert found.keys == keys
