"""Maps: a whole vocabulary on a plane, and views of it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from explorer.base.errors import UsageError
from explorer.base.records.map_colours import CLASSINGS
from explorer.base.records.maps import (
    COMPONENT_AXES,
    LAYOUTS,
    MAP_AXES,
    NEAREST_AXIS,
    PAIR_AXES,
    PLANES,
    MapPoints,
    MapRequest,
    MapView,
    PlacePoints,
    PointsRequest,
    ReadMap,
    ViewMap,
    VocabularyMap,
    Window,
    window_problem,
)
from explorer.base.records.tokens import TokenRow, bare_row
from explorer.specs.blocks import Block, prose
from explorer.specs.command_line import Asked, Verb, add_token, at_least_none, ids
from explorer.specs.map_compare import compare_views
from explorer.specs.map_words import (
    describe_view,
    map_rows,
    plane_words,
    summarise_map,
    summarise_points,
    summarise_view,
    vector_rows,
    view_blocks,
)
from explorer.specs.spec import Spec, Tab

FORMS = (".svg", ".png", ".parquet", ".csv", ".jsonl", ".md")
SUSPECTS = 20
REFERENCES = 5
NEIGHBOURS = 10

# ── in a session ──────────────────────────────────────────────────────────────────────────────────────────


def subject_of(request: ViewMap, outcome: object) -> TokenRow | None:
    """The token that the view is about."""
    if not isinstance(outcome, MapView):
        return None
    found = next((point for point in outcome.points if point.role == "subject"), None)
    return None if found is None else msgspec.structs.replace(bare_row(found.token), category=found.category)


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────


def _window(text: str) -> Window:
    try:
        left, right, bottom, top = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ArgumentTypeError(f"'{text}' is not four numbers: write LEFT,RIGHT,BOTTOM,TOP") from error
    if problem := window_problem((left, right, bottom, top)):
        raise ArgumentTypeError(problem)
    return left, right, bottom, top


def _arguments(parser: ArgumentParser) -> None:
    _add_plane(parser)
    _add_points(parser)
    parser.add_argument("--unused-ids", type=ids, metavar="IDS", help="ids of the reference tokens: 5,9-12")
    parser.add_argument(
        "--export", metavar="FILE",
        help="write the picture (.svg, .png), or every token with its place (.parquet, .csv, .jsonl)",
    )  # fmt: skip


def _add_plane(parser: ArgumentParser) -> None:
    planes = "; ".join(f"{name}: {meaning}" for name, meaning in PLANES.items())
    axes = f"indicators, {COMPONENT_AXES[0]} to {COMPONENT_AXES[-1]}" + "".join(
        f", {name}" for name in MAP_AXES if name not in COMPONENT_AXES
    )
    parser.add_argument(
        "--plane", default="", metavar="NAME",
        help=f"{planes}; or two axes, X,Y, of {axes} (default: reference where there is one, else distance)",
    )  # fmt: skip
    add_token(parser, required=False)
    classes = "; ".join(f"{name}: {meaning}" for name, meaning in CLASSINGS.items())
    parser.add_argument(
        "--colour", default="", metavar="NAME", help=f"an axis to colour by (default: the indicator); or {classes}"
    )
    parser.add_argument(
        "--pair", default="", metavar="NAME",
        help="this axis of the first SOURCE against the same of the second, tokens aligned by their bytes; or "
        + "; or ".join(f"{name}: {meaning}" for name, meaning in PAIR_AXES.items()),
    )  # fmt: skip
    parser.add_argument("--space", choices=("input", "output"), default="input", help="rows of W_E (default), or W_U")
    parser.add_argument("--window", type=_window, metavar="L,R,B,T", help="only this part: LEFT,RIGHT,BOTTOM,TOP")


def _add_points(parser: ArgumentParser) -> None:
    """What stands on the plane with a name."""
    parser.add_argument("--name", type=ids, default=(), metavar="IDS", help="tokens to name: 907, or 5,9-12")
    parser.add_argument(
        "--suspects", type=at_least_none, default=SUSPECTS, metavar="N",
        help=f"name the N tokens lowest by the default indicator (default {SUSPECTS})",
    )  # fmt: skip
    parser.add_argument(
        "--neighbours", type=at_least_none, default=NEIGHBOURS, metavar="N",
        help=f"name the N tokens nearest to the token by cosine (default {NEIGHBOURS})",
    )  # fmt: skip
    parser.add_argument(
        "--twin", action="store_true",
        help="map the first SOURCE, and put on it the second's token with the same bytes, turned by the shared ones",
    )  # fmt: skip
    parser.add_argument(
        "--points", default="", metavar="FILE",
        help="also put vectors of this file (.safetensors, .npy) on the map: soft prompts, directions",
    )  # fmt: skip


def _before(given: Namespace, wrong: Callable[[str], Any]) -> None:
    """A file that cannot be written is refused before anything is computed."""
    if given.pair and len(given.sources) != 2:
        wrong("--pair needs two sources")
    if given.twin and (given.pair or len(given.sources) != 2):
        wrong("--twin needs two sources, and no --pair")
    if given.export and Path(given.export).suffix.lower() not in FORMS:
        raise UsageError(
            f"{Path(given.export).name} is no form of a map", hint=f"End it with one of {' '.join(FORMS)}."
        )


def _requests(asked: Asked) -> Iterable[ViewMap | ReadMap | PlacePoints]:
    """The view, unless only the rows are asked for and nothing is recorded; the whole map for rows and most files."""
    given = asked.arguments
    second = asked.models[1].name if given.pair or given.twin else ""
    for model, token_id in tuple(zip(asked.models, asked.token_ids, strict=True))[: 1 if second else None]:
        view = ViewMap(
            model=model.name,
            plane=given.pair or given.plane,
            other=second if given.pair else "",
            space=given.space,
            token_id=token_id,
            seed=asked.settings.seed,
            colour=given.colour,
            window=given.window,
            named=given.name,
            suspects=given.suspects,
            references=REFERENCES,
            regions=True,
            neighbours=given.neighbours if token_id is not None else 0,
            centroid=True,
            twin_in=second if given.twin else "",
            vectors=given.points,
            unused_ids=given.unused_ids,
        )
        suffix = Path(given.export or "").suffix.lower()
        if not given.json or given.session or suffix == ".svg":
            yield view
        if given.json or suffix not in ("", ".svg"):
            yield view.of_same_map(ReadMap)
        if given.json and (given.twin or given.points):
            yield view.of_same_map(PlacePoints, centroid=True, twin_in=view.twin_in, vectors=view.vectors)


def _printed(given: Namespace, request: Any, outcome: Any) -> Iterable[Block]:
    return view_blocks(request, outcome) if isinstance(outcome, MapView) else ()


def _export(given: Namespace, request: Any, outcome: Any) -> None:
    """Write the file that `--export` names, one a model."""
    if not given.export:
        return
    path = Path(given.export)
    if len(given.sources) > 1 and not (given.pair or given.twin):
        path = path.with_stem(f"{path.stem}-{outcome.model}")
    if isinstance(outcome, MapPoints) or (path.suffix.lower() == ".svg") != isinstance(outcome, MapView):
        return
    from explorer.specs.map_files import write_map  # NumPy

    print(f"{write_map(outcome, path)} written to {prose(path.name)}", file=sys.stderr)


def is_slow(request: MapRequest) -> bool:
    """Whether rows are compared each with each, or laid out, for it: minutes where the vocabulary is large."""
    if isinstance(request, PointsRequest) and request.twin_in:
        return True
    axes = (request.plane, request.colour, *request.plane.split(","))
    return any(axis.strip() in (*LAYOUTS, *PAIR_AXES, NEAREST_AXIS, "nearest") for axis in axes)


MAP = Tab(
    name="map",
    title="Map",
    pane="explorer.tui.panes.map.pane:MapPane",
    help="The whole vocabulary on a plane.",
    number=10,
    key="M",
    command="map",
    command_title="map",
    command_help="Map the whole vocabulary on a plane.",
)

MODELS = ("model", "other", "twin_in")

SPECS = (
    Spec(
        request=ReadMap,
        outcome=VocabularyMap,
        describe=lambda request: f"read the map of {prose(request.model)}, {plane_words(request.plane)}",
        summarise=summarise_map,
        answer="explorer.engine.answers.maps.answer:answer_read",
        needs=lambda request: frozenset({"vocabulary", "weights"}),
        background=is_slow,
        models=("model", "other"),
        token="token_id",
        recorded=False,
        json_rows=map_rows,
        tab=MAP,
    ),
    Spec(
        request=PlacePoints,
        outcome=MapPoints,
        describe=lambda request: f"put points on the map of {prose(request.model)}, {plane_words(request.plane)}",
        summarise=summarise_points,
        answer="explorer.engine.answers.maps.answer:answer_points",
        needs=lambda request: frozenset({"vocabulary", "weights"}),
        background=is_slow,
        models=MODELS,
        token="token_id",
        recorded=False,
        sources=("vectors",),
        json_rows=vector_rows,
        tab=MAP,
    ),
    Spec(
        request=ViewMap,
        outcome=MapView,
        describe=describe_view,
        summarise=summarise_view,
        blocks=view_blocks,
        answer="explorer.engine.answers.maps.answer:answer_view",
        needs=lambda request: frozenset({"vocabulary", "weights"}),
        background=is_slow,
        models=MODELS,
        token="token_id",
        sources=("vectors",),
        subject=subject_of,
        compare=compare_views,
        verb=Verb(
            name="map",
            help="map the whole vocabulary on a plane",
            arguments=_arguments,
            before=_before,
            requests=_requests,
            token="each",
            blocks=_printed,
            after=_export,
            examples=(
                (
                    "zoo:mynah --plane distance --export map.svg",
                    "every token by centroid distance and PC1, as a picture",
                ),
                ("zoo:mynah --plane pc1,pc2 --json", "one object a token: token_id, x, y"),
            ),
        ),
        selects_model=True,
        tab=MAP,
    ),
)
