"""An indicator: one number a token, suspected to reveal under-training. Runs in the engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from explorer.engine.core.indicators import Column, Indicator, RawMatrices
from explorer.engine.core.rows import map_rows


def output_range(matrices: RawMatrices, reference_ids: Sequence[int], tokenizer_size: int) -> Column:
    """Greatest less smallest entry of each row of W_U, float32 [vocab]: training stretches rows."""
    if matrices.output is None:
        raise ValueError("the model has no output matrix")
    column = map_rows(matrices.output, lambda rows: rows.amax(dim=1) - rows.amin(dim=1))
    rounded: Column = column.to("cpu", torch.float32).numpy()
    return rounded


OUTPUT_RANGE = Indicator("output_range", "greatest less smallest entry of the token's column of W_U", output_range)
