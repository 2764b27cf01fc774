"""One handler a verb: from a Request to the models, the numbers and the behaviour that answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from explorer.base.records.inspect import InspectToken
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.models import (
    ListModels,
    LoadModel,
    ModelCatalogue,
    ModelLoaded,
    ModelUnloaded,
    ReadRoster,
    Roster,
    UnloadModel,
)
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.record import Progress
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.self_test import SelfTest
from explorer.base.records.speakability import CheckCertificates, ProveSpeakability, ReadCertificates
from explorer.base.records.unions import AnyRequest
from explorer.base.records.verification import ReadEvidence, ReadVerdicts, Verify
from explorer.base.records.vocabulary import RankTokens, ReadVocabulary
from explorer.engine.answers.inspect import inspect_token
from explorer.engine.answers.logprobs import read_logprobs
from explorer.engine.answers.neighbours import find_neighbours
from explorer.engine.answers.repeat_back import repeat_back
from explorer.engine.answers.self_test.answer import self_test
from explorer.engine.answers.speakability.answer import certify, read_certificates
from explorer.engine.answers.speakability.check import check_certificates
from explorer.engine.answers.speakability.unembedding import Unembeddings
from explorer.engine.answers.verification.answer import read_evidence, read_verdicts, verify
from explorer.engine.answers.vocabulary import VocabularyReader, unsuspected
from explorer.engine.models.catalogue import local_models
from explorer.engine.models.roster import Roster as ModelRoster
from explorer.engine.queue import Control, Work
from explorer.tables.table import ranked, select


class Engine:
    """Holds the loaded models and knows which handler answers what."""

    def __init__(self, roster: ModelRoster | None = None) -> None:
        self.models = roster or ModelRoster()
        self.vocabularies = VocabularyReader()
        self.unembeddings = Unembeddings()
        self._handlers: dict[type[Any], Callable[[Any, Control], Work]] = {
            LoadModel: self._load,
            UnloadModel: self._unload,
            ReadRoster: self._read_roster,
            ListModels: self._list_models,
            ReadVocabulary: self._read_vocabulary,
            RankTokens: self._rank_tokens,
            InspectToken: self._inspect_token,
            RepeatBack: self._repeat_back,
            ReadLogprobs: self._read_logprobs,
            FindNeighbours: self._find_neighbours,
            Verify: self._verify,
            ReadVerdicts: self._read_verdicts,
            ReadEvidence: self._read_evidence,
            SelfTest: self._self_test,
            ProveSpeakability: self._certify,
            ReadCertificates: self._read_certificates,
            CheckCertificates: self._check_certificates,
        }

    def begin(self, request: AnyRequest, control: Control) -> Work:
        """The generator that answers `request`."""
        return self._handlers[type(request)](request, control)

    def is_background(self, request: AnyRequest) -> bool:
        """Whether quicker requests may pass this one while it runs."""
        if isinstance(request, ProveSpeakability):
            return request.token_ids is None
        return isinstance(request, Verify | SelfTest)

    def roster_state(self) -> Roster:
        """Which models are loaded, and the memory of each device."""
        return Roster(models=self.models.infos(), devices=self.models.memory())

    # A handler is a generator: it yields parts and returns the outcome.

    def _load(self, request: LoadModel, control: Control) -> Work:
        def progress(done: int, total: int, what: str) -> None:
            control.tell(Progress(done=done, total=total, what=what))

        yield Progress(done=0, total=0, what=f"loading {request.source}")
        model = self.models.load(request.source, request.dtype, request.device, request.allow_pickle, progress)
        return ModelLoaded(info=model.info)

    def _unload(self, request: UnloadModel, control: Control) -> Work:
        yield from ()
        name = self.models.get(request.model).info.name
        self.models.unload(name)
        self.vocabularies.forget(name)
        self.unembeddings.forget()
        return ModelUnloaded(model=name)

    def _read_roster(self, request: ReadRoster, control: Control) -> Work:
        yield from ()
        return self.roster_state()

    def _list_models(self, request: ListModels, control: Control) -> Work:
        yield from ()
        return ModelCatalogue(entries=local_models({info.source for info in self.models.infos()}))

    def _read_vocabulary(self, request: ReadVocabulary, control: Control) -> Work:
        yield Progress(done=0, total=0, what=f"reading the vocabulary of {request.model}")
        read = yield from self.vocabularies.read(self.models.get(request.model), request.unused_ids)
        return read.sent

    def _rank_tokens(self, request: RankTokens, control: Control) -> Work:
        read = yield from self.vocabularies.read(self.models.get(request.model), request.unused_ids)
        return ranked(read.columns, request, select(read.columns, request))

    def _inspect_token(self, request: InspectToken, control: Control) -> Work:
        model = self.models.get(request.model)
        return inspect_token(model, (yield from self.vocabularies.read(model, request.unused_ids)), request)

    def _repeat_back(self, request: RepeatBack, control: Control) -> Work:
        model = self.models.get(request.model)
        trained = None
        if request.controls:
            trained = unsuspected((yield from self.vocabularies.read(model, None)))
        return (yield from repeat_back(model, request, control.cancelled, trained))

    def _read_logprobs(self, request: ReadLogprobs, control: Control) -> Work:
        models = [self.models.get(name) for name in request.models]
        return (yield from read_logprobs(models, request, control.cancelled))

    def _find_neighbours(self, request: FindNeighbours, control: Control) -> Work:
        model = self.models.get(request.model)
        return find_neighbours(model, (yield from self.vocabularies.read(model, None)), request)

    def _verify(self, request: Verify, control: Control) -> Work:
        model = self.models.get(request.model)
        return (yield from verify(model, (yield from self.vocabularies.read(model, None)), request, control))

    def _read_verdicts(self, request: ReadVerdicts, control: Control) -> Work:
        model = self.models.get(request.of.model)
        return (yield from read_verdicts(model, (yield from self.vocabularies.read(model, None)), request))

    def _read_evidence(self, request: ReadEvidence, control: Control) -> Work:
        model = self.models.get(request.of.model)
        return read_evidence(model, (yield from self.vocabularies.read(model, None)), request)

    def _self_test(self, request: SelfTest, control: Control) -> Work:
        model = self.models.get(request.model)
        return (yield from self_test(model, (yield from self.vocabularies.read(model, None)), request, control))

    def _certify(self, request: ProveSpeakability, control: Control) -> Work:
        return (yield from certify(self.models.get(request.model), request, control, kept=self.unembeddings))

    def _read_certificates(self, request: ReadCertificates, control: Control) -> Work:
        yield Progress(done=0, total=0, what=f"reading the certificates about {request.of.model}")
        return read_certificates(self.models.get(request.of.model), request, kept=self.unembeddings)

    def _check_certificates(self, request: CheckCertificates, control: Control) -> Work:
        model = self.models.get(request.model)
        return (yield from check_certificates(model, request, control, self.unembeddings))
