"""Vocabularies, tokens that try to break a screen, and small Apps for the tests of the token table's panes."""

from __future__ import annotations

from typing import Any

import numpy as np
from textual.app import App, ComposeResult
from textual.widget import Widget

from explorer.base.records.inspect import InspectToken, TokenDetail
from explorer.base.records.models import ModelInfo
from explorer.base.records.record import Array
from explorer.base.records.tokens import CATEGORIES, INDICATORS, TokenRef, TokenRow
from explorer.base.records.unions import AnyOutcome, AnyRequest, Step
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.tui.panes.tokens.table_rows import ReplayedRows
from explorer.tui.panes.tokens.views import View
from explorer.tui.shell.themes import load_themes, themes_dir
from explorer.tui.widgets.guard import CONTROLS

SIZES = [(80, 24), (120, 40), (200, 60)]

HOSTILE: tuple[bytes, ...] = (
    b"[/foo]",
    b"[bold]",
    b"\x1b[31m",
    b"\x1b]52;c;aGk=\x07",
    "\u202eevil".encode(),
    "\U0001f469\u200d\U0001f469\u200d\U0001f467".encode(),
    b"\ttab",
    b"line\nbreak\r",
    b"\xff",
    b"\xe2\x82",
    b"x" * 300,
    "龍の卵".encode() * 20,
    "क्षि".encode(),
    "שלום".encode(),
    "e\u0301".encode(),
    "\u0301".encode(),
    b"\x00\x7f",
    "\x9b31m".encode(),
    b" ",
    b"",
)


def vocabulary(
    tokens: list[bytes] | tuple[bytes, ...], *, model: str = "mynah", seed: int = 0, indicators: int = 11
) -> VocabularyColumns:
    """Columns of a vocabulary of these tokens, with random numbers for indicators; the last token's are NaN."""
    rng = np.random.default_rng(seed)
    joined, offsets = Array.of_tokens(tokens)
    columns = {name: rng.normal(1, 0.1, len(tokens)).astype(np.float32) for name in list(INDICATORS)[:indicators]}
    for column in columns.values():
        column[-1] = np.nan
    categories = rng.integers(0, len(CATEGORIES) - 1, len(tokens)).astype(np.uint8)
    withheld = rng.random(len(tokens)) < 0.2
    return VocabularyColumns(
        model=model,
        token_bytes=joined,
        offsets=offsets,
        categories=Array.of(categories),
        indicators={name: Array.of(column) for name, column in columns.items()},
        default_indicator="unused_cosine_distance" if indicators > 6 else "input_norm",
        default_rule="the embeddings are tied, so the cosine distance to the unused tokens",
        unused=(),
        flags={"withheld": Array.of(withheld), "published": Array.of(~withheld & (rng.random(len(tokens)) < 0.1))},
    )


def ordinary(count: int) -> list[bytes]:
    """Distinct, harmless tokens, half of them with a leading space."""
    return [(b" " if number % 2 else b"") + b"token%d" % number for number in range(count)]


LONG_VIEW = View(
    RankTokens(model="SmolLM2-135M-Instruct.Q4_1", filter="a"), ReplayedRows(RankTokens(model=""), RankedTokens(
        model="", sort="input_centroid_distance", default_rule="", rows=(), matching=61,
        total=49152, digest="",
    )), "input_centroid_distance", "input_centroid_distance", 49152, "",
)  # fmt: skip
"""A view with a long model name and a long indicator, 61 tokens of which pass its filter."""

MODEL = ModelInfo(
    name="mynah",
    source="zoo:mynah",
    architecture="gpt2",
    dtype="float32",
    device="cpu",
    vocab_size=3072,
    tokenizer_size=3072,
    d_model=64,
)


def step(request: AnyRequest, outcome: AnyOutcome) -> Step:
    """A step as the App hands it to a pane."""
    return Step(number=1, at="2026-01-01T00:00:00Z", seconds=0.1, request=request, outcome=outcome)


def read(source: VocabularyColumns) -> Step:
    """The step of a vocabulary that was read."""
    return step(ReadVocabulary(model=source.model), source)


def row(token_bytes: bytes, token_id: int = 7) -> TokenRow:
    """A token with two indicators, one of them without percentile and z-score."""
    return TokenRow(
        token_id=token_id,
        token_bytes=token_bytes.hex(),
        text=token_bytes.decode("utf-8", "replace"),
        category="ok",
        indicators={"input_norm": 0.61234, "input_centroid_distance": 12.5, "output_bias": -0.00031},
        percentiles={"input_norm": 0.2, "input_centroid_distance": 99.5},
        robust_z={"input_norm": -4.3, "input_centroid_distance": 3.1},
    )


def ref(token_bytes: bytes, token_id: int) -> TokenRef:
    """A token named beside another."""
    return TokenRef(token_id=token_id, token_bytes=token_bytes.hex(), text=token_bytes.decode("utf-8", "replace"))


def inspected(token: TokenRow, *, model: str = "mynah", **facts: Any) -> Step:
    """The step of an inspected token."""
    detail = TokenDetail(model=model, row=token, **facts)
    return step(InspectToken(model=model, token_id=token.token_id), detail)


class ThemedApp(App[None]):
    """One widget over the whole screen, in the first of the shipped themes."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        themes = load_themes(themes_dir())
        for theme in themes:
            self.register_theme(theme)
        self.theme = themes[0].name
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


def screen_lines(app: App[Any]) -> list[str]:
    """What stands on the screen, line by line."""
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


def assert_harmless(app: App[Any]) -> None:
    """No control character is in any line of the screen, and every line is as wide as the screen."""
    for strip in app.screen._compositor.render_strips():
        assert strip.cell_length == app.size.width
        text = "".join(segment.text for segment in strip if not segment.control)
        assert not CONTROLS.search(text)
