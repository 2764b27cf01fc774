"""Whether a record read from a file makes sense beyond its types, so that no pane meets what no engine sends.

The types are checked by msgspec as it decodes; here stand the laws between and behind them: integers of 64
bits, token bytes that are hexadecimal, log-probabilities that are not positive, tables whose columns agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from explorer.base.records.logprobs import LogprobTable
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ReadCertificates,
    SpeakabilityCertificate,
)
from explorer.base.records.unions import Step
from explorer.base.records.verification import ReadVerdicts, VerdictColumns
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns

_INTEGERS = 2**63
_ROUNDING = 1.0
"""Nats by which a log-probability may be above 0; far beyond that its percentage is no number."""
_LARGEST_VOCABULARY = 50_000_000
_LARGEST_COORDINATE = 1e100
_LOGPROBS = ("logprob", "token_logprob", "logprobs")
_COORDINATES = ("x", "y")


def problem_of(record: msgspec.Struct) -> str:
    """What is wrong with `record`, in one line; empty where nothing is."""
    return next(_problems(record), "")


def _problems(record: msgspec.Struct) -> Iterator[str]:
    for name in record.__struct_fields__:
        yield from _value_problems(name, getattr(record, name))
    match record:
        case Step(request=request, outcome=outcome):
            if isinstance(request, ReadVocabulary | ReadVerdicts | ReadCertificates | CheckCertificates):
                yield "a whole vocabulary does not stand in a session file"
            elif isinstance(outcome, VocabularyColumns | VerdictColumns | Certificates | CertificatesChecked):
                yield "whole columns do not stand in a session file"
            if not 0 <= record.seconds < math.inf:
                yield f"{record.seconds} seconds are no duration"
            if record.number < 0:
                yield f"{record.number} is no number of a step"
        case LogprobTable():
            if any(len(column.cells) != len(record.targets) for column in record.columns):
                yield f"the columns do not hold one cell for each of {len(record.targets)} targets"
        case SpeakabilityCertificate() if len(record.weights) != len(record.token_ids):
            yield f"{len(record.weights)} weights do not belong to {len(record.token_ids)} tokens"
        case RankTokens():
            if max(abs(record.first), abs(record.top), abs(record.cursor or 0)) > _LARGEST_VOCABULARY:
                yield "no vocabulary has that many rows"
        case RankedTokens():
            if not len(record.rows) <= record.matching <= record.total <= _LARGEST_VOCABULARY:
                yield f"{len(record.rows)} rows of {record.matching} of {record.total} tokens are not possible"


def _value_problems(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, msgspec.Struct):
        yield from _problems(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _value_problems(name, item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _value_problems(name, item)
    elif isinstance(value, float):
        if name in _LOGPROBS and value > _ROUNDING:
            yield f"{name} {value:g} is no log-probability"
        elif name in _COORDINATES and abs(value) > _LARGEST_COORDINATE:
            yield f"{name} {value:g} is no place in a picture"
    elif isinstance(value, int):
        if not -_INTEGERS <= value < _INTEGERS:
            yield f"{name} is too large a number"
    elif name == "token_bytes" and isinstance(value, str) and not _is_hexadecimal(value):
        yield "token_bytes are not hexadecimal"


def _is_hexadecimal(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
