"""What is said of maps: words, the picture as plain data, and rows."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from explorer.base.numbers import format_percent
from explorer.base.records.map_colours import ClassRule, MapClass, MapClasses
from explorer.base.records.map_regions import MapRegion
from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.maps import (
    COLOUR_STEPS,
    COMPONENT_AXES,
    LAYOUTS,
    MapPoint,
    MapPoints,
    MapQuality,
    MapView,
    ViewMap,
    VocabularyMap,
    unpack_bytes,
)
from explorer.specs.blocks import Block, Density, Plot, Point, Table, Words, count, number, prose, token_text
from explorer.specs.command_line import Row

MATRICES = {"input": "W_E", "output": "W_U"}
ROUND = ("pca", "radial")
"""Planes on which a unit is as long along x as along y."""


def describe_view(request: ViewMap) -> str:
    """'map the vocabulary of mynah, plane distance, around token 742, coloured by input_norm'."""
    words = [f"map the vocabulary of {prose(request.model)}", plane_words(request.plane)]
    words += [f"against {prose(request.other)}"] if request.other else []
    words += [f"around token {request.token_id}"] if request.token_id is not None else []
    words += [f"coloured by {prose(request.colour)}"] if request.colour else []
    words += [f"with its token in {prose(request.twin_in)}"] if request.twin_in else []
    words += [f"with the vectors of {prose(request.vectors)}"] if request.vectors else []
    return ", ".join(words)


def plane_words(plane: str) -> str:
    """The plane by its name."""
    return f"plane {prose(plane)}" if plane else "the plane proposed first"


def summarise_view(outcome: MapView) -> str:
    """The axes, and how many tokens are in view."""
    axes = f"{prose(outcome.x_axis.title)} × {prose(outcome.y_axis.title)}"
    return f"{axes}: {outcome.in_view:,} of {count(outcome.total, 'token')} in view"


def summarise_map(outcome: VocabularyMap) -> str:
    """The axes, and how many tokens have a place."""
    placed = outcome.x.shape[0] - outcome.left_out
    return f"{prose(outcome.x_axis.title)} × {prose(outcome.y_axis.title)}: {count(placed, 'token')}"


def summarise_points(outcome: MapPoints) -> str:
    """How many neighbours, and which vectors."""
    labels = ", ".join(prose(vector.label) for vector in outcome.vectors)
    return f"{count(len(outcome.neighbours), 'neighbour')}" + (f"; {labels}" if labels else "")


def placing_words(vector: PlacedVector) -> str:
    """How a vector was put on the map, or why it was not."""
    if vector.placing == "none":
        return f"no place: {prose(vector.why)}"
    how = "exact" if vector.placing == "exact" else "at the mean of the 3 nearest tokens"
    if vector.fit is None or vector.by_chance is None or vector.kept is None:
        return how
    kept = "" if vector.kept > 0.9995 else f"; {format_percent(vector.kept)} of its square lies in this model's space"
    return f"{how}, once turned by the shared tokens: r {vector.fit:.2f}, {vector.by_chance:.2f} by chance{kept}"


def region_words(region: MapRegion) -> str:
    """'Latin 98.0 %': what a part of the map holds, and how much of it is that."""
    return f"{prose(region.name)} {format_percent(region.share)}"


def view_blocks(request: ViewMap, outcome: MapView) -> Iterable[Block]:
    """What the plane keeps, the picture, and the named tokens."""
    yield Words(prose(_said_of(outcome)))
    if told := kept_words(outcome):
        yield Words(told)
    yield view_plot(outcome)
    if outcome.regions:
        places = (f"{region_words(region)} at ({region.x:.4g}, {region.y:.4g})" for region in outcome.regions)
        yield Words(f"Regions: {', '.join(places)}.")
    if outcome.classes is not None:
        yield _classes_table(outcome, outcome.classes)
        yield from (Words(prose(note)) for note in outcome.classes.notes)
    if outcome.points:
        yield _points_table(outcome)
    if outcome.unnamed:
        yield Words(f"A session has no room for the names of {count(outcome.unnamed, 'further token')}.")
    if outcome.vectors:
        yield _vectors_table(outcome)
    yield from (Words(prose(note), warns=True) for note in outcome.notes)


def _said_of(outcome: MapView) -> str:
    left_out = f"; {count(outcome.left_out, 'token')} without a place" if outcome.left_out else ""
    plane = f"plane {outcome.plane} of {MATRICES[outcome.space]}"
    return f"{outcome.model}: {plane}: {summarise_view(outcome)}{left_out}"


def kept_words(outcome: MapView | VocabularyMap) -> str:
    """How much of the rows' geometry the plane keeps, in one sentence; empty where neither axis can say it."""
    if outcome.quality is not None:
        return quality_words(outcome.quality)
    shares = [axis.share for axis in (outcome.x_axis, outcome.y_axis) if axis.share is not None]
    if not shares:
        return ""
    held = format_percent(sum(shares))
    axes = "The two axes hold" if len(shares) == 2 else "The component holds"
    return f"{axes} {held} of the rows' variance: most of what is near or far is not in this plane."


