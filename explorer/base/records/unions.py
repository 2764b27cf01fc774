"""Every request, outcome and part in one static union each: one line a verb."""

from __future__ import annotations

import math

from explorer.base.records.compare import CompareTokens, TokenComparison
from explorer.base.records.inspect import FindToken, InspectToken, TokenDetail, TokenFound
from explorer.base.records.lineage import FindLineage, Lineage, LineagePart
from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.maps import MapPoints, MapView, PlacePoints, ReadMap, ViewMap, VocabularyMap
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
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Failure, Outcome, Progress, Record
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, ReplyPart
from explorer.base.records.self_test import SelfTest, SelfTestResult
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityPart,
    SpeakabilityResult,
)
from explorer.base.records.token_lists import MatchTokenList, TokenListMatched
from explorer.base.records.verification import (
    ReadEvidence,
    ReadVerdicts,
    VerdictColumns,
    VerdictEvidence,
    VerdictPart,
    VerificationResult,
    Verify,
)
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns


class Cancelled(Outcome, kw_only=True):
    """The request was stopped; `partial` is what had been gathered, if anything."""

    partial: RepeatBackResult | LogprobTable | VerificationResult | SpeakabilityResult | Lineage | None = None
    why: str = ""
    """Which limit was reached; empty: the user stopped it."""


AnyRequest = (
    LoadModel
    | UnloadModel
    | ReadRoster
    | ListModels
    | ReadVocabulary
    | RankTokens
    | MatchTokenList
    | FindToken
    | InspectToken
    | RepeatBack
    | ReadLogprobs
    | FindNeighbours
    | CompareTokens
    | ReadMap
    | PlacePoints
    | ViewMap
    | FindLineage
    | Verify
    | ReadVerdicts
    | ReadEvidence
    | SelfTest
    | ProveSpeakability
    | ReadCertificates
    | CheckCertificates
    | MarkToken
    | WriteNote
)


AnyOutcome = (
    Failure
    | Cancelled
    | ModelLoaded
    | ModelUnloaded
    | Roster
    | ModelCatalogue
    | VocabularyColumns
    | RankedTokens
    | TokenListMatched
    | TokenFound
    | TokenDetail
    | RepeatBackResult
    | LogprobTable
    | Neighbourhood
    | TokenComparison
    | VocabularyMap
    | MapPoints
    | MapView
    | Lineage
    | VerificationResult
    | VerdictColumns
    | VerdictEvidence
    | SelfTestResult
    | SpeakabilityResult
    | Certificates
    | CertificatesChecked
    | Noted
)


AnyPart = Progress | ReplyPart | VerdictPart | SpeakabilityPart | LineagePart


class Step(Record, kw_only=True, tag_field="kind", tag=True):
    """One thing asked and what came back."""

    number: int
    at: str
    """UTC time of the answer, ISO 8601 with seconds."""
    seconds: float
    request: AnyRequest
    outcome: AnyOutcome

    def problem(self) -> str:
        if not 0 <= self.seconds < math.inf:
            return f"{self.seconds} seconds is not a duration"
        return f"{self.number} is not a step number" if self.number < 0 else ""
