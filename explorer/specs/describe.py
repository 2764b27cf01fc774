"""Requests and outcomes in words: one line each, for the Session tab, session listings and reports.

Every record of `AnyRequest` and `AnyOutcome` has its words here; mypy's `assert_never` and a test both fail
when a new one has none. What comes from tokens, models or users has been through `visible`.
"""

from __future__ import annotations

import math
from typing import assert_never

from explorer.base.records.inspect import InspectToken, TokenDetail
from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
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
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.self_test import SelfTest, SelfTestResult
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityResult,
)
from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled
from explorer.base.records.verification import (
    ReadEvidence,
    ReadVerdicts,
    VerdictColumns,
    VerdictEvidence,
    VerificationResult,
    Verify,
)
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.base.text import visible, visible_bytes


def describe(request: AnyRequest) -> str:
    """What was asked, in one line of words: 'repeat back token 742 on mynah, repeat-1, 8 samples at T 0.7'."""
    match request:
        case LoadModel():
            return f"load {_prose(request.source)}" + _unless("auto", request.dtype) + _unless("auto", request.device)
        case UnloadModel():
            return f"unload {_prose(request.model)}"
        case ReadRoster():
            return "which models are loaded"
        case ListModels():
            return "which models could be loaded"
        case ReadVocabulary():
            return f"read the vocabulary of {_prose(request.model)}"
        case RankTokens():
            return _describe_ranking(request)
        case InspectToken():
            name = _bytes_of(request.token_bytes) if request.token_id is None else str(request.token_id)
            return f"inspect token {name} of {_prose(request.model)}"
        case RepeatBack():
            return _describe_repeat(request)
        case ReadLogprobs():
            return _describe_logprobs(request)
        case FindNeighbours():
            by_meaning = ", also by meaning" if request.encoder else ""
            return (
                f"{request.k} {request.metric} neighbours of token {request.token_id}"
                f" in {_prose(request.model)}'s {request.space} embeddings{by_meaning}"
            )
        case Verify():
            return _describe_verification(request)
        case ReadVerdicts():
            return f"read the verdicts of: {describe(request.of)}"
        case ReadEvidence():
            return (
                f"evidence about token {request.token_id} of {_prose(request.of.model)} by {_prose(request.definition)}"
            )
        case SelfTest():
            return f"test this program on {_prose(request.model)}"
        case ProveSpeakability():
            return _describe_certifying(request)
        case ReadCertificates():
            return f"read the certificates of: {describe(request.of)}"
        case CheckCertificates():
            return f"check {_count(len(request.rows), 'certificate')} about {_prose(request.model)}"
        case MarkToken():
            text = f" {visible(request.text)}" if request.text else ""
            return f"{'mark' if request.marked else 'unmark'} token {request.token_id}{text} of {_prose(request.model)}"
        case WriteNote():
            tags = "".join(f" #{_prose(tag)}" for tag in request.tags)
            return f"note{_note_subject(request)}: {_prose(request.text)}{tags}"
        case _:
            assert_never(request)


def summarise(outcome: AnyOutcome) -> str:
    """What came back, in one line of words and numbers."""
    match outcome:
        case Failure():
            return f"failed: {_prose(outcome.message)}"
        case Cancelled():
            return "cancelled" if outcome.partial is None else f"cancelled after: {summarise(outcome.partial)}"
        case ModelLoaded():
            info = outcome.info
            kind, where = _prose(info.architecture), _prose(info.device)
            return f"{_prose(info.name)}: {kind}, {info.vocab_size:,} × {info.d_model:,}, {where}"
        case ModelUnloaded():
            return f"{_prose(outcome.model)} unloaded"
        case Roster():
            return ", ".join(_prose(info.name) for info in outcome.models) or "no model is loaded"
        case ModelCatalogue():
            return _count(len(outcome.entries), "model")
        case VocabularyColumns():
            return _count(outcome.offsets.shape[0] - 1, "token")
        case RankedTokens():
            first = f", first {_token(outcome.rows[0])}" if outcome.rows else ""
            return f"{outcome.matching:,} of {outcome.total:,} tokens{first}"
        case TokenDetail():
            truth = f", {_prose(outcome.ground_truth)}" if outcome.ground_truth else ""
            return f"{_token(outcome.row)}, {outcome.row.category}{truth}"
        case RepeatBackResult():
            return _summarise_repeat(outcome)
        case LogprobTable():
            return _summarise_logprobs(outcome)
        case Neighbourhood():
            return _summarise_neighbours(outcome)
        case VerificationResult():
            return _summarise_verification(outcome)
        case VerdictColumns():
            return f"verdicts on {_count(outcome.token_ids.shape[0], 'token')}"
        case VerdictEvidence():
            cell = outcome.cell
            value = "" if cell.value is None else f", {_prose(outcome.definition.value)} {cell.value:.3g}"
            return f"{_token(outcome.token)} {cell.verdict} by {_prose(outcome.definition.name)}{value}"
        case SelfTestResult():
            return _summarise_self_test(outcome)
        case SpeakabilityResult():
            counts = f"speakable {outcome.speakable:,}, unspeakable {outcome.unspeakable:,}"
            return (
                f"{_count(outcome.tokens, 'token')} of {_prose(outcome.model)}: {counts},"
                f" undecided {outcome.undecided:,}; hard to speak {outcome.hard:,}"
            )
        case Certificates():
            return f"verdicts with certificates on {_count(len(outcome.rows), 'token')}"
        case CertificatesChecked():
            refused = len(outcome.refused)
            return f"{outcome.proved:,} proved, {outcome.undecided:,} undecided, {refused:,} refused"
        case Noted():
            return "taken down"
        case _:
            assert_never(outcome)


