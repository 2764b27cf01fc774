"""File 2 of a verb: from the request to the outcome. Runs in the engine, which may import torch."""

from __future__ import annotations

from collections import Counter

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Progress
from explorer.engine.handlers import Engine
from explorer.engine.queue import Control, Work
from glitch_lengths.records import CountLengths, LengthCount, LengthCounts

TOLD_EVERY = 4_096
"""Tokens between two looks whether the request was cancelled."""


def count_lengths(engine: Engine, request: CountLengths, control: Control) -> Work:
    """Count token lengths. A handler is a generator: it yields parts, and returns the outcome."""
    if request.longest < 1:
        raise ExplorerError(f"tokens of at most {request.longest} bytes were asked for", hint="Give 1 or more.")
    vocabulary = engine.models.get(request.model).vocabulary
    found: Counter[int] = Counter()
    for token_id in range(vocabulary.tokenizer_size):
        if token_id % TOLD_EVERY == 0:
            yield Progress(done=token_id, total=vocabulary.tokenizer_size, what="tokens")
        found[min(len(vocabulary.token_bytes(token_id)), request.longest)] += 1
    counts = tuple(LengthCount(length=length, tokens=found[length]) for length in sorted(found))
    return LengthCounts(model=request.model, counts=counts)
