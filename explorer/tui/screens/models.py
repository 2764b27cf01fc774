"""The Models dialogue: what is loaded, what could be, and where else to load from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Label, Static

from explorer.base.records.models import CatalogueEntry, ModelCatalogue, ModelInfo, Roster
from explorer.base.text import visible
from explorer.tui.screens.dialog import Dialog
from explorer.tui.widgets.option_line import Choice, Submitted
from explorer.tui.widgets.row_list import RowList

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES: tuple[Dtype, ...] = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class ModelChoice:
    """What the user decided."""

    action: Literal["load", "unload", "select", "retry", "dismiss"]
    source: str = ""
    """To load; of a load that failed, to retry or to dismiss."""
    model: str = ""
    """To unload or select: its name in the roster."""
    dtype: Dtype = "auto"
    device: str = "auto"
    allow_pickle: bool = False


def size_text(size: int) -> str:
    """Bytes as '0.31 GiB'; nothing for an unknown size."""
    if size <= 0:
        return ""
    return "<0.01 GiB" if size < 0.01 * 2**30 else f"{size / 2**30:.2f} GiB"


def loaded_row(info: ModelInfo, *, selected: bool) -> Content:
    """A loaded model on one line; the selected one stands in brackets, as in the model bar."""
    shape = f"{info.vocab_size:,}×{info.d_model:,}" + (f"×{info.n_layers}" if info.n_layers else "")
    shown = visible(info.name, spaces=False)
    name = _padded(f"[{shown}]" if selected else shown, 20)
    about = f"{visible(info.architecture):<14} {shape:>16}  {info.dtype} {visible(info.device)}"
    memory = f"  {size_text(info.memory_bytes)}"
    name = name.stylize("bold $accent" if selected else "bold")
    return Content.assemble(("● ", "$success"), name, about, (memory, "$foreground-muted"))


def failed_row(source: str, reason: str) -> Content:
    """A model that could not be loaded, and why, on one line."""
    name = _padded(visible(source, spaces=False), 30)
    return Content.assemble(("✗ ", "$error"), name, (visible(reason, spaces=False), "$foreground-muted"))


def entry_row(entry: CatalogueEntry) -> Content:
    """A model that could be loaded, on one line."""
    name = _padded(visible(entry.source, spaces=False), 30)
    size = f"{size_text(entry.size_bytes):>9}  "
    about = visible(entry.description, spaces=False) or entry.origin
    return Content.assemble(("○ ", "$foreground-muted"), name, size, (about, "$foreground-muted"))


def _padded(text: str, cells: int) -> Content:
    cut = Content(text).truncate(cells - 1, ellipsis=True)
    return Content.assemble(cut, " " * (cells - cut.cell_length))


def loaded_details(info: ModelInfo) -> Content:
    """Everything known of a loaded model, on three lines."""
    tied = "tied" if info.tied else "untied"
    context = f"context {info.context:,}" if info.context else "no context limit known"
    kind = [tied, context, "chat template" if info.has_chat_template else "no chat template"]
    kind += [] if info.can_run else ["embeddings only"]
    kind += [f"quantised: {visible(info.quantisation, spaces=False)}"] if info.quantisation else []
    revision = f" @ {visible(info.revision)[:12]}" if info.revision else ""
    digests = f"weights {info.weights_digest[:12] or '–'}  tokenizer {info.tokenizer_digest[:12] or '–'}"
    return Content.assemble(
        (visible(info.source, spaces=False) + revision, "bold"),
        f"  {info.n_parameters:,} parameters\n" if info.n_parameters else "\n",
        " · ".join(kind) + "\n",
        (digests, "$foreground-muted"),
    )


def entry_details(entry: ModelInfo | CatalogueEntry | str | None, failed: Mapping[str, str]) -> Content:
    """Everything known of an entry of the list; `failed`: why a source could not be loaded."""
    if entry is None:
        return Content("")
    if isinstance(entry, ModelInfo):
        return loaded_details(entry)
    if isinstance(entry, str):
        source, reason = visible(entry, spaces=False), visible(failed[entry], spaces=False)
        return Content.assemble((source, "bold"), "  could not be loaded\n", (reason, "$error"))
    about = visible(entry.description, spaces=False)
    return Content.assemble((visible(entry.source, spaces=False), "bold"), f"  {entry.origin}\n", about)


class ModelsScreen(Dialog[ModelChoice]):
    """Enter on a loaded model selects it, on another loads it (again, where that failed); `x` unloads a model, or
    dismisses a failure; a source may be typed."""

    dialog_title: ClassVar[str] = "Models"
    keys_line: ClassVar[str] = "enter select or load · x unload, dismiss ✗ · tab source · esc close"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "leave", "close", show=False)]
    DEFAULT_CSS = """
    ModelsScreen {
        & #model-details { height: 3; color: $foreground; }
        & .model-line { height: 1; margin: 1 0 0 0; }
        & .model-line > Label { color: $text-muted; margin: 0 1 0 0; }
        & #model-source { width: 1fr; }
        & #model-dtype { width: 14; margin: 0 2 0 0; }
        & #model-device { width: 12; margin: 0 2 0 0; }
        & #model-pickle { width: 13; }
        & #model-problem { height: 1; color: $error; }
    }
    """

    def __init__(
        self,
        roster: Roster,
        catalogue: ModelCatalogue | None = None,
        *,
        selected: str = "",
        failed: Mapping[str, str] | None = None,
    ) -> None:
        """`failed`: why each source could not be loaded."""
        super().__init__()
        self._failed = dict(failed or {})
        self._roster = roster
        self._catalogue = catalogue
        self._selected = selected
        self._entries: list[ModelInfo | CatalogueEntry | str] = []
        """Those with a source alone failed."""

    def compose_body(self) -> ComposeResult:
        devices = ["auto", *(memory.device for memory in self._roster.devices)]
        yield RowList(id="model-list", empty="Looking for models…")
        yield Static(Content(""), id="model-details")
        with Horizontal(classes="model-line"):
            yield Label("source")
            placeholder = "zoo:mynah, a directory, a GGUF file, a hub id, weights:…"
            field = Input(placeholder=placeholder, compact=True, id="model-source")
            field.cursor_blink = False
            yield field
        with Horizontal(classes="model-line"):
            yield Label("dtype")
            yield Choice(DTYPES, value="auto", id="model-dtype")
            yield Label("device")
            yield Choice(devices, value="auto", id="model-device")
            yield Label("pickle files")
            yield Choice(("refused", "allowed"), value="refused", id="model-pickle")
        yield Static(Content(""), id="model-problem")

    def on_mount(self) -> None:
        self._show_list()
        self.query_one(RowList).focus()

    def show_catalogue(self, catalogue: ModelCatalogue) -> None:
        """What could be loaded arrived."""
        self._catalogue = catalogue
        self._show_list()

    def show_problem(self, text: str) -> None:
        """Why nothing is listed."""
        self.query_one(RowList).show_empty(visible(text, spaces=False))

    def _show_list(self) -> None:
        entries = () if self._catalogue is None else self._catalogue.entries
        sources = {info.source for info in self._roster.models}
        others = [entry for entry in entries if entry.source not in sources and entry.source not in self._failed]
        others.sort(key=lambda entry: entry.origin != "zoo")  # stable: the zoo first, else as they came
        self._entries = [*self._roster.models, *self._failed, *others]
        loaded = [loaded_row(info, selected=info.name == self._selected) for info in self._roster.models]
        rows = self.query_one(RowList)
        failed = [failed_row(source, reason) for source, reason in self._failed.items()]
        rows.show_rows([*loaded, *failed, *(entry_row(entry) for entry in others)])
        if self._catalogue is not None:
            rows.show_empty("Nothing is loaded and nothing is cached: type a source below.")
        self._show_details()

    def _show_details(self) -> None:
        details = entry_details(self._highlighted(), self._failed)
        self.query_one("#model-details", Static).update(details)

    def _highlighted(self) -> ModelInfo | CatalogueEntry | str | None:
        return self._entries[self.query_one(RowList).cursor] if self._entries else None

    @on(RowList.Highlighted)
    def highlight(self, event: RowList.Highlighted) -> None:
        """Show what is known of the model under the cursor."""
        self._show_details()

    @on(RowList.Chosen)
    def choose(self, event: RowList.Chosen) -> None:
        """Select a loaded model, or load another."""
        entry = self._entries[event.index]
        if isinstance(entry, ModelInfo):
            self.dismiss(ModelChoice("select", source=entry.source, model=entry.name))
        elif isinstance(entry, str):
            self.dismiss(ModelChoice("retry", source=entry))
        else:
            self._load(entry.source)

    @on(Input.Submitted, "#model-source")
    @on(Submitted)
    def load_typed(self) -> None:
        """Load the source as typed, or with no source typed the entry under the cursor with these options."""
        typed = self.query_one("#model-source", Input).value.strip()
        entry = self._highlighted()
        if typed:
            self._load(typed)
        elif entry is not None:
            self._load(entry if isinstance(entry, str) else entry.source)
        else:
            self._say("Type a source: zoo:mynah, a directory, a GGUF file, a hub id, or weights: and one of these.")

    def key_x(self) -> None:
        """Unload the model under the cursor, or dismiss what failed (in the source line, `x` is a letter)."""
        entry = self._highlighted()
        if isinstance(entry, ModelInfo):
            self.dismiss(ModelChoice("unload", source=entry.source, model=entry.name))
        elif isinstance(entry, str):
            self.dismiss(ModelChoice("dismiss", source=entry))
        else:
            self._say("Only a loaded model (●) can be unloaded.")

    def _load(self, source: str) -> None:
        self.dismiss(
            ModelChoice(
                "load",
                source=source,
                dtype=cast(Dtype, self.query_one("#model-dtype", Choice).chosen),
                device=self.query_one("#model-device", Choice).chosen,
                allow_pickle=self.query_one("#model-pickle", Choice).chosen == "allowed",
            )
        )

    def _say(self, text: str) -> None:
        self.query_one("#model-problem", Static).update(Content(f"✗ {text}"))
