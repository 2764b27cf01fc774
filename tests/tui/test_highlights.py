"""What a filter looks for is underlined in the tokens that pass it."""

from __future__ import annotations

import pytest

from explorer.tables.highlights import sought_in, spans
from explorer.tui.panes.tokens.pane import TokenPane
from tests.app_driver import settled
from tests.tui.snapshot_samples import SAMPLES, show_sample
from tests.tui.test_pane_snapshots import ThemedHarness


@pytest.mark.parametrize(
    ("text", "shown", "found"),
    [
        ("velvet", "·Velvet", ["Velvet"]),
        ('" vel"', "·Velvet", ["·Vel"]),
        ("·vel", "·Velvet", ["·Vel"]),
        ("/^ V/", "·Velvet", ["·V"]),
        ("/[0-9]+/", "12·12", ["12", "12"]),
        ("vel turb", "turbine·velvet", ["turb", "vel"]),
        ("[bold]", "[bold]", ["[bold]"]),
        ("-velvet", "·Velvet", []),
        ("cat:ok", "ok", []),
        ("/(/", "(", []),
        ("no such thing:", "x", []),
        ("/(a+)+$/", "a" * 60 + "b", []),
    ],
)
def test_what_is_sought_is_found_in_the_text_as_shown(text: str, shown: str, found: list[str]) -> None:
    assert [shown[begin:end] for begin, end in spans(sought_in(text, ()), shown)] == found


async def test_the_filter_underlines_what_it_found() -> None:
    sample, pane = SAMPLES["tokens"]["full"], TokenPane(id="tokens-pane")
    app = ThemedHarness(pane, "magpie", sample)
    async with app.run_test(size=(80, 24)) as pilot:
        show_sample(pane, sample, "full")
        await settled(pilot)
        pane.commands.want_filter("velv")
        await settled(pilot)
        rows = [list(pane.table.render_line(y)) for y in range(1, 6)]
        marked = ["".join(each.text for each in row if each.style and each.style.underline) for row in rows]
        assert marked == ["Velv"] * 5
        assert all("".join(each.text for each in row).count("Velv") == 1 for row in rows)
        assert {sum(each.cell_length for each in row) for row in rows} == {pane.table.scrollable_size.width}
        pane.commands.want_all()
        await settled(pilot)
        rows = [list(pane.table.render_line(y)) for y in range(1, 6)]
        assert not any(each.style and each.style.underline for row in rows for each in row)
