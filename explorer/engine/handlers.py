"""The engine: the loaded models, and from a Request to the generator that answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from explorer.base.records.inspect import InspectToken
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.models import ListModels, LoadModel, ReadRoster, Roster, UnloadModel
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.self_test import SelfTest
from explorer.base.records.speakability import CheckCertificates, ProveSpeakability, ReadCertificates
from explorer.base.records.unions import AnyRequest
from explorer.base.records.verification import ReadEvidence, ReadVerdicts, Verify
from explorer.base.records.vocabulary import RankTokens, ReadVocabulary
from explorer.engine.answers import inspect, logprobs, models, neighbours, repeat_back, vocabulary
from explorer.engine.answers.self_test import answer as self_test
from explorer.engine.answers.speakability import answer as speakability
from explorer.engine.answers.speakability import check
from explorer.engine.answers.speakability.unembedding import Unembeddings
from explorer.engine.answers.verification import answer as verification
from explorer.engine.answers.vocabulary import VocabularyReader
from explorer.engine.models.roster import Roster as ModelRoster
from explorer.engine.queue import Control, Work

_ANSWERS: dict[type[Any], Callable[[Any, Any, Control], Work]] = {
    LoadModel: models.answer_load,
    UnloadModel: models.answer_unload,
    ReadRoster: models.answer_read_roster,
    ListModels: models.answer_list,
    ReadVocabulary: vocabulary.answer_read,
    RankTokens: vocabulary.answer_rank,
    InspectToken: inspect.answer,
    RepeatBack: repeat_back.answer,
    ReadLogprobs: logprobs.answer,
    FindNeighbours: neighbours.answer,
    Verify: verification.answer_verify,
    ReadVerdicts: verification.answer_read_verdicts,
    ReadEvidence: verification.answer_read_evidence,
    SelfTest: self_test.answer,
    ProveSpeakability: speakability.answer_prove,
    ReadCertificates: speakability.answer_read_certificates,
    CheckCertificates: check.answer,
}


class Engine:
    """Holds the loaded models and knows which answer a request has."""

    def __init__(self, roster: ModelRoster | None = None) -> None:
        self.models = roster or ModelRoster()
        self.vocabularies = VocabularyReader()
        self.unembeddings = Unembeddings()

    def begin(self, request: AnyRequest, control: Control) -> Work:
        """The generator that answers `request`."""
        return _ANSWERS[type(request)](self, request, control)

    def is_background(self, request: AnyRequest) -> bool:
        """Whether quicker requests may pass this one while it runs."""
        if isinstance(request, ProveSpeakability):
            return request.token_ids is None
        return isinstance(request, Verify | SelfTest)

    def roster_state(self) -> Roster:
        """Which models are loaded, and the memory of each device."""
        return self.models.state()
