"""Sampled replies: the same from the same seed on the same numbers; else told apart by a two-sample test, or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from explorer.base.records.models import ModelInfo
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, TokenReplies
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.specs.comparing.agreement import Agreement, Comparison, compare_plainly
from explorer.specs.comparing.wording import said

if TYPE_CHECKING:
    from explorer.specs.comparing.walk import Walk
    from explorer.specs.spec import Live
    from explorer.tables.table import TokenColumns

LEVEL = 0.01
"""Sampled replies whose p-value is below this differ."""


def is_same_run(recorded: ModelInfo, live: ModelInfo) -> bool:
    """Whether a seed must give the same replies: the same weights and ids, in the same dtype on the same device."""
    return all(
        getattr(recorded, name) == getattr(live, name)
        for name in ("weights_digest", "tokenizer_digest", "dtype", "device")
    )


def compare_samples(
    request: RepeatBack, recorded: RepeatBackResult, live: RepeatBackResult, walk: Walk, *, reproducible: bool
) -> tuple[str, str, bool]:
    """The first difference, by what that was found, and whether it took a two-sample test.

    `reproducible`: the seed must give the very same replies. Where it need not, and does not, the replies agree
    unless the counts of their classes are told apart; what was asked must be the same in any case.
    """
    if difference := walk.difference(_asked(recorded), _asked(live)):
        return difference, "", False
    pairs = list(zip((recorded.probe, *recorded.controls), (live.probe, *live.controls), strict=True))
    for place, (was, came) in enumerate(pairs):
        for replies, happened in ((was.replies, "were recorded"), (came.replies, "came")):
            if len(replies) != request.samples:
                path = "probe.replies" if place == 0 else f"controls {place}.replies"
                return f"{path}: {len(replies)} {happened}, {request.samples} were asked for", "", False
    difference = walk.difference(recorded, live)
    if not difference:
        return "", "the same replies from the same seed", False
    if all(_ids(was) == _ids(came) for was, came in pairs):
        return difference, "the same ids from the same seed", False
    if reproducible:
        return difference, "the seed gives other replies, on the same weights, dtype and device", False
    from explorer.specs.comparing.two_sample import two_sample_p  # NumPy, which the first paint does not wait for

    subject = two_sample_p(_classes([recorded.probe]), _classes([live.probe]))
    controls = two_sample_p(_classes(recorded.controls), _classes(live.controls))
    p = min(1.0, 2 * min(subject, controls)) if recorded.controls else subject
    how = f"other replies from the seed; two-sample test on outcomes, p = {p:.2g}"
    return difference if p < LEVEL else "", how, True


def compare_replies(
    request: RepeatBack, recorded: RepeatBackResult, live: RepeatBackResult, comparison: Comparison
) -> Agreement:
    """Greedy replies as every outcome; sampled ones by their seed, or by a two-sample test."""
    if request.temperature == 0:
        return compare_plainly(request, recorded, live, comparison)
    from explorer.specs.comparing.walk import Walk

    walk = Walk(comparison.tolerance, comparison.names)
    return Agreement(*compare_samples(request, recorded, live, walk, reproducible=comparison.reproducible))


async def find_contradiction(request: RepeatBack, outcome: RepeatBackResult, live: Live, found: Agreement) -> str:
    """What is wrong in itself with recorded replies that only their counts speak for."""
    recorded, here = live.recorded(request.model), live.live(request.model)
    if not found.by_test or recorded.tokenizer_digest != here.tokenizer_digest:
        return ""  # with another tokenizer the recorded ids stand for other tokens
    columns = await live.ask(ReadVocabulary(model=here.name))
    if not isinstance(columns, VocabularyColumns):
        return f"the vocabulary cannot be read: {getattr(columns, 'message', 'stopped')}"
    from explorer.tables.table import TokenColumns

    return contradiction(request, outcome, TokenColumns(columns))


def contradiction(request: RepeatBack, recorded: RepeatBackResult, vocabulary: TokenColumns) -> str:
    """Where replies that no live ones can be held against are not what their own ids make them; else empty."""
    from explorer.base.reply_classes import Subject, classify

    for probe in (recorded.probe, *recorded.controls):
        token_id = probe.token.token_id
        if not 0 <= token_id < vocabulary.vocab_size:
            return f"token {token_id}: there is no such id"
        special = vocabulary.category(token_id) == "special"
        subject = Subject(token_id, vocabulary.token_bytes(token_id), special)
        for reply in probe.replies:
            path = f"reply {reply.sample} about token {token_id}"
            if not all(0 <= one < vocabulary.vocab_size for one in reply.reply_ids):
                return f"{path}: an id of no token"
            reply_bytes = b"".join(map(vocabulary.token_bytes, reply.reply_ids))
            told = (reply.reply, reply.outcome, len(reply.logprobs))
            meant = (
                reply_bytes.decode("utf-8", "replace"),
                classify(reply.reply_ids, reply_bytes, subject, request.template),
                len(reply.reply_ids),
            )
            for what, was, makes in zip(("text", "outcome", "number of logprobs"), told, meant, strict=True):
                if was != makes:
                    return said(f"{path}: {what} of its ids", was, makes)
        if probe.exact != (counted := _classes([probe]).count("exact")):
            return said(f"exact replies about token {token_id}", probe.exact, counted)
    return ""


def _asked(result: RepeatBackResult) -> RepeatBackResult:
    """`result` without the replies."""
    probe, *controls = (
        msgspec.structs.replace(one, replies=(), exact=0, interval=(0.0, 1.0))
        for one in (result.probe, *result.controls)
    )
    return msgspec.structs.replace(result, probe=probe, controls=tuple(controls))


def _ids(probe: TokenReplies) -> list[tuple[int, ...]]:
    return [reply.reply_ids for reply in probe.replies]


def _classes(probes: Sequence[TokenReplies]) -> list[str]:
    return [reply.outcome for probe in probes for reply in probe.replies if reply.finish != "cancelled"]
