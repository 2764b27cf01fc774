"""How much a model is asked at once, from what a row costs: arithmetic, and the memory of its key-value cache.

The limit of a sweep is arithmetic. Reading a position multiplies it with every weight of the blocks, 2 operations a
parameter; the head is only used where the next token is read, once a reply place. So a row costs

    2 · blocks · (positions read + reply places − 1)  +  2 · vocabulary · d_model · reply places

operations, where positions read are those after the shared beginning. On a processor long prompts are bound by that,
and larger batches gain nothing; what larger batches gain are the reply places, where a batch of one reads all weights
from memory for a single position: on a processor a head of 262,144 rows runs at a third of the rate of a large product
with 12 rows, at two thirds with 64. The cache of a row holds 2 · layers · d_model numbers a position, at most.
"""

from __future__ import annotations

from dataclasses import dataclass

from explorer.base.records.models import ModelInfo

WORK_OF_CALL = {"cpu": 4.8e10, "cuda": 2e13}
"""Operations in one call of the model, about: up to half of an idle processor's second, so that other requests need not
wait long."""
CALLS_OF_BATCH = 16
"""Prompts are read in so many calls, about, before their replies go on together: a kill loses that much."""
CALLS_OF_SLAB = 140
"""So much work, about, comes before the verdicts on the tokens that it was about."""
ROWS_OF_SERVER = 128
"""Rows that a server is asked at once: 4 requests in flight of 32 prompts each. A kill loses that much."""
LEAST_POSITIONS = 64
"""Positions in one call, at least: below that a matrix product does not use a processor well."""
LEAST_ROWS = 8
"""Rows whose replies go on together, at least, where memory allows it: however slow the model, sharing a pass over its
weights is worth the wait."""
LOGITS_AT_ONCE = {"cpu": 2**25, "cuda": 2**28}
"""Logits of one batch, rows x vocabulary; most models' are never held whole (`models/head.py`), others' twice."""
LOGITS_DRAWN = {"cpu": 2**23, "cuda": 2**28}
"""The same where replies are drawn: these are held whole, and several times in float64."""
POSITIONS_AT_ONCE = {"cpu": 2**13, "cuda": 2**18}
"""Tokens of one batch, prompts and replies together."""
CACHE_AT_ONCE = {"cpu": 2**29, "cuda": 2**33}
"""Bytes of one batch's key-value cache, at most."""


@dataclass(frozen=True)
class RowCost:
    """What one row of a question costs a model."""

    prompt: float
    """Operations to read its prompt, after the shared beginning."""
    whole: float
    """With the reply, if it has all its places."""
    read: int
    """Positions of the prompt that are read."""
    held: int
    """Positions in its cache at the end."""
    cache_bytes: float
    """Of its cache at the end, at most."""


def cost_of_row(info: ModelInfo, length: int, shared: int, places: int) -> RowCost:
    """A prompt of `length` tokens of which `shared` are read once for all, and `places` reply tokens."""
    head = info.vocab_size * max(info.d_model, 1)
    blocks = max(info.n_parameters - head * (1 if info.tied else 2), info.n_parameters // 10, 1)
    prompt = 2.0 * (blocks * (length - shared) + head)
    numbers = 2 * max(info.n_layers, 1) * max(info.d_model, 1)
    return RowCost(
        prompt=prompt,
        whole=prompt + 2.0 * (blocks + head) * (places - 1),
        read=length - shared,
        held=length + places,
        cache_bytes=numbers * (4 if info.dtype == "float32" else 2) * (length + places),
    )


def rows_of_call(info: ModelInfo, cost: RowCost) -> int:
    """How many prompts are read in one call, at least 1: bounds its time."""
    return max(1, int(WORK_OF_CALL[_kind(info)] / cost.prompt), LEAST_POSITIONS // max(cost.read, 1))


def rows_of_batch(info: ModelInfo, cost: RowCost, *, drawn: bool = False) -> int:
    """How many rows are continued together, at least 1: bounds the memory, and what a kill loses. `drawn`: whether
    replies are drawn, not the likeliest."""
    if info.reach is not None:
        return max(1, min(ROWS_OF_SERVER, LOGITS_DRAWN["cpu"] // info.vocab_size if drawn else ROWS_OF_SERVER))
    kind = _kind(info)
    by_work = max(LEAST_ROWS, int(CALLS_OF_BATCH * WORK_OF_CALL[kind] / cost.whole))
    by_memory = min(
        (LOGITS_DRAWN if drawn else LOGITS_AT_ONCE)[kind] // max(info.vocab_size, 1),
        POSITIONS_AT_ONCE[kind] // cost.held,
        int(CACHE_AT_ONCE[kind] / cost.cache_bytes),
    )
    return max(1, min(by_work, by_memory))


def rows_of_slab(info: ModelInfo, work: float) -> int:
    """How many tokens are asked everything before the next ones; `work`: of one token, operations."""
    if info.reach is not None:
        return ROWS_OF_SERVER
    return max(LEAST_ROWS, int(CALLS_OF_SLAB * WORK_OF_CALL[_kind(info)] / max(work, 1.0)))


def _kind(info: ModelInfo) -> str:
    return "cuda" if info.device.startswith("cuda") else "cpu"
