"""Maps of whole vocabularies: planes against the indicators and rows they are made of, and views a session can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from platformdirs import user_cache_path

from explorer.base.errors import ExplorerError, UsageError
from explorer.base.records.maps import PLANES, MapView, PlacePoints, ReadMap, ViewMap, VocabularyMap
from explorer.base.records.plain import dump_json, load_json
from explorer.base.records.unions import Cancelled
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import weights_of
from explorer.engine.models.local import Held
from explorer.specs.comparing.agreement import Comparison
from explorer.specs.map_compare import compare_views
from explorer.specs.map_words import kept_words
from explorer.specs.registry import spec_of
from explorer.tables.map_cells import Cloud, unpack_cells
from tests.behaviour.behaviour_fakes import run_through
from tests.engine_work import answer

NEVER = Control(cancelled=lambda: False, tell=lambda part: None)
BYTES = 20_000
"""A view in a session, at most."""


pytestmark = pytest.mark.usefixtures("few_steps")


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    made.models.load("zoo:mynah")
    made.models.load("zoo:starling")
    return made


def ask(engine: Engine, plane: str, model: str = "mynah", **more: Any) -> VocabularyMap:
    found = answer(engine, ReadMap(model=model, plane=plane, **more))
    assert isinstance(found, VocabularyMap)
    return found


def view(engine: Engine, plane: str, **more: Any) -> MapView:
    found = answer(engine, ViewMap(model="mynah", plane=plane, **more))
    assert isinstance(found, MapView)
    return found


def indicators(engine: Engine, model: str = "mynah") -> dict[str, np.ndarray]:
    found = answer(engine, ReadVocabulary(model=model))
    assert isinstance(found, VocabularyColumns)
    return {name: column.numpy() for name, column in found.indicators.items()}


def test_a_plane_of_indicators_is_those_of_the_table(engine: Engine) -> None:
    columns = indicators(engine)
    found = ask(engine, "output_norm,unused_l2_distance")
    assert np.array_equal(found.x.numpy(), columns["output_norm"])
    assert np.array_equal(found.y.numpy(), columns["unused_l2_distance"])
    assert (found.x_axis.name, found.y_axis.name, found.left_out) == ("output_norm", "unused_l2_distance", 0)


@pytest.mark.parametrize("plane", PLANES)
def test_every_named_plane_places_every_token_that_counts(engine: Engine, plane: str) -> None:
    found = ask(engine, plane, model="starling")
    x, y = found.x.numpy(), found.y.numpy()
    assert found.plane == plane
    size = weights_of(engine.models.get("starling")).vocabulary
    assert np.isfinite(x[: size.tokenizer_size]).all()
    assert np.isnan(x[size.tokenizer_size :]).all()
    assert np.array_equal(np.isnan(x), np.isnan(y))
    assert found.left_out == size.size - size.tokenizer_size > 0


def test_the_plane_proposed_first_follows_the_default_indicator(engine: Engine) -> None:
    found = answer(engine, ReadVocabulary(model="mynah"))
    assert isinstance(found, VocabularyColumns)
    by_reference = found.default_indicator.startswith("unused_")
    assert ask(engine, "").plane == ("reference" if by_reference else "distance")


@pytest.mark.parametrize("token_id", [None, 907])
def test_the_radial_plane_keeps_true_distances_from_its_middle(engine: Engine, token_id: int | None) -> None:
    found = ask(engine, "radial", token_id=token_id)
    rows = weights_of(engine.models.get("mynah")).embeddings().input.double().numpy()
    middle = rows.mean(axis=0) if token_id is None else rows[token_id]
    radius = np.hypot(found.x.numpy(), found.y.numpy())
    assert radius == pytest.approx(np.linalg.norm(rows - middle, axis=1), rel=1e-5, abs=1e-6)
    assert token_id is None or radius[token_id] == 0


def test_components_say_their_share(engine: Engine) -> None:
    found = ask(engine, "pca")
    assert found.x_axis.share is not None
    assert found.y_axis.share is not None
    assert found.x_axis.share > found.y_axis.share > 0
    x = found.x.numpy().astype(np.float64)
    rows = weights_of(engine.models.get("mynah")).embeddings().input.double().numpy()
    assert x.var() / rows.var(axis=0).sum() == pytest.approx(found.x_axis.share, rel=1e-4)


@pytest.mark.parametrize(
    ("plane", "said"),
    [
        ("beauty", "there is no plane 'beauty'"),
        ("input_norm,", "there is no plane 'input_norm,'"),
        ("input_norm,beauty", "'beauty' cannot be an axis"),
        ("pc9,pc1", "'pc9' cannot be an axis"),
        ("output_bias,pc1", "'output_bias' cannot be an axis: this model lacks it"),
    ],
)
def test_what_is_no_plane_says_what_there_is(engine: Engine, plane: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        ask(engine, plane)
    assert said in refused.value.message
    assert "pca" in refused.value.hint or "pc1" in refused.value.hint


def test_a_token_without_a_row_has_no_plane_around_it(engine: Engine) -> None:
    for token_id in (3080, 10**6, -1):
        with pytest.raises(ExplorerError, match="no place on a map"):
            ask(engine, "radial", model="starling", token_id=token_id)


def test_a_view_names_tokens_once_each_and_in_order_of_weight(engine: Engine) -> None:
    found = view(engine, "distance", token_id=600, marked=(300, 600), named=(301, 300, 10**6), suspects=3, references=4)
    roles = [(point.token.token_id, point.role) for point in found.points]
    assert roles[:3] == [(600, "subject"), (300, "marked"), (301, "named")]
    assert [role for _, role in roles[3:6]] == ["suspect"] * 3
    assert len({token_id for token_id, _ in roles}) == len(roles)
    whole = ask(engine, "distance")
    assert found.digest == whole.digest
    assert found.points[0].x == pytest.approx(float(whole.x.numpy()[600]))


def test_a_view_is_small_and_its_cells_are_those_of_the_map(engine: Engine) -> None:
    window = (0.5, 1.0, -0.25, 0.25)
    for more in ({}, {"window": window}):
        found = view(engine, "input_norm,pc1", suspects=50, **more)
        assert found.problem() == found.cells.problem() == ""
        assert len(dump_json(found)) < BYTES
        assert load_json(dump_json(found), MapView) == found
        whole = ask(engine, "input_norm,pc1")
        cloud = Cloud(whole.x.numpy(), whole.y.numpy())
        occupied = cloud.cells(found.window, found.cells.columns, found.cells.rows).counts > 0
        assert np.array_equal(unpack_cells(found.cells).counts > 0, occupied)
        assert found.in_view == len(cloud.inside(found.window)) <= found.total


def test_it_can_be_stopped_while_rows_are_read(engine: Engine) -> None:
    fresh = Engine(engine.models)
    looks = iter([False] * 3)
    stopped = Control(cancelled=lambda: next(looks, True), tell=lambda part: None)
    parts, outcome = run_through(fresh.begin(ReadMap(model="mynah", plane="pca"), stopped))
    assert outcome == Cancelled()
    assert len(parts) == 3


def test_views_of_other_cells_places_and_words_differ(engine: Engine) -> None:
    request = ViewMap(model="mynah", plane="pca", token_id=907)
    found = view(engine, "pca", token_id=907)
    assert compare_views(request, found, found, Comparison()).difference == ""
    slightly = msgspec.structs.replace(
        found, digest="0" * 32, points=tuple(msgspec.structs.replace(p, x=p.x + 1e-7) for p in found.points)
    )
    assert compare_views(request, found, slightly, Comparison()).difference == ""
    moved = tuple(msgspec.structs.replace(point, x=point.x + 0.5) for point in found.points)
    for other, said in (
        (msgspec.structs.replace(found, points=moved), "token 907: ("),
        (msgspec.structs.replace(found, points=()), "token 907 was named"),
        (msgspec.structs.replace(found, cells=view(engine, "distance").cells), "% of the tokens are in another cell"),
        (msgspec.structs.replace(found, total=found.total - 1), "total"),
        (msgspec.structs.replace(found, window=(-9.0, 9.0, -9.0, 9.0)), "window, left"),
    ):
        assert said in compare_views(request, found, other, Comparison()).difference


def test_the_subject_of_a_step_is_the_token_it_was_asked_around(engine: Engine) -> None:
    request = ViewMap(model="mynah", plane="pca", token_id=907)
    row = spec_of(request).subject(request, view(engine, "pca", token_id=907))
    assert row is not None
    assert row.token_id == 907
    assert spec_of(request).subject(request, view(engine, "pca")) is None


@pytest.mark.parametrize(("plane", "recall", "trustworthiness"), [("landmarks", 0.15, 0.85), ("neighbours", 0.2, 0.8)])
def test_layouts_say_how_well_they_keep_neighbours_and_are_computed_once(
    engine: Engine, plane: str, recall: float, trustworthiness: float
) -> None:
    found = ask(engine, plane, token_id=907)
    assert found.quality is not None
    assert found.quality.recall > recall
    assert found.quality.trustworthiness > trustworthiness
    assert found.left_out == 0
    parts, again = run_through(engine.begin(ReadMap(model="mynah", plane=plane), NEVER))
    assert (parts, again) == ([], found)
    shown = view(engine, plane)
    assert "among its 10 nearest here" in kept_words(shown)
    request = ViewMap(model="mynah", plane=plane)
    worse = msgspec.structs.replace(found.quality, recall=found.quality.recall - 0.1)
    assert (
        compare_views(request, shown, msgspec.structs.replace(shown, window=(0, 1, 0, 1)), Comparison()).difference
        == ""
    )
    other = msgspec.structs.replace(shown, quality=worse, digest="")
    assert compare_views(request, shown, other, Comparison()).difference.startswith("recall: ")


def test_the_nearest_row_is_that_of_brute_force(engine: Engine) -> None:
    found = ask(engine, "nearest")
    rows = weights_of(engine.models.get("mynah")).embeddings().input.double()
    apart = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    assert found.x.numpy() == pytest.approx(apart.min(dim=1).values.numpy(), rel=1e-4, abs=1e-6)
    assert found.x_axis.name == "nearest_distance"


@pytest.mark.parametrize(
    ("request_", "slow"),
    [
        (ReadMap(model="m"), False),
        (ReadMap(model="m", plane="pca", colour="input_norm"), False),
        (ReadMap(model="m", plane="landmarks"), True),
        (PlacePoints(model="m", plane="pca", centroid=True), False),
        (PlacePoints(model="m", plane="pca", twin_in="n"), True),
        (ViewMap(model="m", plane="nearest"), True),
        (ViewMap(model="m", plane="pc1, nearest_distance"), True),
        (ViewMap(model="m", colour="nearest_distance"), True),
    ],
)
def test_what_takes_long_lets_quick_requests_pass(request_: ReadMap | ViewMap | PlacePoints, slow: bool) -> None:
    assert spec_of(request_).background(request_) is slow


def test_what_was_computed_is_kept_on_disk_and_forgotten_with_the_model(tmp_path: Path) -> None:
    engine = Engine()
    model = engine.models.load("zoo:mynah")
    assert isinstance(model, Held)
    model.kept_as = "a" * 32
    found = ask(engine, "nearest_distance,pc1")
    files = sorted(path.parent.name for path in user_cache_path("glitch-explore").glob("maps/*/*.msgpack"))
    assert files == ["keptcomponents", "keptnearest"]
    engine.maps.forget("mynah")
    parts, again = run_through(engine.begin(ReadMap(model="mynah", plane="nearest_distance,pc1"), NEVER))
    assert (parts, again) == ([], found)


def test_a_pair_of_models_is_aligned_by_the_bytes_of_their_tokens(engine: Engine) -> None:
    found = ask(engine, "input_norm", other="starling")
    assert (found.x_axis.title, found.y_axis.title) == ("input norm in mynah", "input norm in starling")
    ours, theirs = indicators(engine)["input_norm"], indicators(engine, "starling")["input_norm"]
    mynah, starling = (weights_of(engine.models.get(name)).vocabulary for name in ("mynah", "starling"))
    by_bytes = {starling.token_bytes(at): at for at in reversed(range(starling.tokenizer_size))}
    for token_id in range(mynah.size):
        other = by_bytes.get(mynah.token_bytes(token_id))
        place = found.x.numpy()[token_id], found.y.numpy()[token_id]
        assert np.isnan(place).all() if other is None else place == (ours[token_id], theirs[other])
        assert found.twins is not None
        assert found.twins.numpy()[token_id] == (-1 if other is None else other)
    same = ask(engine, "pc1", other="mynah")
    assert np.array_equal(same.x.numpy(), same.y.numpy(), equal_nan=True)
    with pytest.raises(UsageError, match="'pca' cannot be an axis"):
        ask(engine, "pca", other="starling")


def test_a_model_against_its_child_tells_which_tokens_moved_and_whose_neighbours_are_kept(engine: Engine) -> None:
    engine.models.load("zoo:mynah-instruct")
    moved = ask(engine, "moved", other="mynah-instruct")
    assert moved.x_axis.name == "input_norm"
    assert moved.y_axis.title.startswith("moved, mynah-instruct (Procrustes disparity 0.0")
    rows, theirs = (weights_of(engine.models.get(name)).embeddings().input for name in ("mynah", "mynah-instruct"))
    apart = (rows - theirs).norm(dim=1).numpy()
    known = np.isfinite(moved.y.numpy())
    assert np.corrcoef(moved.y.numpy()[known], apart[known])[0, 1] > 0.9, "a child's rows need no turning"
    kept = ask(engine, "kept_neighbours", other="mynah-instruct")
    stranger = ask(engine, "kept_neighbours", other="starling")
    assert np.nanmean(kept.y.numpy()) > 0.8 > 0.2 > np.nanmean(stranger.y.numpy())
    assert np.array_equal(ask(engine, "kept_neighbours", other="mynah").y.numpy()[known], np.ones(known.sum()))
    with pytest.raises(UsageError, match="'moved' cannot be an axis"):
        ask(engine, "moved,pc1")


@pytest.mark.parametrize(
    "colour", ["category", "script", "flag", "space", "verdict", "verdict:magikarp", "speakability"]
)
def test_every_token_has_a_class_of_the_colour(engine: Engine, colour: str) -> None:
    found = ask(engine, "distance", colour=colour)
    assert found.classes is not None
    assert found.class_of is not None
    assert found.values is None
    codes = found.class_of.numpy()[np.isfinite(found.x.numpy())]
    assert {place: one.tokens for place, one in found.classes.present} == {
        int(place): int(times) for place, times in zip(*np.unique(codes, return_counts=True), strict=True)
    }
    seen = view(engine, "distance", colour=colour, suspects=3)
    assert seen.classes is not None
    assert sum(one.in_view or 0 for _, one in seen.classes.present) == seen.in_view
    assert all(point.in_class is not None for point in seen.points)
    assert len(dump_json(seen)) < BYTES


def test_a_clump_that_was_never_trained_is_a_group_of_its_own(engine: Engine) -> None:
    """The zoo's withheld tokens, against the zoo card, on the plane that is proposed first."""
    found = ask(engine, "", colour="cluster")
    assert found.classes is not None
    assert found.class_of is not None
    vocabulary = answer(engine, ReadVocabulary(model="mynah"))
    assert isinstance(vocabulary, VocabularyColumns)
    withheld = vocabulary.flags["withheld"].numpy()
    group = found.class_of.numpy() == 0
    assert found.classes.named[0].name == "group 1"
    assert (withheld & group).sum() >= 0.95 * withheld.sum()
    assert (withheld & group).sum() >= 0.85 * group.sum()
    assert "HDBSCAN" in found.classes.notes[0]


def test_a_view_coloured_by_classes_agrees_with_itself_and_not_with_other_verdicts(engine: Engine) -> None:
    request = ViewMap(model="mynah", plane="distance", colour="category")
    seen = view(engine, "distance", colour="category")
    assert seen.classes is not None
    assert compare_views(request, seen, seen, Comparison()).difference == ""
    moved = msgspec.structs.replace(
        seen, digest="0", classes=msgspec.structs.replace(
            seen.classes, rest=msgspec.structs.replace(seen.classes.rest, in_view=1)
        ),
    )  # fmt: skip
    assert compare_views(request, seen, moved, Comparison()).difference == ""
    fewer = msgspec.structs.replace(seen.classes, rest=msgspec.structs.replace(seen.classes.rest, tokens=5))
    assert (
        "classes" in compare_views(request, seen, msgspec.structs.replace(seen, classes=fewer), Comparison()).difference
    )


def test_a_definition_that_there_is_not_is_told(engine: Engine) -> None:
    with pytest.raises(ExplorerError, match="no definition is called 'nonsense'"):
        ask(engine, "distance", colour="verdict:nonsense")
