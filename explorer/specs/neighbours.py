"""Neighbours: the nearest tokens of one token among the embeddings, listed and plotted."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from explorer.base.numbers import format_percent
from explorer.base.records.neighbours import FindNeighbours, Neighbour, Neighbourhood
from explorer.base.records.plain import to_plain
from explorer.base.records.tokens import INDICATORS, TokenRow, bare_row
from explorer.settings import Settings
from explorer.specs.blocks import Block, Plot, Point, Table, Words, count, number, prose, token_text
from explorer.specs.command_line import Asked, Row, Verb, add_token, positive
from explorer.specs.comparing.agreement import Agreement, Comparison
from explorer.specs.neighbours_there import both_table, facts_there, kept_words, rows_there
from explorer.specs.spec import Spec, Tab

if TYPE_CHECKING:
    import numpy as np

MATRICES = {"input": "W_E", "output": "W_U"}
USUAL_COLOUR = "input_centroid_distance"
"""The indicator that colours a plot where none was chosen."""


# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────


def describe(request: FindNeighbours) -> str:
    """'20 cosine neighbours of token 742 in mynah's input embeddings'."""
    by_meaning = ", also by meaning" if request.encoder else ""
    by_meaning += f", beside those in {prose(request.other)}" if request.other else ""
    return (
        f"{request.k} {request.metric} neighbours of token {request.token_id}"
        f" in {prose(request.model)}'s {request.space} embeddings{by_meaning}"
    )


def summarise(outcome: Neighbourhood) -> str:
    """How many there are, and the nearest."""
    subject = token_text(outcome.subject.token)
    if not outcome.neighbours:
        return f"{subject} has no neighbours"
    nearest = outcome.neighbours[0]
    found = count(len(outcome.neighbours), "neighbour")
    kept = f"; {kept_words(outcome)}" if outcome.there is not None else ""
    return f"{found} of {subject}, nearest {token_text(nearest.token)} {nearest.distance:.4g}{kept}"


def blocks(request: FindNeighbours, outcome: Neighbourhood) -> Iterable[Block]:
    """The plot and the list."""
    yield plot(request, outcome)
    with_meaning = any(neighbour.meaning is not None for neighbour in outcome.neighbours)
    extra = ("meaning",) if with_meaning else ()
    heads = ("nearest", "id", "token", "category", f"{outcome.metric} distance", *extra)
    rows = tuple(
        (str(place), str(entry.token.token_id), token_text(entry.token), entry.category, number(entry.distance),
         *((number(entry.meaning, 3),) if with_meaning else ()))
        for place, entry in enumerate(outcome.neighbours, start=1)
    )  # fmt: skip
    title = f"{prose(outcome.model)}: nearest to {token_text(outcome.subject.token)} in {MATRICES[outcome.space]}"
    yield Table(heads, rows, right=frozenset(heads) - {"token", "category"}, title=title)
    if outcome.there is not None:
        yield Words(f"{kept_words(outcome)}.")
        yield both_table(outcome, outcome.there)


def plot(request: FindNeighbours, outcome: Neighbourhood) -> Plot:
    """The neighbourhood in its PCA plane, the subject first, coloured by the indicator that the screen showed."""
    colour = colour_of(request, outcome)
    return Plot(
        title=f"neighbourhood of {token_text(outcome.subject.token)}",
        points=tuple(_point(member, colour, is_subject=member is outcome.subject) for member in placed(outcome)),
        x_axis=axis_title("PC1", outcome.variance[0]),
        y_axis=axis_title("PC2 ↑", outcome.variance[1]),
        colour=colour,
        colour_range=outcome.indicator_ranges.get(colour),
    )


def placed(outcome: Neighbourhood) -> list[Neighbour]:
    """The subject and its neighbours, of those that have a place in the plane: the plot's points, in order."""
    members = (outcome.subject, *outcome.neighbours)
    return [member for member in members if math.isfinite(member.x) and math.isfinite(member.y)]


def colours(outcome: Neighbourhood) -> tuple[str, ...]:
    """The indicators that may colour it, in order."""
    return tuple(name for name in INDICATORS if name in outcome.indicator_ranges)


def colour_of(request: FindNeighbours, outcome: Neighbourhood) -> str:
    """The indicator that colours it: the one chosen, else the usual one, else the first; empty where there is none."""
    known = colours(outcome)
    return next((name for name in (request.colour, USUAL_COLOUR, *known) if name in known), "")


def axis_title(name: str, share: float) -> str:
    """An axis of the plane with its share of the variance."""
    return f"{name} {format_percent(share)}" if math.isfinite(share) else name


def _point(member: Neighbour, colour: str, *, is_subject: bool) -> Point:
    return Point(
        x=member.x,
        y=member.y,
        label=token_text(member.token),
        detail=f"id {member.token.token_id} · distance {member.distance:.4g}",
        value=member.indicators.get(colour),
        is_subject=is_subject,
    )


# ── in a session ──────────────────────────────────────────────────────────────────────────────────────────


def subject_of(request: FindNeighbours, outcome: object) -> TokenRow | None:
    """The token whose neighbours were found."""
    if not isinstance(outcome, Neighbourhood):
        return None
    return msgspec.structs.replace(bare_row(outcome.subject.token), category=outcome.subject.category)


