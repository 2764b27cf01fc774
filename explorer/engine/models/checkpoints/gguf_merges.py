"""The merges of a GGUF vocabulary: read where the file has them, recovered from its tokens where it has none."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from explorer.engine.control import stop_if_cancelled
from explorer.engine.models.checkpoints.gguf_header import GgufHeader

Merges = list[tuple[str, str]]
_BY_ID = ("gemma", "gemma2", "gemma3")
"""Architectures whose scores do not follow the order of the merges; the order of the tokens does."""
_LONGEST = 256
"""Characters of a token whose merges are looked for: the work grows with the square. No vocabulary has longer ones."""
_LOOK_EACH = 1 << 12
"""Tokens between two looks whether the request was cancelled."""


def read_merges(header: GgufHeader, ids: Mapping[str, int]) -> tuple[Merges, str]:
    """The file's own merges, and what to say of those that name tokens which are not there and are left out."""
    listed = header.strings("tokenizer.ggml.merges")
    merges = []
    for merge in listed:
        cut = merge.find(" ", 1)  # a part may begin with a space, as llama.cpp reads them
        left, right = merge[:cut], merge[cut + 1 :]
        if cut > 0 and left in ids and right in ids and left + right in ids:
            merges.append((left, right))
    lost = len(listed) - len(merges)
    counted = "1 merge of the GGUF file names" if lost == 1 else f"{lost:,} merges of the GGUF file name"
    return merges, f"{counted} tokens that it does not have" if lost else ""


def recover_merges(ids: Mapping[str, int], header: GgufHeader) -> Merges:
    """Every pair of tokens that together are a token: the best whole first, then the longest left part.

    SentencePiece keeps no merges: it always joins the two neighbours whose whole has the highest score. The pairs in
    this order do the same, and are what transformers writes into tokenizer.json.
    """
    scores = header.numbers("tokenizer.ggml.scores").tolist()
    by_id = header.architecture in _BY_ID or len(scores) < len(ids)
    wholes = list(ids)
    ranks, places, cuts = array("d"), array("q"), array("q")  # half a million: as tuples they take 100 MB
    for place, (whole, token_id) in enumerate(ids.items()):
        if not place % _LOOK_EACH:
            stop_if_cancelled()
        for cut in range(1, min(len(whole), _LONGEST)):
            if whole[:cut] in ids and whole[cut:] in ids:
                ranks.append(token_id if by_id else -scores[token_id])
                places.append(place)
                cuts.append(cut)
    left = np.array(cuts)
    right = np.array([len(whole) for whole in wholes])[np.array(places, dtype=np.int64)] - left
    order = np.lexsort((-right, -left, np.array(ranks)))
    return [(wholes[places[at]][: cuts[at]], wholes[places[at]][cuts[at] :]) for at in order.tolist()]
