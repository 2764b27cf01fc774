"""How much memory a proof takes, and whether there is so much: said before anything is read."""

from __future__ import annotations

from explorer.base.errors import ExplorerError
from explorer.engine.answers.speakability.unembedding import worked_out_bytes
from explorer.engine.core.speakability.prove import CHECKED_TOGETHER, FEW, POOL
from explorer.engine.core.speakability.rows import PART
from explorer.engine.models.abilities import HasWeights
from explorer.engine.models.memory import describe_free, free_memory, readable

FLOAT64, FLOAT32 = 8, 4


def bytes_for_proofs(vocab: int, d_model: int, tokens: int) -> int:
    """What proofs about so many tokens take beside the model.

    Of a few tokens: some numbers a row, some square matrices, and parts of the rows in float64. Of many also the rows
    in float32, once as they are and once in the order of their lengths, and the scores of searches run together.
    """
    found = worked_out_bytes(vocab, d_model)
    found += FLOAT64 * (8 * PART + 5 * min(tokens, CHECKED_TOGETHER) * vocab)
    if tokens > FEW:
        found += FLOAT32 * (2 * vocab * d_model + POOL * vocab)
    return found


def refuse_misfit(model: HasWeights, tokens: int | None) -> None:
    """Raise `ExplorerError` where proofs about so many tokens (None: all) take more memory than is free."""
    info = model.info
    needed = bytes_for_proofs(info.vocab_size, info.d_model, info.vocab_size if tokens is None else tokens)
    memory = free_memory("cpu")
    if needed > memory.free:
        about = "all tokens" if tokens is None else f"{tokens:,} token{'s' * (tokens != 1)}"
        raise ExplorerError(
            f"a proof about {about} of {info.name} takes about {readable(needed)}; {describe_free(memory)}",
            hint="Unload a model, or name fewer tokens." if tokens != 1 else "Unload a model, or end another program.",
        )
