"""The neighbours of a token in two models, one beside the other, in every kind of theme at every size."""

from __future__ import annotations

import msgspec
import pytest
from textual.pilot import Pilot

from explorer.base.records.neighbours import NeighboursThere, NeighbourThere
from tests.app_driver import settled
from tests.tui.snapshot_samples import FIND, NEIGHBOURHOOD, Sample, ref, show_sample
from tests.tui.test_pane_snapshots import SIZES, Snap, ThemedHarness, pane_of


def beside() -> Sample:
    """Every second neighbour is one there too, one is no token there, and one of those there is none here."""
    kept = NEIGHBOURHOOD.neighbours[::2]
    there = NeighboursThere(
        model="mynah-instruct",
        token=NEIGHBOURHOOD.subject.token,
        neighbours=(
            *(
                NeighbourThere(token=one.token, category="ok", distance=0.125 * place)
                for place, one in enumerate(reversed(kept), 1)
            ),
            NeighbourThere(token=ref(900, " elsewhere"), category="ok", distance=1.25),
        ),
        absent=(NEIGHBOURHOOD.neighbours[1].token.token_id,),
        absent_here=(900,),
        moved=0.875,
        moved_more_than=0.75,
    )
    found = msgspec.structs.replace(NEIGHBOURHOOD, there=there)
    return Sample(steps=((msgspec.structs.replace(FIND, other="mynah-instruct"), found),))


@pytest.mark.parametrize(("theme", "size"), list(zip(("gull", "magpie", "nightjar"), SIZES, strict=False)))
def test_neighbours_in_two_models_look_as_they_did(snap_compare: Snap, theme: str, size: tuple[int, int]) -> None:
    sample, pane = beside(), pane_of("neighbours")

    async def show(pilot: Pilot[None]) -> None:
        await pilot.pause()
        show_sample(pane, sample, "full")
        pane.focus_content()
        await settled(pilot)

    assert snap_compare(ThemedHarness(pane, theme, sample), terminal_size=size, run_before=show)