def quality_words(quality: MapQuality) -> str:
    """What a plane that is made to keep neighbours does keep."""
    return (
        f"Of a token's 10 nearest rows {100 * quality.recall:.0f} % are among its 10 nearest here and "
        f"{100 * quality.recall_100:.0f} % among its 100 nearest; trustworthiness {quality.trustworthiness:.3f} "
        f"(sample of {quality.sample:,}). Distances between groups mean nothing."
    )


def view_plot(outcome: MapView) -> Plot:
    """The picture: cells of the window, and the named tokens in it."""
    codes = unpack_bytes(outcome.cells) or b""
    classed = outcome.classes is not None
    names = tuple((region.x, region.y, region_words(region)) for region in outcome.regions)
    density = Density(
        outcome.cells.columns, outcome.cells.rows, codes, outcome.window, is_round(outcome), classed, names
    )
    return Plot(
        title=f"map of {prose(outcome.model)}, plane {prose(outcome.plane)}",
        points=_plotted(outcome),
        x_axis=prose(outcome.x_axis.title),
        y_axis=f"{prose(outcome.y_axis.title)} ↑",
        colour=prose(outcome.colour),
        colour_range=(0.0, 0.5, 1.0) if outcome.colour_edges else None,
        legend=colour_words(outcome),
        swatches=tuple((colour, class_words(found)) for colour, found in outcome.classes.present)
        if outcome.classes
        else (),
        density=density if codes else None,
    )


def colour_words(outcome: MapView) -> str:
    """What the colours mean: the steps of the ramp, or how a cell's class is chosen."""
    if outcome.classes is not None:
        return f"{prose(outcome.colour)}; {rule_words(outcome.classes.rule)}"
    if not outcome.colour_edges:
        return ""
    low, *_, high = outcome.colour_edges
    return f"{prose(outcome.colour)} by sevenths of the tokens, <{low:.4g} (dark) – ≥{high:.4g} (light)"


def rule_words(rule: ClassRule) -> str:
    """How the colour of a cell with several classes is chosen."""
    return "a cell shows its rarest class" if rule == "rarest" else "a cell shows the class most above its average"


def class_words(found: MapClass) -> str:
    """'fragment 41 of 269', with the class's tokens in view."""
    shown = f"{found.in_view:,} of " if found.in_view not in (None, found.tokens) else ""
    return f"{prose(found.name)} {shown}{found.tokens:,}"


def is_round(outcome: MapView | VocabularyMap) -> bool:
    """Whether a unit must be as long along x as along y, so that distances look like what they are."""
    both = outcome.x_axis.name in COMPONENT_AXES and outcome.y_axis.name in COMPONENT_AXES
    return both or outcome.plane in (*ROUND, *LAYOUTS)


def colour_step(value: float | None, edges: tuple[float, ...]) -> int | None:
    """In which seventh of the tokens a value lies, 0 to 6; None where there is nothing to tell."""
    return None if value is None or value != value or not edges else bisect.bisect_right(edges, value)


