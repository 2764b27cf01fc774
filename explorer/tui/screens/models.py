"""The Models dialogue: what is loaded, what could be, and where else to load from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from textual import events, on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from explorer.base.records.models import CatalogueEntry, LoadModel, ModelCatalogue, ModelInfo, Roster
from explorer.base.text import visible
from explorer.specs.models import say_how_to_join
from explorer.tui.screens.dialog import Dialog
from explorer.tui.screens.load_form import LoadForm
from explorer.tui.screens.model_rows import ModelRows, entry_details
from explorer.tui.widgets.row_list import RowList


@dataclass(frozen=True)
class ModelChoice:
    """What the user decided."""

    action: Literal["load", "unload", "select", "retry", "dismiss", "add server"]
    source: str = ""
    """Of a load that failed, to retry or to dismiss; of a loaded model."""
    model: str = ""
    """To unload or select: its name in the roster."""
    request: LoadModel | None = None
    """To load."""


class ModelsScreen(Dialog[ModelChoice]):
    """Enter on a loaded model selects it, on another loads it (again, where that failed); `x` unloads a model, or
    dismisses a failure; `a` adds a server to the settings; any other letter begins a source."""

    dialog_title: ClassVar[str] = "Models"
    keys_line = "enter select, load · x unload · a add server · tab options · esc close"
    DEFAULT_CSS = """
    ModelsScreen {
        & #model-details { height: 5; color: $foreground; }
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
        usual: LoadModel | None = None,
        servers: tuple[CatalogueEntry, ...] = (),
    ) -> None:
        """`failed`: why each source could not be loaded; `usual`: how the settings want a model loaded; `servers`:
        those of the settings."""
        super().__init__()
        self._failed = dict(failed or {})
        self._roster = roster
        self._catalogue = catalogue
        self._servers = servers
        self._selected = selected
        self._form = LoadForm([memory.device for memory in roster.devices], usual or LoadModel(source=""))
        self._entries: list[ModelInfo | CatalogueEntry | str] = []
        """Those with a source alone failed."""

    def compose_body(self) -> ComposeResult:
        yield RowList(id="model-list", empty="Looking for models…")
        yield Static(Content(""), id="model-details")
        yield self._form
        yield Static(Content(""), id="model-problem")

    def on_mount(self) -> None:
        self._show_list()
        self.set_focus(self.query_one(RowList))  # at once: `focus()` would take it back from a field typed ahead into

    def on_resize(self, event: events.Resize) -> None:
        """Columns have other room."""
        self.call_after_refresh(self._show_list)

    def show_catalogue(self, catalogue: ModelCatalogue) -> None:
        """What could be loaded arrived."""
        self._catalogue = catalogue
        self._show_list()

    def show_problem(self, text: str) -> None:
        """Why nothing is listed."""
        self.query_one(RowList).show_empty(visible(text, spaces=False))

    def _show_list(self) -> None:
        entries = (*self._servers, *(() if self._catalogue is None else self._catalogue.entries))
        sources = {info.source for info in self._roster.models}
        others = [entry for entry in entries if entry.source not in sources and entry.source not in self._failed]
        others.sort(key=lambda entry: entry.origin == "hub cache")  # stable: else as they came
        self._entries = [*self._roster.models, *self._failed, *others]
        rows = self.query_one(RowList)
        form = ModelRows(rows.scrollable_content_region.width - 2)  # the cursor stands before each
        loaded = [form.loaded(info, selected=info.name == self._selected) for info in self._roster.models]
        failed = [form.failed(source, reason) for source, reason in self._failed.items()]
        header = form.header() if loaded else None
        rows.show_rows([*loaded, *failed, *map(form.entry, others)], header=header)
        if self._catalogue is not None:
            rows.show_empty("Nothing is loaded and nothing is cached: type a source below.")
        self._show_details()

    def _show_details(self) -> None:
        entries = () if self._catalogue is None else self._catalogue.entries
        descriptions = {entry.source: entry.description for entry in entries}
        entry = self._highlighted()
        joined = say_how_to_join(entry, self._roster.models) if isinstance(entry, ModelInfo) else ""
        details = Content("\n").join([entry_details(entry, self._failed, descriptions), *filter(None, [joined])])
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

    @on(LoadForm.Asked)
    def load_typed(self) -> None:
        """Load the source as typed, or with no source typed the entry under the cursor with these options."""
        typed, entry = self._form.source, self._highlighted()
        if typed:
            self._load(typed)
        elif entry is not None:
            self._load(entry if isinstance(entry, str) else entry.source)
        else:
            self._say("Type a source: zoo:mynah, a directory, a GGUF file, a hub id, or weights: and one of these.")

    def on_key(self, event: events.Key) -> None:
        """In the list `x` and `a` act; any other letter begins a source, and those that follow at once continue it."""
        letter = (event.character or "").strip() if event.is_printable else ""
        if letter and (self.focused is self.query_one(RowList) or self._form.is_typing):
            acts = {} if self._form.is_typing else {"x": self._drop, "a": self._add_server}
            acts.get(letter, partial(self._form.type_source, letter))()

    def _drop(self) -> None:
        """Unload the model under the cursor, or dismiss what failed."""
        entry = self._highlighted()
        if isinstance(entry, ModelInfo):
            self.dismiss(ModelChoice("unload", source=entry.source, model=entry.name))
        elif isinstance(entry, str):
            self.dismiss(ModelChoice("dismiss", source=entry))
        else:
            self._say("Only a loaded model (●) can be unloaded.")

    def _add_server(self) -> None:
        """Describe a server, which is then kept in the settings."""
        self.dismiss(ModelChoice("add server"))

    def _load(self, source: str) -> None:
        self.dismiss(ModelChoice("load", request=self._form.request(source)))

    def _say(self, text: str) -> None:
        self.query_one("#model-problem", Static).update(Content(f"✗ {text}"))
