"""The models as the screen knows them: what is loaded, how it was asked for, and the vocabularies that were read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec
from textual.app import SystemCommand

from explorer.base.errors import ExplorerError
from explorer.base.records.models import (
    CatalogueEntry,
    LoadModel,
    ModelInfo,
    ModelLoaded,
    ModelUnloaded,
    Roster,
    UnloadModel,
)
from explorer.base.records.record import Failure
from explorer.base.records.token_lists import MatchTokenList, TokenListMatched
from explorer.base.records.unions import Cancelled, Step
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.base.servers import ServerEntry, check_server
from explorer.base.text import visible
from explorer.pipe.client import RESTART, EngineClient
from explorer.sessions.file.known_places import KnownPlaces
from explorer.settings import Settings, load_request, state_folder, with_server
from explorer.tui.live.runs import Runs
from explorer.tui.shell.messages import Selection

if TYPE_CHECKING:
    from explorer.base.token_lists import TokenList
    from explorer.tui.widgets.model_bar import ModelBar


class Front(Protocol):
    """What is needed of the screen."""

    @property
    def selection(self) -> Selection:
        """What the user is looking at."""

    @property
    def bar(self) -> ModelBar:
        """The line that shows models and engine."""

    def select(self, **changes: object) -> None:
        """Change what is selected."""

    def marks_of(self, model: str) -> frozenset[int]:
        """The ids of a model that the user marked."""

    def show_again(self, step: Step) -> None:
        """Show a step in its panes without recording it."""

    def forget_model(self, name: str) -> None:
        """Nothing that panes worked out for all tokens of this model holds any longer."""

    def inspect_selected(self, *, record: bool) -> None:
        """Ask for the details of the selected token."""

    def remark(self, text: str, *, problem: bool = False) -> None:
        """One line for the user."""


class FailedLoad(msgspec.Struct, frozen=True):
    """A model that could not be loaded, and why."""

    request: LoadModel
    reason: str
    """One line."""


class Models:
    """Loads, unloads and chooses models; learns from steps and from the engine what became of it."""

    def __init__(self, front: Front, runs: Runs, client: EngineClient, settings: Settings) -> None:
        self._front = front
        self._runs = runs
        self._client = client
        self._settings = settings
        self._places = KnownPlaces(state_folder(settings))
        self.vocabularies: dict[str, Step] = {}
        """The last vocabulary read of each model, so that changing between models is instant."""
        self.failures: dict[str, FailedLoad] = {}
        """What could not be loaded, by source, until it is loaded or dismissed."""
        self.reloads: dict[str, LoadModel] = {}
        """How each loaded model was asked for, to load it again after the engine was restarted."""
        self.lists: tuple[TokenList, ...] = ()
        """Published lists, matched with each vocabulary before it is read."""
        self.awaited = ""
        """The model of a resumed session whose vocabulary is to be in the table."""
        self._behind: dict[str, ModelInfo] = {}
        """The models behind servers, by name."""
        self._digests: dict[str, tuple[str, str]] = {}
        """Of weights and tokenizer, by the name of each model that was loaded."""

    @property
    def servers(self) -> tuple[CatalogueEntry, ...]:
        """The servers of the settings, as what could be loaded."""
        return tuple(
            CatalogueEntry(source=str(each), origin="settings", description=f"server {each.name}")
            for each in map(check_server, self._settings.servers)
        )

    def add_server(self, server: ServerEntry) -> None:
        """A server that is in the settings from now on."""
        self._settings = msgspec.structs.replace(self._settings, servers=(*self._settings.servers, server))

    # ── asking ──

    def request_for(self, source: str) -> LoadModel:
        """The request that loads `source` as the settings want it."""
        return load_request(source, self._settings)

    def load(self, request: LoadModel) -> None:
        """Ask for a model; the bar shows it on its way."""
        request = with_server(request, self._settings)
        self.failures.pop(request.source, None)
        self._front.bar.set_model_loading(request.source)
        self._runs.ask(request)

    def dismiss(self, source: str) -> None:
        """Show no longer that this source could not be loaded."""
        self.failures.pop(source, None)
        self._front.bar.set_model_idle(source)

    def unload(self, name: str) -> None:
        """Ask for a model to be unloaded."""
        self._runs.ask(UnloadModel(model=name))

    def choose(self, info: ModelInfo) -> None:
        """Show the vocabulary of a loaded model."""
        front, shown = self._front, self._front.selection.model
        same = shown is not None and shown.tokenizer_digest == info.tokenizer_digest
        token = front.selection.token if same else None
        front.select(model=info, token=token, columns=None, marked=front.marks_of(info.name))
        front.bar.set_selected(info.name)
        if (known := self.vocabularies.get(info.name)) is not None:
            front.show_again(known)
        else:
            for published in self.lists:
                self._runs.ask(MatchTokenList(model=info.name, **published._asdict()))
            self._runs.ask(ReadVocabulary(model=info.name), record=False)

    def choose_next(self, step: int) -> None:
        """Show the vocabulary of the model `step` places on in the roster."""
        selection = self._front.selection
        models = selection.roster.models
        if not models:
            self._front.remark("No model is loaded: press m.")
            return
        names = [info.name for info in models]
        if len(names) == 1 and names[0] in self.vocabularies:
            self._front.remark(f"{visible(names[0], spaces=False)} is the only model: m loads others.")
            return
        here = names.index(selection.model.name) if selection.model and selection.model.name in names else -1
        self.choose(models[(here + step) % len(models)])

    # ── what became of it ──

    def note(self, step: Step) -> None:
        """Take in a step, whatever it is about."""
        bar = self._front.bar
        match step.request, step.outcome:
            case LoadModel() as request, ModelLoaded(info=info):
                self._note_loaded(request, info)
            case LoadModel() as request, Failure() as failure:
                bar.set_model_failed(request.source)
                said = ExplorerError(failure.message, failure.hint).line
                self.failures[request.source] = FailedLoad(request, said)
                self._front.remark(said if request.source in said else f"{request.source}: {said}", problem=True)
            case LoadModel() as request, Cancelled():
                bar.set_model_idle(request.source)
            case _, ModelUnloaded(model=name):
                self._note_unloaded(name)
            case MatchTokenList(), TokenListMatched() as matched:
                from explorer.specs.token_lists import summarise  # not before the first paint

                self._front.remark(summarise(matched), problem=not matched.used)
            case ReadVocabulary() as request, VocabularyColumns():
                self.vocabularies[request.model] = step
                gc.freeze()
            case _:
                pass

    def _note_loaded(self, request: LoadModel, info: ModelInfo) -> None:
        self._offer_to_join(info)
        self.reloads[info.name] = request
        self._front.bar.set_model_idle(request.source)  # the engine may spell it otherwise: `model/` is `./model`
        self.note_identity(info)
        remember = partial(self._places.remember, request.source, info, request.tokenizer)
        asyncio.get_running_loop().run_in_executor(None, remember)  # writes a file: no key waits for it
        shown = self._front.selection.model
        if shown is None or self.awaited == info.name:
            self.awaited = ""
            self.choose(info)
        elif shown.name == info.name:  # loaded again after the engine was restarted
            self._front.inspect_selected(record=False)

    def _offer_to_join(self, info: ModelInfo) -> None:
        if info.reach is None:
            return
        from explorer.specs.models import say_how_to_join  # not before the first paint

        if said := say_how_to_join(info, self._behind.values()):
            self._front.remark(f"{info.name}: {said}")
        self._behind[info.name] = info

    def note_identity(self, info: ModelInfo) -> None:
        """Forget what was known of a name that now stands for another checkpoint (another folder, or trained on)."""
        digests = (info.weights_digest, info.tokenizer_digest)
        if self._digests.setdefault(info.name, digests) != digests:
            self._digests[info.name] = digests
            self.vocabularies.pop(info.name, None)
            self._runs.forget_model(info.name)
            self._front.forget_model(info.name)

    def _note_unloaded(self, name: str) -> None:
        """Nothing of it stays but the session's steps."""
        self.vocabularies.pop(name, None)
        self.reloads.pop(name, None)
        self._behind.pop(name, None)
        selection = self._front.selection
        if selection.model is not None and selection.model.name == name:
            left = [info for info in selection.roster.models if info.name != name]
            if left:
                self.choose(left[0])
            else:
                self._front.select(model=None, token=None, columns=None)

    # ── the engine ──

    def greet(self, roster: Roster) -> None:
        """The engine is ready."""
        self._front.bar.set_engine("ready", "")
        self.use_roster(roster)

    def use_roster(self, roster: Roster) -> None:
        """These models are loaded."""
        self._front.bar.set_roster(roster)
        self._front.select(roster=roster)

    def note_stop(self, reason: str) -> None:
        """The engine stopped, and no model is loaded any more."""
        self._front.bar.set_engine("stopped", reason)
        self.use_roster(Roster(models=(), devices=()))
        self._front.remark(f"The engine stopped: {reason}. {RESTART}", problem=True)

    async def start_engine(self, loads: Iterable[LoadModel]) -> None:
        """Start the engine and load models into it, in order."""
        self._front.bar.set_engine("starting", "")
        try:
            await self._client.start()
        except OSError as error:
            self._front.bar.set_engine("stopped", str(error))
            self._front.remark(f"The engine cannot be started: {error}. Check --engine or the settings.", problem=True)
            return
        for request in loads:
            self.load(request)

    async def force_engine(self) -> None:
        """End an engine that hears nothing, and start it again with the models that were loaded."""
        self._front.remark("Ending the engine …")
        await self._client.force()
        await self.restart_engine()

    async def restart_engine(self) -> None:
        """Start the engine again after it stopped, with the models that were loaded."""
        if self._client.state != "stopped":
            self._front.remark("The engine is running.")
        else:
            await self.start_engine(list(self.reloads.values()))


def offer_models(models: Models, selection: Selection) -> Iterator[SystemCommand]:
    """For the palette: what can be done with each loaded model, and the models of the zoo that are not."""
    from explorer.zoo import zoo_names  # not before the first paint

    for info in selection.roster.models:
        name = visible(info.name, spaces=False)
        yield SystemCommand(f"Show {name}", f"Show the vocabulary of {name}.", partial(models.choose, info))
        yield SystemCommand(f"Unload {name}", f"Free the memory of {name}.", partial(models.unload, info.name))
    loaded = {info.source for info in selection.roster.models}
    for source in (f"zoo:{name}" for name in zoo_names()):
        if source not in loaded:
            load = partial(models.load, models.request_for(source))
            yield SystemCommand(f"Load {source}", "Load this model of the zoo; m loads any other.", load)
