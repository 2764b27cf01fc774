"""The verb `map`: rows, files and sessions."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from explorer.base.records.maps import MapView
from explorer.sessions.file.store import read_session
from explorer.specs.picture import CLASSES
from tests.direct_client import Run


def test_json_is_an_object_a_token(run: Run) -> None:
    status, rows, _ = run("map", "zoo:mynah", "--plane", "pca", "--colour", "input_norm")
    assert status == 0
    assert [row["token_id"] for row in rows] == list(range(len(rows)))
    assert set(rows[0]) == {"model", "token_id", "x", "y", "value"}


def test_json_tells_the_class_of_each_token(run: Run) -> None:
    status, rows, _ = run("map", "zoo:mynah", "--plane", "pca", "--colour", "category")
    assert status == 0
    assert set(rows[0]) == {"model", "token_id", "x", "y", "class"}
    assert {row["class"] for row in rows} == {"ok", "special", "byte", "fragment"}


def test_classes_are_counted_drawn_recorded_and_checked(run: Run, tmp_path: Path) -> None:
    file, picture, pixels = (tmp_path / name for name in ("s.jsonl", "map.svg", "map.png"))
    words = ("map", "zoo:mynah", "--colour", "script", "--session", str(file))
    status, (shown,), _ = run(*words, "--export", str(picture), as_json=False)
    assert status == 0
    assert re.search(r"Latin +2,697 +2,6\d\d", shown["text"])
    assert "a cell shows the class most above its average" in shown["text"]
    texts = [element.text or "" for element in ElementTree.fromstring(picture.read_text()).iter()]
    assert any(re.fullmatch(r"Hiragana 24|Hiragana \d+ of 24", text) for text in texts)
    assert CLASSES[0] in picture.read_text()
    assert run("replay", str(file), "--check", as_json=False)[0] == 0
    assert run("session", "report", str(file), "-o", str(tmp_path / "r.html"), as_json=False)[0] == 0
    assert "Katakana 14" in (tmp_path / "r.html").read_text()
    assert max(map(len, file.read_bytes().splitlines())) < 20_000
    assert run("map", "zoo:mynah", "--colour", "script", "--export", str(pixels), as_json=False)[0] == 0
    assert pixels.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_without_json_it_says_what_the_plane_keeps_and_names_tokens(run: Run) -> None:
    words = ("map", "zoo:mynah", "--plane", "pca", "--token", " the", "--suspects", "3")
    status, (shown,), _ = run(*words, as_json=False)
    assert status == 0
    assert "plane pca of W_E" in shown["text"]
    assert re.search(r"The two axes hold [\d.]+ % of the rows' variance", shown["text"])
    assert "subject" in shown["text"]
    assert shown["text"].count("suspect") == 3


def test_the_picture_is_an_svg_with_cells_ticks_and_labels(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "map.svg"
    status, _, said = run("map", "zoo:mynah", "--token", " the", "--export", str(file), as_json=False)
    assert (status, said.strip().endswith("the map written to map.svg")) == (0, True)
    root = ElementTree.fromstring(file.read_text())
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert names.count("path") > 3
    assert sum(element.get("class") == "tick" for element in root.iter()) >= 4


def test_the_picture_is_a_png(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "map.png"
    assert run("map", "zoo:mynah", "--export", str(file), as_json=False)[0] == 0
    data = file.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    length = struct.unpack(">I", data[33:37])[0]
    assert len(zlib.decompress(data[41 : 41 + length])) == height * (3 * width + 1)


def test_every_token_is_a_row_of_a_parquet_file(run: Run, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    file = tmp_path / "map.parquet"
    _, rows, _ = run("map", "zoo:mynah", "--plane", "pca", "--export", str(file))
    table = parquet.read_table(file)
    assert table.column_names == ["model", "token_id", "x", "y"]
    assert table.column("x").to_pylist() == [row["x"] for row in rows]


def test_a_session_holds_the_view_and_checks(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    words = ("map", "zoo:mynah", "--token", " the", "--session", str(file))
    assert run(*words)[0] == 0
    _, step = read_session(file).steps
    assert isinstance(step.outcome, MapView)
    assert max(map(len, file.read_bytes().splitlines())) < 20_000
    assert run("replay", str(file), "--check", as_json=False)[0] == 0
    assert run("session", "report", str(file), "-o", str(tmp_path / "r.html"), as_json=False)[0] == 0
    assert "<path fill=" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--plane", "list"), "Write one of reference, distance,"),
        (("--export", "map.bmp"), "End it with one of .svg .png"),
        (("--export", "map.ban.json"), "no form of a map"),
        (("--window", "1,2,3"), "four numbers"),
        (("--window", "2,1,0,1"), "not a window"),
        (("--colour", "beauty"), "'beauty' cannot be an axis"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(run: Run, words: tuple[str, ...], said: str) -> None:
    status, rows, error = run("map", "zoo:mynah", *words)
    assert (status, rows) == (2, [])
    assert said in error


def test_two_models_are_one_map_of_the_tokens_they_share(run: Run) -> None:
    words = ("map", "zoo:mynah", "zoo:mynah-instruct", "--pair", "input_norm")
    status, rows, _ = run(*words)
    assert status == 0
    assert {row["model"] for row in rows} == {"mynah"}
    assert len(rows) > 3000
    assert run("map", "zoo:mynah", "--pair", "input_norm")[0] == 2


def test_a_token_stands_beside_its_twin_and_vectors_of_a_file(run: Run, tmp_path: Path) -> None:
    file, picture = tmp_path / "s.jsonl", tmp_path / "map.svg"
    np.save(tmp_path / "soft.npy", np.full((2, 96), 0.1, dtype=np.float32))
    words = ("map", "zoo:mynah", "zoo:mynah-instruct", "--twin", "--token", " the", "--plane", "pca")
    points = ("--points", str(tmp_path / "soft.npy"))
    status, rows, _ = run(*words, *points)
    assert status == 0
    vectors = [row for row in rows if "vector" in row]
    assert [row["role"] for row in vectors] == ["centroid", "twin", "vector", "vector"]
    assert vectors[1]["fit"] > 0.95
    assert len(rows) > 3000
    assert run(*words, *points, "--session", str(file), "--export", str(picture), as_json=False)[0] == 0
    assert all(f"<title>{name} · " in picture.read_text() for name in ("centroid", "mynah-instruct", "soft[0]"))
    assert all(f">{name}</text>" in picture.read_text() for name in ("centroid", "mynah-instruct"))
    *_, step = read_session(file).steps
    assert isinstance(step.outcome, MapView)
    assert [point.role for point in step.outcome.points].count("neighbour") == 10
    assert max(map(len, file.read_bytes().splitlines())) < 20_000
    assert str(tmp_path).encode() not in file.read_bytes()
    assert run(*words[:2], "--twin")[0] == 2
