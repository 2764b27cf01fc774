"""The App's state, and what it does with models: load, unload, choose, restart the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from explorer.base.errors import ExplorerError
from explorer.base.records.models import ListModels, LoadModel, ModelCatalogue, ModelInfo, UnloadModel
from explorer.base.records.record import Failure
from explorer.base.records.speakability import ProveSpeakability
from explorer.base.records.unions import Step
from explorer.base.records.verification import Verify
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.pipe.client import EngineClient
from explorer.tui.live.desk import Desk, Recorder
from explorer.tui.shell.messages import Answered
from explorer.tui.shell.stage import Stage
from explorer.tui.widgets.model_bar import ModelBar

if TYPE_CHECKING:
    from explorer.tui.screens.models import ModelChoice, ModelsScreen


class ModelActs(Stage):
    """What the App knows, and its acts upon models."""

    client: EngineClient
    desk: Desk
    recorder: Recorder
    vocabularies: dict[str, Step]
    """The last vocabulary read of each model, so that changing between models is instant."""
    reloads: dict[str, LoadModel]
    """How each loaded model was asked for, to load it again after the engine was restarted."""

    digests: dict[str, tuple[str, str]]
    """Of weights and tokenizer, by the name of each model that was loaded."""

    trouble: str
    """Why the session was not written when the user last heard of it; empty where it is."""

    paused: dict[Verify | ProveSpeakability, None]
    """Runs over many tokens that were stopped, in that order."""

    # ── models ────────────────────────────────────────────────────────────────────────────────────────────

    def action_models(self) -> None:
        self.run_worker(self.choose_models(), group="models", exclusive=True, exit_on_error=False)

    async def choose_models(self) -> None:
        """The models screen, and what the user chose in it."""
        selected = self.selection.model.name if self.selection.model else ""
        from explorer.tui.screens.models import ModelsScreen

        screen = ModelsScreen(self.selection.roster, selected=selected)
        self.run_worker(self.fill_catalogue(screen), group="catalogue", exclusive=True, exit_on_error=False)
        choice: ModelChoice | None = await self.push_screen_wait(screen)
        if choice is None:
            return
        if choice.action == "load":
            self.load(
                LoadModel(
                    source=choice.source,
                    dtype=choice.dtype,
                    device=choice.device,
                    allow_pickle=choice.allow_pickle or self.settings.allow_pickle,
                )
            )
        elif choice.action == "unload":
            self.desk.ask(UnloadModel(model=choice.model))
        else:
            self.choose_model(next(info for info in self.selection.roster.models if info.name == choice.model))

    def choose_model(self, info: ModelInfo) -> None:
        """Show the vocabulary of a loaded model."""
        shown = self.selection.model
        same = shown is not None and shown.tokenizer_digest == info.tokenizer_digest
        token = self.selection.token if same else None
        self.select(model=info, token=token, marked=frozenset(self.marks[info.name]))
        self.query_one(ModelBar).set_selected(info.name)
        if (known := self.vocabularies.get(info.name)) is not None:
            self.post_message(Answered(known, record=False))
        else:
            self.desk.ask(ReadVocabulary(model=info.name), record=False)

    async def fill_catalogue(self, screen: ModelsScreen) -> None:
        """What else could be loaded, as soon as the engine says so."""
        outcome = (await self.client.ask(ListModels())).outcome
        if isinstance(outcome, ModelCatalogue) and screen.is_current:
            screen.show_catalogue(outcome)
        elif isinstance(outcome, Failure):
            # A stopped engine fails at once, before the screen is there: this waits for it.
            screen.call_later(screen.show_problem, ExplorerError(outcome.message, outcome.hint).line)

    def load_request(self, source: str) -> LoadModel:
        """The request that loads `source` with the dtype and device of the settings."""
        chosen: Any = self.settings.dtype
        return LoadModel(
            source=source, dtype=chosen, device=self.settings.device, allow_pickle=self.settings.allow_pickle
        )

    def load_again(self, requests: Sequence[LoadModel]) -> None:
        """Load the models of an earlier session, and those of the settings that are not among them."""
        from explorer.tui.replay.restore import loads_again

        loads, missing = loads_again(requests, self.settings)
        for source in missing:
            self.remark(f"{source} stood in a folder that the session does not tell: load it with m.", problem=True)
        sources = {request.source for request in loads}
        others = [self.load_request(source) for source in self.settings.models if source not in sources]
        for request in (*loads, *others):
            self.load(request)

    def load(self, request: LoadModel) -> None:
        """Ask for a model; the bar shows it on its way."""
        self.query_one(ModelBar).set_model_loading(request.source)
        self.desk.ask(request)

    def action_next_model(self) -> None:
        self.step_model(1)

    def action_previous_model(self) -> None:
        self.step_model(-1)

    def step_model(self, step: int) -> None:
        """Show the vocabulary of the model `step` places on in the roster."""
        models = self.selection.roster.models
        if not models:
            self.remark("No model is loaded: press m.")
            return
        names = [info.name for info in models]
        here = (
            names.index(self.selection.model.name)
            if self.selection.model and self.selection.model.name in names
            else -1
        )
        self.choose_model(models[(here + step) % len(models)])

    def forget_model(self, name: str) -> None:
        """A model was unloaded: nothing of it stays but the session's steps."""
        self.vocabularies.pop(name, None)
        self.reloads.pop(name, None)
        if self.selection.model is not None and self.selection.model.name == name:
            left = [info for info in self.selection.roster.models if info.name != name]
            if left:
                self.choose_model(left[0])
            else:
                self.select(model=None, token=None)

    def note_identity(self, info: ModelInfo) -> None:
        """A name may come to stand for another checkpoint: another folder of that name, or the same one trained on."""
        digests = (info.weights_digest, info.tokenizer_digest)
        if self.digests.setdefault(info.name, digests) == digests:
            return
        self.digests[info.name] = digests
        self.vocabularies.pop(info.name, None)
        self.paused = {request: None for request in self.paused if request.model != info.name}
        for pane in self.panes:
            pane.forget_model(info.name)

    def action_restart_engine(self) -> None:
        if self.client.state != "stopped":
            self.remark("The engine is running.")
            return
        self.run_worker(self.start_engine(list(self.reloads.values())), exit_on_error=False)

    async def start_engine(self, loads: Iterable[LoadModel]) -> None:
        """Start the engine and load models into it, in order."""
        self.query_one(ModelBar).set_engine("starting", "")
        try:
            await self.client.start()
        except OSError as error:
            self.query_one(ModelBar).set_engine("stopped", str(error))
            self.remark(f"The engine cannot be started: {error}. Check --engine or the settings.", problem=True)
            return
        for request in loads:
            self.load(request)

    def action_unused(self) -> None:
        self.run_worker(self.edit_unused(), group="unused", exclusive=True, exit_on_error=False)

    async def edit_unused(self) -> None:
        """The known-unused reference: shown, and changed where the user wants."""
        model = self.selection.model
        step = self.vocabularies.get(model.name) if model is not None else None
        if model is None or step is None or not isinstance(step.outcome, VocabularyColumns):
            self.remark("No vocabulary is loaded: press m.")
            return
        from explorer.tables.table import TokenColumns
        from explorer.tui.screens.unused import UnusedScreen

        columns = TokenColumns(step.outcome)
        screen = UnusedScreen(columns.unused, columns.vocab_size, text_of=columns.visible)
        chosen = await self.push_screen_wait(screen)
        if chosen is not None:
            self.desk.ask(ReadVocabulary(model=model.name, unused_ids=chosen.ids), record=False)
