"""What a view takes of a session at most, and views of one map in other grids."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import pytest

from explorer.base.records.maps import GRID, MapAxis, MapView, ViewMap, VocabularyMap
from explorer.base.records.plain import dump_json
from explorer.base.records.record import Array
from explorer.specs.comparing.agreement import Comparison
from explorer.specs.map_compare import ELSEWHERE, compare_views
from explorer.specs.map_words import view_blocks
from explorer.tables.map_cells import Cloud, pack_cells, pack_window, unpack_cells
from explorer.tables.map_grids import share_elsewhere
from explorer.tables.map_sizes import LEAST_PACKED, MOST_VIEW
from explorer.tables.maps import PlacedMap
from explorer.tables.table import TokenColumns
from tests.tui.token_samples import HOSTILE, vocabulary

SIZE = 20_000
WHOLE = (0.0, 1.0, 0.0, 1.0)


@cache
def filled_map(longest: int) -> PlacedMap:
    """A plane that is filled evenly, by tokens with hostile names of up to `longest` bytes."""
    random = np.random.default_rng(longest)
    x, y = random.random((2, SIZE)).astype(np.float32)
    words = [HOSTILE[at % len(HOSTILE)] * (1 + at % 9) + b"%d" % at for at in range(SIZE)]
    columns = TokenColumns(vocabulary([(word * longest)[: max(6, longest - at % 7)] for at, word in enumerate(words)]))
    axes = (MapAxis(name="pc1", title="PC1", share=0.1), MapAxis(name="pc2", title="PC2", share=0.1))
    colour = columns.default_indicator
    return PlacedMap(
        VocabularyMap(
            model="m", plane="pca", space="input", x=Array.of(x), y=Array.of(y), x_axis=axes[0], y_axis=axes[1],
            digest="0" * 32, left_out=0, colour=colour, values=Array.of(columns.values(colour)),
        ),
        columns,
    )  # fmt: skip


@pytest.mark.parametrize("longest", [8, 60, 900, 40_000])
@pytest.mark.parametrize("count", [0, 30, 198])
def test_a_view_of_any_names_fits_into_a_session_and_counts_those_left_out(longest: int, count: int) -> None:
    request = ViewMap(model="m", token_id=5, marked=tuple(range(100, 100 + count)), window=WHOLE, regions=True)
    if longest == 40_000:  # no name fits, and the columns need not hold so many of them
        whole = filled_map(8)
        columns = TokenColumns(vocabulary([HOSTILE[0] * longest] * 5 + list(HOSTILE)))
        few = [Array.of(values[: columns.vocab_size]) for values in (whole.x, whole.y)]
        found = msgspec.structs.replace(whole.found, x=few[0], y=few[1], values=None, colour="")
        view = PlacedMap(found, columns).view(msgspec.structs.replace(request, token_id=2, marked=(1, 3)))
        assert (view.points, view.unnamed) == ((), 3)
        assert "names of 3 further tokens" in str(list(view_blocks(request, view)))
    else:
        view = filled_map(longest).view(request)
        assert len(view.points) + view.unnamed == count + 1
        assert view.points[0].role == "subject"
        assert unpack_cells(view.cells).counts.sum() == pytest.approx(SIZE, rel=0.19), "a step of density"
        assert len(view.cells.packed) > LEAST_PACKED / 2
    assert len(dump_json(view)) <= MOST_VIEW
    assert view.problem() == view.cells.problem() == ""


def packed_counts(cloud: Cloud, columns: int, rows: int) -> np.ndarray:
    return unpack_cells(pack_cells(cloud.cells(WHOLE, columns, rows))).counts


@pytest.mark.parametrize("quarters", [5, 6, 7, 8, 10, 12, 24, 64])
def test_one_map_is_the_same_in_any_grid_and_another_is_not(quarters: int) -> None:
    random = np.random.default_rng(quarters)
    x, y = random.normal(0.5, 0.12, size=(2, 60_000)).clip(0, 1).astype(np.float32)
    x[:9_000], y[:9_000] = 0.2500001, 0.75  # a clump on the edge of a cell
    fine = packed_counts(Cloud(x, y), *GRID)
    grid = GRID[0] * 4 // quarters, GRID[1] * 4 // quarters
    assert share_elsewhere(fine, packed_counts(Cloud(x, y), *grid)) == 0
    moved = x.copy()
    moved[:9_000] = 0.75
    for other in (Cloud(moved, y), Cloud(y, x), Cloud((x + np.float32(0.1)).clip(0, 1), y)):
        assert share_elsewhere(fine, packed_counts(other, *grid)) > ELSEWHERE


def test_a_session_with_other_names_and_cells_agrees_with_the_same_map() -> None:
    whole = filled_map(60)
    request = ViewMap(model="m", token_id=5, marked=tuple(range(100, 290)), window=WHOLE)
    live = whole.view(request)
    bare = whole.view(ViewMap(model="m", window=WHOLE))
    assert live.cells.columns < bare.cells.columns
    recorded = msgspec.structs.replace(
        live, points=tuple(whole.named_points(request)), unnamed=0, cells=pack_window(whole.cloud, WHOLE)
    )
    assert len(recorded.points) > len(live.points)
    assert compare_views(request, recorded, live, Comparison()).difference == ""
    turned = Cloud(whole.y**2, whole.x)
    other: MapView = msgspec.structs.replace(recorded, cells=pack_window(turned, WHOLE))
    assert "% of the tokens are in another cell" in compare_views(request, other, live, Comparison()).difference