def _point(point: MapPoint, edges: tuple[float, ...]) -> Point:
    step = colour_step(point.value, edges)
    return Point(
        x=point.x,
        y=point.y,
        label=token_text(point.token),
        detail=f"id {point.token.token_id} · {point.role} · ({point.x:.4g}, {point.y:.4g})",
        value=None if step is None else (step + 0.5) / COLOUR_STEPS,
        in_class=point.in_class,
        is_subject=point.role == "subject",
    )


def _plotted(outcome: MapView) -> tuple[Point, ...]:
    """The subject, what is no token, and the other named tokens: labels go to the first."""
    tokens = [_point(point, outcome.colour_edges) for point in outcome.points]
    subjects = [point for point in tokens if point.is_subject]
    vectors = [
        Point(vector.x, vector.y, prose(vector.label), f"{vector.role} · {placing_words(vector)}")
        for vector in outcome.vectors
        if vector.placing != "none"
    ]
    return (*subjects, *vectors, *(point for point in tokens if not point.is_subject))


def _vectors_table(outcome: MapView) -> Table:
    rows = tuple(
        (prose(vector.label), vector.role, *_place_texts(vector), placing_words(vector)) for vector in outcome.vectors
    )
    return Table(("what", "kind", "x", "y", "how placed"), rows, frozenset({"x", "y"}), title="no tokens of this model")


def _place_texts(vector: PlacedVector) -> tuple[str, str]:
    return ("–", "–") if vector.placing == "none" else (number(vector.x), number(vector.y))


def _points_table(outcome: MapView) -> Table:
    colour = (prose(outcome.colour),) if outcome.colour else ()
    heads = ("id", "token", "category", "why named", "x", "y", *colour)
    rows = tuple(
        (str(point.token.token_id), token_text(point.token), point.category, point.role, number(point.x),
         number(point.y), *(_colour_of(point, outcome.classes) for _ in colour))
        for point in outcome.points
    )  # fmt: skip
    strong = frozenset(place for place, point in enumerate(outcome.points) if point.role == "subject")
    right = frozenset({"id", "x", "y", *(() if outcome.classes else colour)})
    return Table(heads, rows, right, strong, title="named tokens")


def _colour_of(point: MapPoint, classes: MapClasses | None) -> str:
    if classes is None:
        return number(point.value)
    return "" if point.in_class is None else prose(classes.name_of(point.in_class))


def _classes_table(outcome: MapView, classes: MapClasses) -> Table:
    rows = tuple(
        (prose(found.name), f"{found.tokens:,}", "" if found.in_view is None else f"{found.in_view:,}")
        for _, found in classes.present
    )
    title = f"colour: {colour_words(outcome)}"
    return Table((prose(outcome.colour), "tokens", "in view"), rows, frozenset({"tokens", "in view"}), title=title)


def map_rows(outcome: VocabularyMap) -> Iterable[Row]:
    """Every token that has a place: its id, where it lies, and its colour's number or class where one was asked for."""
    x, y = outcome.x.numpy().tolist(), outcome.y.numpy().tolist()
    values = None if outcome.values is None else outcome.values.numpy().tolist()
    class_of = [] if outcome.class_of is None else outcome.class_of.numpy().tolist()
    for token_id, (across, up) in enumerate(zip(x, y, strict=True)):
        if across == across:  # NaN has no place
            row = {"model": outcome.model, "token_id": token_id, "x": across, "y": up}
            if values is not None:
                row["value"] = values[token_id] if values[token_id] == values[token_id] else None
            if outcome.classes is not None:
                row["class"] = outcome.classes.name_of(class_of[token_id])
            yield row


def vector_rows(outcome: MapPoints) -> Iterable[Row]:
    """Every vector: what it is, where it lies, and how it was put there."""
    for vector in outcome.vectors:
        where = {} if vector.placing == "none" else {"x": vector.x, "y": vector.y}
        fit = {name: getattr(vector, name) for name in ("fit", "by_chance", "kept")}
        known = {name: value for name, value in fit.items() if value is not None}
        yield {
            "model": outcome.model, "vector": vector.label, "role": vector.role, **where,
            "placed": placing_words(vector), **known,
        }  # fmt: skip
