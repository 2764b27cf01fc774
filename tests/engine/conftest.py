"""What several tests of the engine's answers start from."""

from __future__ import annotations

import pytest

from explorer.engine.core import layout
from explorer.engine.core.layout import Phase


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout that is good enough to be told from none."""
    monkeypatch.setattr(layout, "FORMING", (Phase(20, 12.0, 0.5), Phase(40, 1.0, 0.8)))
    monkeypatch.setattr(layout, "SETTLING", (Phase(40, 1.0, 0.8),))
