"""The MLP of each layer of a transformers model, by the names that its family gives the two matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NAMES = (
    ("mlp.up_proj", "mlp.down_proj"),
    ("mlp.gate_up_proj", "mlp.down_proj"),
    ("mlp.c_fc", "mlp.c_proj"),
    ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
    ("mlp.fc1", "mlp.fc2"),
    ("mlp.fc_in", "mlp.fc_out"),
    ("fc1", "fc2"),
)
"""Of the matrix that reads the residual stream and of the one that writes it."""


@dataclass(frozen=True)
class Mlp:
    """One layer's two matrices, as views."""

    read: Float[Tensor, "neurons d_model"]
    write: Float[Tensor, "neurons d_model"]
    gated: bool

    def rows(self, neurons: Int64[np.ndarray, " drawn"]) -> tuple[np.ndarray, np.ndarray]:
        """The weights of some neurons, float32 on the CPU."""
        places = torch.from_numpy(neurons)
        read, write = (side[places.to(side.device)].float().cpu().numpy() for side in (self.read, self.write))
        return read, write


def mlps_of(model: PreTrainedModel) -> list[Mlp]:
    """By layer; empty where the names are of no known family, or the weights are no plain numbers (quantised)."""
    modules = dict(model.named_modules())
    for read, write in _NAMES:
        stems = [name.removesuffix(read) for name in modules if name.endswith(f".{read}")]
        if stems and all(stem + write in modules for stem in stems):
            fused = read == "mlp.gate_up_proj"
            gated = fused or any(name.endswith(".mlp.gate_proj") for name in modules)
            found = [_read(modules[stem + read], modules[stem + write], fused, gated) for stem in stems]
            return [mlp for mlp in found if mlp is not None] if None not in found else []
    return []


def _read(reads: torch.nn.Module, writes: torch.nn.Module, fused: bool, gated: bool) -> Mlp | None:
    """Of a fused gate and up projection the second half."""
    read, write = _by_output(reads), _by_output(writes)
    if read is None or write is None:
        return None
    return Mlp(read[len(read) // 2 :] if fused else read, write.T, gated)


def _by_output(module: torch.nn.Module) -> Tensor | None:
    """A linear module's weight, a row for each of its outputs; GPT-2's Conv1D keeps it the other way round."""
    weight = module.weight
    if not isinstance(weight, Tensor) or weight.ndim != 2 or not weight.is_floating_point() or weight.is_meta:
        return None
    held = weight.detach()
    return held.T if type(module).__name__ == "Conv1D" else held