def _prose(text: str) -> str:
    return visible(text, spaces=False)


def _unless(default: str, value: str) -> str:
    return "" if value == default else f", {_prose(value)}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _bytes_of(token_bytes: str) -> str:
    try:
        return visible_bytes(bytes.fromhex(token_bytes))
    except ValueError:  # a request as somebody typed it, not yet checked by the engine
        return _prose(token_bytes)


def _token(token: TokenRef | TokenRow) -> str:
    return _bytes_of(token.token_bytes)


def _describe_ranking(request: RankTokens) -> str:
    order = f"by {_prose(request.sort) or 'the default indicator'}{', descending' if request.descending else ''}"
    kept = [f"filter {_prose(request.filter)}"] if request.filter else []
    kept += [f"category {request.category}"] if request.category else []
    return ", ".join([f"rank the tokens of {_prose(request.model)} {order}", *kept])


def _describe_repeat(request: RepeatBack) -> str:
    how = "greedy" if request.temperature == 0 else f"T {request.temperature:g}"
    samples = f"{_count(request.samples, 'sample')} at {how}" if request.samples > 1 else how
    controls = f", {_count(request.controls, 'control')}" if request.controls else ""
    return (
        f"repeat back token {request.token_id} on {_prose(request.model)},"
        f" {_prose(request.template.name)}, {samples}{controls}"
    )


def _describe_logprobs(request: ReadLogprobs) -> str:
    models = ", ".join(_prose(model) for model in request.models)
    prompt = f"'{_prose(request.prompt)}'" if request.template is None else _prose(request.template.name)
    slot = "" if request.token_id is None else f" with token {request.token_id}"
    wanted = _count(len(request.targets), "target") if request.targets else f"top {request.top_k}"
    return f"logprobs of {wanted} after {prompt}{slot} in {models}"


def _note_subject(request: WriteNote) -> str:
    if request.step is not None:
        return f" on step {request.step}"
    if request.token_id is not None:
        return f" on token {request.token_id}" + (f" of {_prose(request.model)}" if request.model else "")
    return ""


def _summarise_repeat(outcome: RepeatBackResult) -> str:
    probe = outcome.probe
    low, high = probe.interval
    parts = [f"{_token(probe.token)} exact {probe.exact}/{len(probe.replies)} [{low:.2f}, {high:.2f}]"]
    logprobs = [reply.token_logprob for reply in probe.replies if reply.token_logprob is not None]
    if logprobs:
        parts.append(f"P(token) {math.exp(max(logprobs)):.2g}")
    if outcome.controls:
        exact = sum(control.exact for control in outcome.controls)
        parts.append(f"controls {exact}/{sum(len(control.replies) for control in outcome.controls)}")
    return ", ".join(parts)


def _summarise_logprobs(outcome: LogprobTable) -> str:
    best = [
        f"{_prose(column.model)} {_token(column.top[0].token)} {column.top[0].logprob:.3f}"
        for column in outcome.columns
        if column.top
    ]
    size = f"{_count(len(outcome.targets), 'target')} × {_count(len(outcome.columns), 'model')}"
    return f"{size}; first: {', '.join(best)}" if best else size


def _summarise_neighbours(outcome: Neighbourhood) -> str:
    subject = _token(outcome.subject.token)
    if not outcome.neighbours:
        return f"{subject} has no neighbours"
    nearest = outcome.neighbours[0]
    found = _count(len(outcome.neighbours), "neighbour")
    return f"{found} of {subject}, nearest {_token(nearest.token)} {nearest.distance:.4g}"


def _describe_verification(request: Verify) -> str:
    if request.token_ids is not None:
        tokens = _count(len(request.token_ids), "token")
    elif request.top_percent is not None:
        tokens = f"the {request.top_percent:g} % lowest by {_prose(request.indicator) or 'the default indicator'}"
    else:
        tokens = "the whole vocabulary"
    by = ", ".join(_prose(name) for name in request.definitions) or "the usual definitions"
    return f"verify {tokens} of {_prose(request.model)} by {by}"


def _summarise_verification(outcome: VerificationResult) -> str:
    called = [f"{_prose(found.name)} {found.verified + found.weak:,}" for found in outcome.definitions]
    return f"{_count(outcome.tokens, 'token')} of {_prose(outcome.model)}; called: {', '.join(called) or 'none'}"


def _summarise_self_test(outcome: SelfTestResult) -> str:
    shares = {"precision": outcome.score.precision, "recall": outcome.score.recall}
    said = [f"{name} {share:.3f}" for name, share in shares.items() if share is not None]
    return f"{_prose(outcome.model)} against {_prose(outcome.list_name)}: {', '.join(said) or 'nothing to compare'}"


def _describe_certifying(request: ProveSpeakability) -> str:
    named = request.token_ids
    which = "the whole vocabulary" if named is None else _count(len(named), "token")
    which = f"the hard ones of {which}" if request.hard else which
    if named is not None and len(named) == 1:
        which = f"token {named[0]}"
    bias, weights = "with bias" if request.bias else "without bias", "folded" if request.folded else "raw"
    angle = ", with solid angles" if request.solid_angle else ""
    mode = request.mode.replace("_", " ")
    return f"speakability of {which} of {_prose(request.model)}, {mode}, {bias}, {weights} weights{angle}"
