"""Maps: every token of a model on one plane, and views of it that a session can hold."""

from __future__ import annotations

from typing import Literal, TypeVar

from explorer.base.records.map_colours import MapClasses
from explorer.base.records.map_regions import MapRegion
from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.neighbours import Space
from explorer.base.records.record import Array, Outcome, Record, Request
from explorer.base.records.tokens import Category, TokenRef

PLANES: dict[str, str] = {
    "reference": "cosine distance to the reference tokens × distance to the centroid (needs such tokens)",
    "distance": "distance to the centroid × first principal component",
    "cosine": "norm × cosine with the centroid",
    "nearest": "distance to the nearest other row × distance to the centroid",
    "pca": "first × second principal component",
    "radial": "true distance from a token (without one: from the centroid), at the angle of the two first components",
    "landmarks": "neighbours stay together (t-SNE), for a sample of tokens; the others stand at their nearest of these",
    "neighbours": "neighbours stay together (t-SNE of every token's 15 nearest)",
}
"""Every plane with a name, with its meaning, in the order in which they are proposed. Any two axes are a plane too:
`pc3,pc4`, `input_norm,pc1`."""

LAYOUTS = ("landmarks", "neighbours")
"""Planes on which only who is near means something: axes and long distances mean nothing."""

COMPONENT_AXES = tuple(f"pc{number}" for number in range(1, 9))
X, Y = "map_x", "map_y"
"""Names of axes that are nothing by themselves."""
NEAREST_AXIS = "nearest_distance"
MAP_AXES: dict[str, str] = {
    **{name: f"coordinate along principal component {name[2:]} of the matrix" for name in COMPONENT_AXES},
    NEAREST_AXIS: "Euclidean distance of the token's row to the nearest other row",
}
"""Axes besides the indicators, with their meaning: computed when they are asked for."""
PAIR_AXES: dict[str, str] = {
    "moved": "how far the token's row is from the other model's once these are turned, shifted and scaled to fit "
    "(Procrustes); 1: as far as a row usually is from the mean",
    "kept_neighbours": "share of the token's 10 nearest tokens that are among its 10 nearest in the other model",
}
"""Axes of two models, over the tokens that they share, with their meaning; they stand against the default indicator."""

GRID = (256, 128)
"""Columns and rows of the cells in which a session keeps a view, where they fit."""
MOST_PACKED = 9_000
"""Bytes that the cells of a view take at most in a session, of 20,000 for the whole view with its named tokens: where a
vocabulary fills its plane evenly, or many tokens are named, cells are larger instead."""
MOST_POINTS = 200
"""Tokens that a view may name."""
MOST_CELLS = 1 << 20
"""Cells of a view; no session holds more."""

COLOUR_STEPS = 7
NO_COLOUR = 7
"""Colour of a cell in which no token has a number."""

Window = tuple[float, float, float, float]
"""Least and greatest x, least and greatest y."""
Role = Literal["subject", "marked", "named", "neighbour", "suspect", "reference"]
"""Why a token of a view has a name: it was asked about, is marked, was asked for by its id, is one of the nearest to
the subject, is one of those that the default indicator suspects most, or is a reference token."""

MapKind = TypeVar("MapKind", bound="MapRequest")


class MapRequest(Request, kw_only=True):
    """Which map: what a question of the whole and one of a view have in common."""

    model: str
    plane: str = ""
    """One of `PLANES`, or two axes with a comma between them; empty: the one proposed first. With `other`: one axis."""
    other: str = ""
    """Another loaded model: x is the number of this model's token on the axis, y that of the other's token with the
    same bytes. With one of `PAIR_AXES`, x is the default indicator."""
    space: Space = "input"
    """Whose rows: `input` W_E, `output` W_U. The reference tokens are always looked for in W_U."""
    token_id: int | None = None
    """The subject of a view; for `radial`: from whom distances are; None: the centroid."""
    seed: int = 0
    """For the planes in `LAYOUTS`: which tokens are the sample."""
    colour: str = ""
    """What to colour by: an axis, whose numbers come too, or one of `map_colours.CLASSINGS`; empty: nothing, or the
    default indicator of a view."""
    unused_ids: tuple[int, ...] | None = None
    """Reference tokens; None: found automatically."""

    def of_same_map(self, kind: type[MapKind], **more: object) -> MapKind:
        """A request of this kind for the same map, with these fields besides, or in place of what it has."""
        fields = {name: getattr(self, name) for name in MapRequest.__struct_fields__}
        return kind(**fields | more)


class ReadMap(MapRequest, kw_only=True):
    """Where every token of a model lies on a plane. Never stands in a session file."""


class MapAxis(Record, kw_only=True):
    name: str
    """An indicator, one of `MAP_AXES`, or `map_x` and `map_y` of a plane whose axes are nothing by themselves."""
    title: str
    share: float | None = None
    """Share of the rows' variance along it, where that is what it is."""


class MapQuality(Record, kw_only=True):
    """What a plane keeps of who is near to whom, by a sample of tokens."""

    sample: int
    trustworthiness: float
    """1: who is among a token's 10 nearest on the plane is near it among the rows too; 0.5: by chance."""
    recall: float
    """Share of a token's 10 nearest rows that are among its 10 nearest on the plane."""
    recall_100: float
    """Share of a token's 10 nearest rows that are among its 100 nearest on the plane."""


