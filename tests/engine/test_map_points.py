"""Points that are no tokens of a vocabulary, on its map: placed as tokens are, and files of vectors read safely."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from explorer.base.errors import ExplorerError, UsageError
from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.maps import PLANES, MapPoints, MapView, PlacePoints, ReadMap, ViewMap, VocabularyMap
from explorer.engine.answers.maps import vector_files
from explorer.engine.answers.maps.vector_files import read_vectors
from explorer.engine.core.alignment import align_rows
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import weights_of
from explorer.specs.comparing.agreement import Comparison
from explorer.specs.map_compare import compare_views
from explorer.specs.map_words import placing_words
from tests.engine_work import answer, outcome_of

TOKENS = (0, 300, 1000, 3071)
WIDTH = 96


pytestmark = pytest.mark.usefixtures("few_steps")


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    for name in ("mynah", "mynah-instruct", "starling"):
        made.models.load(f"zoo:{name}")
    return made


@pytest.fixture(scope="module")
def rows(engine: Engine) -> torch.Tensor:
    return weights_of(engine.models.get("mynah")).embeddings().input.float()


@pytest.fixture
def own_rows(rows: torch.Tensor, tmp_path: Path) -> str:
    """A file with the rows of `TOKENS`."""
    file = tmp_path / "rows.npy"
    np.save(file, rows[list(TOKENS)].numpy())
    return str(file)


def points(engine: Engine, plane: str, **more: Any) -> MapPoints:
    found = answer(engine, PlacePoints(model="mynah", plane=plane, **more))
    assert isinstance(found, MapPoints)
    return found


def whole(engine: Engine, plane: str, model: str = "mynah", **more: Any) -> VocabularyMap:
    found = answer(engine, ReadMap(model=model, plane=plane, **more))
    assert isinstance(found, VocabularyMap)
    return found


WITH_AXES = (
    *(plane for plane in PLANES if plane not in ("landmarks", "neighbours", "nearest")),
    "output_norm,unused_l2_distance", "output_centroid_cosine_distance,unused_cosine_distance_centred",
)  # fmt: skip


@pytest.mark.parametrize("plane", WITH_AXES)
def test_a_tokens_own_row_lies_where_the_token_does(engine: Engine, own_rows: str, plane: str) -> None:
    space = "output" if "unused" in plane else "input"  # the zoo's two matrices hold the same rows
    found = whole(engine, plane)
    placed = points(engine, plane, vectors=own_rows, space=space).vectors
    for token_id, vector in zip(TOKENS, placed, strict=True):
        wanted = float(found.x.numpy()[token_id]), float(found.y.numpy()[token_id])
        assert (vector.x, vector.y) == pytest.approx(wanted, rel=1e-4, abs=2e-5)
        assert (vector.placing, vector.role) == ("exact", "vector")
    assert [vector.label for vector in placed] == [f"rows[{place}]" for place in range(4)]


def test_around_a_token_too(engine: Engine, own_rows: str) -> None:
    placed = points(engine, "radial", vectors=own_rows, token_id=300).vectors
    assert (placed[1].x, placed[1].y) == (0.0, 0.0)
    found = whole(engine, "radial", token_id=300)
    assert placed[2].x == pytest.approx(float(found.x.numpy()[1000]), rel=1e-4)


def test_a_vector_is_as_far_from_the_nearest_row_as_it_is(engine: Engine, rows: torch.Tensor, tmp_path: Path) -> None:
    between = (rows[300] + rows[301]) / 2
    np.save(tmp_path / "one.npy", between.numpy())
    (vector,) = points(engine, "nearest", vectors=str(tmp_path / "one.npy")).vectors
    assert vector.x == pytest.approx(float((rows - between).norm(dim=1).min()), rel=1e-5)
    assert vector.label == "one"


@pytest.mark.parametrize("plane", ["landmarks", "neighbours"])
def test_without_axes_it_stands_between_the_three_nearest(engine: Engine, own_rows: str, plane: str) -> None:
    found, (_, vector, *_) = whole(engine, plane), points(engine, plane, vectors=own_rows).vectors
    matrix = weights_of(engine.models.get("mynah")).embeddings().input.double()
    unit = torch.nn.functional.normalize(matrix - matrix.mean(dim=0), dim=1)
    nearest = (unit @ unit[300]).topk(3)
    weights = torch.softmax(20 * nearest.values, dim=0).numpy()
    assert vector.placing == "nearest"
    assert vector.x == pytest.approx(float(weights @ found.x.numpy()[nearest.indices.numpy()]), rel=1e-4)
    assert "3 nearest" in placing_words(vector)


@pytest.mark.parametrize(("plane", "place"), [("pca", (0.0, 0.0)), ("radial", (0.0, 0.0)), ("cosine", (None, 1.0))])
def test_the_centroid_is_where_it_belongs(engine: Engine, plane: str, place: tuple[float | None, float]) -> None:
    (centroid,) = points(engine, plane, centroid=True).vectors
    assert centroid.y == pytest.approx(place[1], abs=1e-6)
    assert place[0] is None or centroid.x == pytest.approx(place[0], abs=1e-6)
    assert (centroid.role, placing_words(centroid)) == ("centroid", "exact")


@pytest.mark.parametrize(
    ("plane", "more", "why"),
    [
        ("landmarks", {}, "in no direction from the centroid"),
        ("output_norm,unused_cosine_distance_no_pc1", {"space": "output"}, "not computed for other vectors"),
        ("input_norm,pc1", {"space": "output"}, "is of the other matrix"),
        ("input_norm", {"other": "starling"}, "compares numbers of two models"),
    ],
)
def test_where_it_has_no_place_that_is_said(engine: Engine, plane: str, more: dict[str, str], why: str) -> None:
    (centroid,) = points(engine, plane, centroid=True, **more).vectors
    assert centroid.placing == "none"
    assert why in placing_words(centroid)


def test_the_neighbours_are_those_of_the_neighbours_pane(engine: Engine, rows: torch.Tensor) -> None:
    found = points(engine, "pca", token_id=300, neighbours=10)
    cosines = torch.nn.functional.cosine_similarity(rows.double(), rows[300].double(), dim=1)
    cosines[300] = -2
    assert list(found.neighbours) == cosines.topk(10).indices.tolist()
    view = answer(engine, ViewMap(model="mynah", plane="pca", token_id=300, neighbours=10, centroid=True))
    assert isinstance(view, MapView)
    assert [point.token.token_id for point in view.points if point.role == "neighbour"] == list(found.neighbours)
    assert [vector.role for vector in view.vectors] == ["centroid"]


# ── another model's token ──


def test_a_twin_in_a_child_stands_beside_the_token_and_says_its_fit(engine: Engine) -> None:
    found, (twin,) = whole(engine, "pca"), points(engine, "pca", token_id=300, twin_in="mynah-instruct").vectors
    assert (twin.x, twin.y) == pytest.approx((float(found.x.numpy()[300]), float(found.y.numpy()[300])), abs=0.15)
    assert twin.fit is not None
    assert twin.by_chance is not None
    assert (twin.fit > 0.95, twin.by_chance < 0.25, twin.kept) == (True, True, 1.0)
    assert placing_words(twin).startswith("exact, once turned by the shared tokens: r 0.9")
    (stranger,) = points(engine, "distance", token_id=300, twin_in="starling").vectors
    assert stranger.fit is not None
    assert stranger.fit < 0.7
    own = whole(engine, "distance", model="starling").x.numpy()[300]
    spread = [float(np.nanmean(whole(engine, "distance", model=name).x.numpy() ** 2)) for name in ("mynah", "starling")]
    wanted = float(own) * (spread[0] / spread[1]) ** 0.5
    assert stranger.x == pytest.approx(wanted, rel=0.05), "as far from the centroid as in its own model"


def test_a_twin_has_no_place_without_a_token_or_a_namesake(engine: Engine) -> None:
    assert "no token is selected" in points(engine, "pca", twin_in="starling").vectors[0].why
    padding = answer(engine, PlacePoints(model="starling", plane="pca", token_id=3_080, twin_in="mynah"))
    assert isinstance(padding, MapPoints)
    assert "no token with these bytes" in padding.vectors[0].why


def test_the_turn_lays_other_rows_exactly_over_ours() -> None:
    random = torch.Generator().manual_seed(5)
    ours = torch.randn(200, 12, generator=random)
    turn, _ = torch.linalg.qr(torch.randn(12, 12, generator=random))
    theirs = 3 * (ours - 0.5) @ turn.T
    ids = torch.arange(200)
    found = outcome_of(align_rows(ours, ids, theirs, ids))
    laid = (theirs - found.middles[1]) @ found.turn + found.middles[0]
    assert torch.allclose(laid, ours, atol=1e-4)
    assert found.correlation == pytest.approx(1.0, abs=1e-6)


# ── files ──


def test_both_forms_of_a_file_hold_the_same_vectors(tmp_path: Path) -> None:
    rows = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(1))
    np.save(tmp_path / "a.npy", rows.numpy())
    save_file({"soft\x1b[2J": rows.bfloat16(), "one": rows[0].contiguous()}, tmp_path / "b.safetensors")
    labels, vectors = read_vectors(tmp_path / "a.npy", WIDTH)
    assert (labels, torch.equal(vectors, rows.double())) == (["a[0]", "a[1]", "a[2]"], True)
    labels, vectors = read_vectors(tmp_path / "b.safetensors", WIDTH)
    assert len(vectors) == 4
    assert not any("\x1b" in label for label in labels)
    assert "one" in labels


class Runs:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch ran",)


def _npy(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


HOSTILE: list[tuple[str, bytes, str]] = [
    ("a.npy", b"", "cannot be read"),
    ("a.npy", b"\x93NUMPY\x09\x00", "cannot be read"),
    ("a.npy", _npy((1 << 40, WIDTH)), "1 to 50 are possible"),
    ("a.npy", _npy((-1, WIDTH)), "cannot be read"),
    ("a.npy", _npy((2, WIDTH)), "cannot be read"),
    ("a.npy", _npy((0, WIDTH)), "holds 0 vectors"),
    ("a.npy", _npy(()), "one number, and a row of this model has 96"),
    ("a.npy", _npy((1, 95)) + bytes(380), "1 × 95, and a row of this model has 96"),
    ("a.npy", _npy((1, WIDTH), "<i4") + bytes(384), "not floating-point"),
    ("a.npy", _npy((1, WIDTH), "|O") + bytes(384), "not floating-point"),
    ("a.npy", _npy((1, WIDTH)) + b"\xff" * 384, "NaN or an infinity"),
    ("a.safetensors", b"\xff" * 40, "cut short"),
    ("a.safetensors", struct.pack("<Q", 2) + b"{}", "holds 0 vectors"),
    ("a.safetensors", struct.pack("<Q", 4) + b"[[[[", "broken header"),
    ("a.txt", b"1 2 3", "no form of vectors"),
]


@pytest.mark.parametrize(("name", "content", "said"), HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError) as refused:
        read_vectors(tmp_path / name, WIDTH)
    assert said in refused.value.line
    assert "\n" not in refused.value.line


def test_a_pickle_in_a_file_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.array([Runs()] * WIDTH, dtype=object), allow_pickle=True)
    with pytest.raises(UsageError, match="not floating-point"):
        read_vectors(Path("a.npy"), WIDTH)
    assert not Path("ran").exists()


def test_what_might_never_end_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "a.npy")
    with pytest.raises(UsageError, match="no file"):
        read_vectors(tmp_path / "a.npy", WIDTH)
    monkeypatch.setattr(vector_files, "MOST_BYTES", 100)
    np.save(tmp_path / "b.npy", np.zeros((1, WIDTH), dtype=np.float32))
    with pytest.raises(UsageError, match="larger than"):
        read_vectors(tmp_path / "b.npy", WIDTH)


def test_another_width_is_refused_by_the_engine(engine: Engine, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1, 64), dtype=np.float32))
    with pytest.raises(ExplorerError, match="a row of this model has 96 numbers"):
        points(engine, "pca", vectors=str(tmp_path / "a.npy"))


def test_views_with_vectors_elsewhere_do_not_agree(engine: Engine) -> None:
    request = ViewMap(model="mynah", plane="pca", token_id=300, centroid=True)
    view = answer(engine, request)
    assert isinstance(view, MapView)
    comparison = Comparison()
    assert compare_views(request, view, view, comparison).difference == ""
    moved = PlacedVector(role="centroid", label="centroid", x=0.5, placing="exact")
    other = replace_vectors(view, (moved,))
    assert "centroid: (" in compare_views(request, view, other, comparison).difference
    assert "0 came" in compare_views(request, view, replace_vectors(view, ()), comparison).difference


def replace_vectors(view: MapView, vectors: tuple[PlacedVector, ...]) -> MapView:
    return msgspec.structs.replace(view, vectors=vectors)
