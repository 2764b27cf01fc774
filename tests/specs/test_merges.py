"""One meaning a word, the same in the details pane, on the command line and in a report, with the right counts."""

from __future__ import annotations

import pytest

from explorer.base.records.inspect import InspectToken, TokenDetail
from explorer.base.records.unions import AnyOutcome
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.queue import Work
from explorer.specs.blocks import Table
from explorer.specs.inspect import blocks
from explorer.specs.merges import contained_text, path_text, swallowed_text
from explorer.tui.panes.detail.lines import detail_lines


@pytest.fixture(scope="module")
def detail() -> TokenDetail:
    """What the engine says of `he` of zoo:mynah."""
    engine = Engine()
    engine.models.load("zoo:mynah")
    work = engine.begin(InspectToken(model="mynah", token_bytes=b"he".hex()), Control(lambda: False, lambda part: None))
    found: list[AnyOutcome] = []

    def run() -> Work:
        found.append((yield from work))
        return found[0]

    for _ in run():
        pass
    assert isinstance(found[0], TokenDetail)
    return found[0]


def test_swallowing_is_by_merges_and_containing_by_bytes(detail: TokenDetail) -> None:
    assert len(detail.swallowed_by) == 16
    assert detail.contained_in_count == 69
    assert swallowed_text(detail).startswith("16: ")
    assert contained_text(detail).startswith("69: ")
    assert path_text(detail) == "h + e → he"


def test_pane_and_blocks_say_the_same(detail: TokenDetail) -> None:
    lines = detail_lines(detail.row, detail, marked=False, width=120, height=40)
    pane = "\n".join(line.plain for line in lines)
    facts, *_ = blocks(InspectToken(model="mynah", token_id=detail.row.token_id), detail)
    assert isinstance(facts, Table)
    said = {row[0]: row[1] for row in facts.rows}
    assert said["swallowed by"] == swallowed_text(detail)
    assert said["contained in"] == contained_text(detail)
    assert swallowed_text(detail) in pane
    assert contained_text(detail) in pane
