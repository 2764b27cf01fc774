"""Whether two views of a map agree."""

from __future__ import annotations

import msgspec

from explorer.base.numbers import format_percent
from explorer.base.records.map_colours import FROM_DISK, MapClasses
from explorer.base.records.map_regions import MOST_REGIONS
from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.maps import MapPoint, MapView, ViewMap, Window
from explorer.specs.comparing.agreement import Agreement, Comparison

ELSEWHERE = 0.02
"""Share of a view's tokens that may be in another cell: sums in another order move some over an edge."""
PICTURE = 1e-3
"""Share of the window by which a named token may be elsewhere."""
SAME_QUALITY = 0.02
"""How far apart the qualities of two layouts of one matrix may be."""


def compare_views(request: ViewMap, recorded: MapView, live: MapView, comparison: Comparison) -> Agreement:
    """The same map where the digests agree; else every word and number, the places and the cells nearly the same."""
    if recorded.digest == live.digest and recorded == live:
        return Agreement("")
    if recorded.quality is not None and live.quality is not None:
        return _compare_layouts(recorded, live, comparison)
    apart = _parts_apart(recorded, live)
    alike = _with_places_of(live, recorded)
    how = "by what was asked before on this machine" if live.colour.partition(":")[0] in FROM_DISK else ""
    return Agreement(comparison.difference(alike, live) or apart, how)


def _compare_layouts(recorded: MapView, live: MapView, comparison: Comparison) -> Agreement:
    """Places may differ with the threads and the processor; how well they keep neighbours may not."""
    assert recorded.quality is not None
    assert live.quality is not None
    how = "by how well neighbours are kept"
    for name in ("trustworthiness", "recall", "recall_100"):
        was, came = getattr(recorded.quality, name), getattr(live.quality, name)
        if not abs(was - came) <= SAME_QUALITY and not (was != was and came != came):
            return Agreement(f"{name}: {was:.3f} was recorded, {came:.3f} came", how)
    alike = msgspec.structs.replace(_with_places_of(live, recorded), quality=live.quality)
    return Agreement(comparison.difference(alike, live), how)


def _with_places_of(live: MapView, recorded: MapView) -> MapView:
    """`recorded` with all of `live` that follows from where tokens lie."""
    return msgspec.structs.replace(
        recorded, cells=live.cells, digest=live.digest, in_view=live.in_view, window=live.window, points=live.points,
        unnamed=live.unnamed, vectors=live.vectors, regions=live.regions, classes=_classes_alike(recorded, live),
    )  # fmt: skip


def _classes_alike(recorded: MapView, live: MapView) -> MapClasses | None:
    """The recorded classes; the live ones where they differ no more than places do: in what is in the window, and in
    groups of the plane, which are found by the places."""
    was, came = recorded.classes, live.classes
    if was is None or came is None or (was.rule, len(was.named)) != (came.rule, len(came.named)):
        return was
    if recorded.colour == "cluster" and (recorded.quality is not None or _counts_near(was, came)):
        return came
    pairs = zip((*was.named, was.rest), (*came.named, came.rest), strict=True)
    *named, rest = (msgspec.structs.replace(one, in_view=other.in_view) for one, other in pairs)
    return msgspec.structs.replace(was, named=tuple(named), rest=rest)


def _counts_near(was: MapClasses, came: MapClasses) -> bool:
    pairs = list(zip((*was.named, was.rest), (*came.named, came.rest), strict=True))
    moved = sum(abs(one.tokens - other.tokens) for one, other in pairs)
    return moved <= ELSEWHERE * sum(one.tokens for one, _ in pairs)


def _parts_apart(recorded: MapView, live: MapView) -> str:
    for name, was, came in zip(("left", "right", "bottom", "top"), recorded.window, live.window, strict=True):
        if abs(was - came) > PICTURE * max(abs(edge) for edge in recorded.window):
            return f"window, {name}: {was:.6g} was recorded, {came:.6g} came"
    theirs = {point.token.token_id: point for point in live.points}
    for point in recorded.points:
        other = theirs.get(point.token.token_id)
        if other is None and live.unnamed:
            continue  # the session had room for it
        if other is None:
            return f"token {point.token.token_id} was named, and is not now"
        if _are_apart((point.x, point.y), (other.x, other.y), recorded.window):
            return f"token {point.token.token_id}: {_places(point, other)}"
    if apart := _vectors_apart(recorded, live):
        return apart
    if apart := _regions_apart(recorded, live):
        return apart
    share = _share_elsewhere(recorded, live)
    return f"{format_percent(share)} of the tokens are in another cell" if share > ELSEWHERE else ""


def _vectors_apart(recorded: MapView, live: MapView) -> str:
    if len(recorded.vectors) != len(live.vectors):
        return f"{len(recorded.vectors)} vectors were recorded, {len(live.vectors)} came"
    for was, came in zip(recorded.vectors, live.vectors, strict=True):
        if (was.role, was.label, was.placing) != (came.role, came.label, came.placing):
            return f"{was.label} was recorded, {came.label} came: {came.why or came.placing}"
        if _are_apart((was.x, was.y), (came.x, came.y), recorded.window):
            return f"{was.label}: {_places(was, came)}"
    return ""


def _regions_apart(recorded: MapView, live: MapView) -> str:
    """What one view names for sure must be named in the other too; which tiles have the name, and the share that they
    hold together, hang on tokens at the edges of tiles."""
    if lost := _unnamed_region(recorded, live):
        return f"a region of {lost} was recorded, none came"
    if new := _unnamed_region(live, recorded):
        return f"no region of {new} was recorded, one came"
    return ""


def _unnamed_region(view: MapView, other: MapView) -> str:
    """The name of the first region of `view` that `other` has nowhere though it is not on the edge of being named:
    one token more or less in the smallest tile with a name does not take it away. Where `other` has all the regions
    that it may have, the smallest of `view` may be the one that it had no room for."""
    from explorer.tables.map_regions import FEWEST, LEAST_SHARE  # NumPy, only where something is compared

    sure = LEAST_SHARE + 1 / FEWEST
    names = {region.name for region in other.regions}
    regions = view.regions if len(other.regions) < MOST_REGIONS else view.regions[:-1]
    return next((region.name for region in regions if region.share > sure and region.name not in names), "")


def _are_apart(was: tuple[float, float], came: tuple[float, float], window: Window) -> bool:
    left, right, bottom, top = window
    return abs(was[0] - came[0]) > PICTURE * (right - left) or abs(was[1] - came[1]) > PICTURE * (top - bottom)


def _places(was: MapPoint | PlacedVector, came: MapPoint | PlacedVector) -> str:
    return f"({was.x:.4g}, {was.y:.4g}) was recorded, ({came.x:.4g}, {came.y:.4g}) came"


def _share_elsewhere(recorded: MapView, live: MapView) -> float:
    """Share of the tokens that are in one view's cells and not in the other's."""
    from explorer.tables.map_cells import unpack_cells  # NumPy, only where something is compared
    from explorer.tables.map_grids import share_elsewhere

    return share_elsewhere(unpack_cells(recorded.cells).counts, unpack_cells(live.cells).counts)