class VocabularyMap(Outcome, kw_only=True):
    """A whole vocabulary on a plane, one entry per embedding row."""

    model: str
    plane: str
    """The plane that was chosen, as in `ReadMap`."""
    space: Space
    x: Array
    """float32 [vocab]; NaN for tokens that have no place."""
    y: Array
    x_axis: MapAxis
    y_axis: MapAxis
    digest: str
    """SHA-256 of x and y (little-endian float32), first 32 hex digits."""
    left_out: int
    """Tokens without a place: padding, rows of zeros, NaN or infinity."""
    quality: MapQuality | None = None
    """Of planes that are made to keep neighbours."""
    colour: str = ""
    values: Array | None = None
    """float32 [vocab], the numbers of `colour`."""
    classes: MapClasses | None = None
    """What the colours mean where they are classes."""
    class_of: Array | None = None
    """uint8 [vocab], the colour of each token's class."""
    twins: Array | None = None
    """int32 [vocab], with another model: its token with the same bytes; −1 where none counts."""
    notes: tuple[str, ...] = ()


class PointsRequest(MapRequest, kw_only=True):
    """What is put on a map for its subject, besides the tokens."""

    neighbours: int = 0
    """How many of the rows nearest to the subject's, by cosine, to name."""
    centroid: bool = False
    """Whether to put the mean row on the map."""
    twin_in: str = ""
    """A loaded model whose token with the subject's bytes to put on the map."""
    vectors: str = ""
    """A file of vectors to put on the map, `.safetensors` or `.npy`."""

    def problem(self) -> str:
        few = 0 <= self.neighbours < MOST_POINTS
        return "" if few else f"{self.neighbours} neighbours are not possible: 0 to {MOST_POINTS - 1}"


class PlacePoints(PointsRequest, kw_only=True):
    """The subject's neighbours, and where vectors lie on a plane. Never stands in a session file."""


class MapPoints(Outcome, kw_only=True):
    model: str
    token_id: int | None = None
    """The subject."""
    neighbours: tuple[int, ...] = ()
    """Nearest first."""
    vectors: tuple[PlacedVector, ...] = ()


class ViewMap(PointsRequest, kw_only=True):
    """A view of a map: a window of a plane as cells, with the subject and some other tokens named."""

    window: Window | None = None
    """None: the map's first one, without the few tokens that alone would make it much larger."""
    named: tuple[int, ...] = ()
    """Tokens to name, besides the subject."""
    marked: tuple[int, ...] = ()
    """Tokens to name as marked."""
    suspects: int = 0
    """How many of the tokens lowest by the default indicator to name."""
    references: int = 0
    """How many reference tokens to name at most."""
    regions: bool = False
    """Whether to name the parts of the window."""

    def problem(self) -> str:
        named = len(self.named) + len(self.marked) + max(self.suspects, 0) + max(self.references, 0)
        if named + self.neighbours >= MOST_POINTS:
            return f"{named + self.neighbours} named tokens are too many: at most {MOST_POINTS - 1}"
        if wrong := super().problem():
            return wrong
        return "" if self.window is None else window_problem(self.window)


class MapPoint(Record, kw_only=True):
    token: TokenRef
    category: Category
    role: Role
    x: float
    y: float
    value: float | None = None
    """Of the colour; None where it has no number."""
    in_class: int | None = None
    """The colour of its class, where the colours are classes."""


class MapCells(Record, kw_only=True):
    """A window in cells, as a session holds them; `explorer.tables.map_cells` packs and unpacks them."""

    columns: int
    rows: int
    packed: bytes
    """A byte a cell, top row first, packed by zlib: 0 nobody; else 1 + 8 · density + colour. Density d: 2^(d/2) tokens,
    rounded. Colour 0 to 6: mean percentile rank of the cell's tokens in sevenths; 7: no token has a number. Where the
    colours are classes: that of the class which `ClassRule` chooses; 7: the ground."""

    def problem(self) -> str:
        if not (self.columns > 0 and self.rows > 0 and self.columns * self.rows <= MOST_CELLS):
            return f"{self.columns} × {self.rows} cells are not possible"
        return "" if unpack_bytes(self) is not None else "the cells cannot be unpacked"


class MapView(Outcome, kw_only=True):
    model: str
    plane: str
    space: Space
    x_axis: MapAxis
    y_axis: MapAxis
    window: Window
    cells: MapCells
    in_view: int
    """Tokens inside the window."""
    total: int
    """Tokens that have a place."""
    left_out: int
    digest: str
    """Of the whole map, see `VocabularyMap`."""
    colour: str = ""
    colour_edges: tuple[float, ...] = ()
    """Six values that cut the tokens of the map into sevenths."""
    classes: MapClasses | None = None
    """What the colours mean where they are classes."""
    points: tuple[MapPoint, ...] = ()
    """The named tokens that have a place, inside the window or not, as many as a session has room for."""
    unnamed: int = 0
    """Further tokens that were to be named."""
    vectors: tuple[PlacedVector, ...] = ()
    """What is no token of the vocabulary, inside the window or not."""
    regions: tuple[MapRegion, ...] = ()
    """Those with the most tokens first."""
    quality: MapQuality | None = None
    notes: tuple[str, ...] = ()

    def problem(self) -> str:
        if not 0 <= self.in_view <= self.total:
            return f"{self.in_view} of {self.total} tokens are not possible"
        if len(self.colour_edges) not in (0, 6):
            return f"{len(self.colour_edges)} edges do not make sevenths"
        return window_problem(self.window)


def window_problem(window: Window) -> str:
    """Why this is no window, in one line; empty where it is one."""
    left, right, bottom, top = window
    finite = all(-1e300 < edge < 1e300 for edge in window)
    return "" if finite and left < right and bottom < top else f"{window} is not a window"


def unpack_bytes(cells: MapCells) -> bytes | None:
    """The bytes of the cells; None where `packed` does not hold exactly that many."""
    import zlib  # only where a map is shown or read

    reader, wanted = zlib.decompressobj(), cells.columns * cells.rows
    try:
        unpacked = reader.decompress(cells.packed, wanted + 1)
    except zlib.error:
        return None
    return unpacked if len(unpacked) == wanted else None
