"""The part of the Models dialogue that says how a model is loaded: source, dtype, device, pickles, tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Label

from explorer.base.records.models import LoadModel
from explorer.tui.shell.guarded import Guarded
from explorer.tui.widgets.option_line import Choice, Field, Submitted

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES: tuple[Dtype, ...] = ("auto", "float32", "bfloat16", "float16")


class LoadForm(Guarded, Vertical):
    """One field for each option that the command line has; they begin as the settings have them."""

    DEFAULT_CSS = """
    LoadForm {
        height: auto;
        & > .model-line { height: 1; }
        & > .-apart { margin: 1 0 0 0; }
        & Label { color: $text-muted; margin: 0 1 0 0; }
        & #model-source, & #model-tokenizer { width: 1fr; }
        & #model-dtype { width: 14; margin: 0 2 0 0; }
        & #model-device { width: 12; margin: 0 2 0 0; }
        & #model-pickle { width: 13; }
        & #model-load { width: 8; min-width: 8; margin: 0 0 0 2; }
    }
    """

    class Asked(Message):
        """Enter in a text field, or the button: load what the fields describe."""

    def __init__(self, devices: Sequence[str], usual: LoadModel) -> None:
        """`usual`: how the settings want a model loaded."""
        super().__init__()
        self._devices = tuple(dict.fromkeys(("auto", *devices, usual.device)))
        self._usual = usual

    def compose(self) -> ComposeResult:
        usual = self._usual
        with Horizontal(classes="model-line -apart"):
            yield Label("source   ")
            yield Field(
                placeholder="zoo:mynah, a directory, a GGUF file, a hub id, weights:…, vllm:URL#NAME, llama:URL",
                id="model-source",
            )
        with Horizontal(classes="model-line -apart"):
            yield Label("dtype")
            yield Choice(DTYPES, value=usual.dtype, id="model-dtype")
            yield Label("device")
            yield Choice(self._devices, value=usual.device, id="model-device")
            yield Label("pickle files")
            yield Choice(("refused", "allowed"), value=_pickle(usual), id="model-pickle")
        with Horizontal(classes="model-line"):
            yield Label("tokenizer")
            yield Field(
                usual.tokenizer, placeholder="its own; or that of another folder or hub id", id="model-tokenizer"
            )
            yield Button("Load", compact=True, id="model-load")

    @property
    def source(self) -> str:
        """The source as typed."""
        return self.query_one("#model-source", Field).value.strip()

    @property
    def is_typing(self) -> bool:
        """Whether the source has the keys: a letter that comes elsewhere was typed before it had them."""
        return self.screen.focused is self.query_one("#model-source")  # `has_focus` is told later

    def type_source(self, typed: str) -> None:
        """Continue the source by hand."""
        field = self.query_one("#model-source", Field)
        self.screen.set_focus(field)  # at once: the next letter is for it
        field.cursor_position = len(field.value)
        field.insert_text_at_cursor(typed)

    def request(self, source: str) -> LoadModel:
        """The request that loads `source` as the fields say, and in all else as the settings do."""
        return msgspec.structs.replace(
            self._usual,
            source=source,
            dtype=cast(Dtype, self.query_one("#model-dtype", Choice).chosen),
            device=self.query_one("#model-device", Choice).chosen,
            allow_pickle=self.query_one("#model-pickle", Choice).chosen == "allowed",
            tokenizer=self.query_one("#model-tokenizer", Field).value.strip(),
        )

    @on(Submitted)
    @on(Button.Pressed)
    def _ask(self, event: Submitted | Button.Pressed) -> None:
        event.stop()
        self.post_message(self.Asked())


def _pickle(usual: LoadModel) -> str:
    return "allowed" if usual.allow_pickle else "refused"
