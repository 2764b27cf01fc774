"""transformers' key-value caches: which can be copied and joined row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def has_plain_cache(cache: Any) -> bool:
    """Whether there is none, or one of plain keys and values, a row a sequence."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    return cache is None or (
        type(cache) is DynamicCache
        and all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers)
    )


def join_layers(caches: Sequence[Any]) -> None:
    """Put the keys and values of all caches into the first, layer by layer, so that little is held twice."""
    first, *others = caches
    for place, layer in enumerate(first.layers):
        same = [layer, *(cache.layers[place] for cache in others)]
        for name in ("keys", "values"):
            setattr(layer, name, torch.cat([getattr(one, name) for one in same]))
            for one in same[1:]:
                setattr(one, name, None)