PICTURE = 1e-3
"""Share of a plot's half width by which a point may be elsewhere."""


def compare(request: FindNeighbours, recorded: Neighbourhood, live: Neighbourhood, comparison: Comparison) -> Agreement:
    """Distances within the tolerance, near ties in any order, and the plot the same but for a turn or a flip."""
    return Agreement(comparison.difference(recorded, live) or _plot_difference(recorded, live))


def _plot_difference(recorded: Neighbourhood, live: Neighbourhood) -> str:
    """Whether the points can be turned and flipped onto each other; not where a near tie put another token in."""
    import numpy as np

    ours = {entry.token.token_id: (entry.x, entry.y) for entry in (recorded.subject, *recorded.neighbours)}
    theirs = {entry.token.token_id: (entry.x, entry.y) for entry in (live.subject, *live.neighbours)}
    if ours.keys() != theirs.keys():
        return ""
    was = np.array(list(ours.values()), dtype=np.float64)
    came = np.array([theirs[token_id] for token_id in ours], dtype=np.float64)
    if not np.isfinite(was).all() or not np.isfinite(came).all():
        return "" if np.array_equal(was, came, equal_nan=True) else "x, y: a point has no place"
    size = max(float(np.abs(was).max()), float(np.abs(came).max()))
    if size == 0:
        return ""
    left, _, right = np.linalg.svd((was / size).T @ (came / size))  # Procrustes: the turn that brings them nearest
    off = np.abs(was / size @ (left @ right) - came / size).max(axis=1)
    worst = int(off.argmax())
    return "" if off[worst] <= PICTURE else f"x, y: {_place(was[worst])} was recorded, {_place(came[worst])} came"


def _place(point: np.ndarray) -> str:
    return f"({point[0]:.4g}, {point[1]:.4g})"


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────


def _arguments(parser: ArgumentParser) -> None:
    add_token(parser, required=True)
    parser.add_argument("--k", type=positive, default=20, metavar="K", help="how many neighbours (default 20)")
    parser.add_argument("--metric", choices=("euclidean", "cosine", "dot"), default="cosine",
                        help="how near is measured (default cosine)")  # fmt: skip
    parser.add_argument(
        "--space", choices=("input", "output"), default="input", help="rows of W_E (default), or columns of W_U"
    )
    parser.add_argument(
        "--beside", action="store_true",
        help="of two sources: the first's neighbours beside those of the second's token with the same bytes",
    )  # fmt: skip
    parser.add_argument("--encoder", metavar="DIR", help="a sentence-transformers model: also compare by meaning")


def _requests(asked: Asked) -> Iterable[FindNeighbours]:
    given = asked.arguments
    second = asked.models[1].name if given.beside else ""
    for model, token_id in tuple(zip(asked.models, asked.token_ids, strict=True))[: 1 if second else None]:
        assert token_id is not None
        yield FindNeighbours(
            model=model.name,
            token_id=token_id,
            k=given.k,
            metric=given.metric,
            space=given.space,
            encoder=given.encoder or asked.settings.encoder,
            other=second,
        )


def _before(given: Namespace, wrong: Callable[[str], Any]) -> None:
    if given.beside and len(given.sources) != 2:
        wrong("--beside needs two sources")


def _json_rows(outcome: Neighbourhood) -> Iterable[Row]:
    """A row a neighbour; with another model, whether it is one there, and then that model's rows."""
    for neighbour in outcome.neighbours:
        plain = to_plain(neighbour)
        token = plain.pop("token")
        known = {key: value for key, value in plain.items() if value is not None}
        yield {"model": outcome.model, **token, **known, **facts_there(outcome, neighbour.token.token_id)}
    yield from rows_there(outcome)


def _with_settings(request: FindNeighbours, settings: Settings) -> FindNeighbours:
    return request if request.encoder else msgspec.structs.replace(request, encoder=settings.encoder)


NEIGHBOURS = Tab(
    name="neighbours",
    title="Neighbours",
    short_title="Nei…",
    pane="explorer.tui.panes.neighbours.pane:NeighboursPane",
    help="The nearest tokens of the selected one, listed and plotted.",
    number=4,
    key="n",
    command="neighbours",
    command_title="neighbours",
    command_help="Find the nearest neighbours of the token, listed and plotted.",
)

SPECS = (
    Spec(
        request=FindNeighbours,
        outcome=Neighbourhood,
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.neighbours:answer",
        needs=lambda request: frozenset({"vocabulary", "weights"}),
        token="token_id",
        subject=subject_of,
        sources=("encoder",),
        models=("model", "other"),
        background=lambda request: bool(request.other),
        compare=compare,
        verb=Verb(
            name="neighbours",
            help="find the nearest neighbours of a token",
            arguments=_arguments,
            before=_before,
            requests=_requests,
            token="each",
            examples=(
                ("zoo:mynah --token ' magic' --k 10", "the ten nearest tokens by cosine"),
                ("zoo:mynah zoo:lyrebird --token ' magic' --beside", "in two models, side by side"),
            ),
        ),
        json_rows=_json_rows,
        tab=NEIGHBOURS,
        with_settings=_with_settings,
        selects_model=True,
    ),
)
