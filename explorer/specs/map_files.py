"""Maps as files: a picture in SVG or PNG, or a row a token. NumPy: imported only where one is written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from explorer.base.records.maps import MapView, VocabularyMap
from explorer.specs.blocks import count
from explorer.specs.map_words import is_round, map_rows, view_plot
from explorer.specs.picture import CLASSES, NO_VALUE, RAMP
from explorer.specs.plot_svg import plot_picture
from explorer.tables.exports import write_content
from explorer.tables.map_cells import SOUGHT, Cloud, percentile_ranks
from explorer.tables.row_exports import write_rows

Pixels = npt.NDArray[np.uint8]
PNG_SIZE = (1600, 1200)
_SOLID = 0.99
"""Quantile of the counts from which on a pixel has its whole colour."""
_FAINTEST = 0.3


def write_map(outcome: MapView | VocabularyMap, path: Path) -> str:
    """Write a view as SVG, a whole map as PNG or as rows; returns what was written, in words.

    Raises `ExplorerError` where the file cannot be written; then there is no part of it.
    """
    if isinstance(outcome, MapView):
        write_content(path, plot_picture(view_plot(outcome)))
        return "the map"
    if path.suffix.lower() == ".png":
        write_content(path, map_png(outcome))
        return "the map"
    return count(write_rows(map_rows(outcome), path), "token")


def map_png(found: VocabularyMap) -> bytes:
    """The whole map on white, a pixel a cell, coloured by the mean rank of its tokens, as a PNG file without text."""
    values = None if found.values is None else percentile_ranks(found.values.numpy())
    class_of = None if found.class_of is None else found.class_of.numpy()
    cloud = Cloud(found.x.numpy(), found.y.numpy(), values, class_of, found.classes)
    lowest = None if found.values is None else np.argsort(found.values.numpy())[:SOUGHT]
    left, right, bottom, top = cloud.whole_window(lowest)
    width, height = PNG_SIZE
    if is_round(found):
        share = (top - bottom) / (right - left)
        width, height = (width, round(width * share)) if share <= 1 else (round(height / share), height)
    screen = (left, right, bottom, top), max(1, width), max(1, height)
    cells = cloud.cells(*screen)
    if found.classes is not None:
        return encode_png(_pixels(cells.counts, cloud.class_cells(*screen), CLASSES))
    steps = np.where(np.isnan(cells.ranks), len(RAMP), np.minimum(len(RAMP) - 1, cells.ranks * len(RAMP)))
    return encode_png(_pixels(cells.counts, np.nan_to_num(steps).astype(np.int64), RAMP))


def _pixels(counts: npt.NDArray[np.int64], colours: npt.NDArray[np.integer], colour_inks: Sequence[str]) -> Pixels:
    """RGB [rows, columns, 3]: each cell's colour, the stronger the more tokens."""
    inks = np.array([_rgb(ink) for ink in (*colour_inks, NO_VALUE)], dtype=np.float64)
    dense = np.log1p(counts.astype(np.float64))
    most = np.quantile(dense[counts > 0], _SOLID) if (counts > 0).any() else 1.0
    strength = np.where(counts > 0, _FAINTEST + (1 - _FAINTEST) * np.minimum(1.0, dense / most), 0.0)[..., None]
    pixels: Pixels = (255 - strength * (255 - inks[colours])).astype(np.uint8)
    return pixels


def _rgb(ink: str) -> tuple[int, int, int]:
    return int(ink[1:3], 16), int(ink[3:5], 16), int(ink[5:7], 16)


def encode_png(pixels: Pixels) -> bytes:
    """An RGB image, [height, width, 3], as a PNG file."""
    height, width, _ = pixels.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
