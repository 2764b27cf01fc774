"""Where a model's weights are: on one device, or its layers one after another on several GPUs.

Several GPUs give room, and no speed: each works while the others wait. For speed there are servers (docs/servers.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from explorer.engine.models.errors import ModelError
from explorer.engine.models.memory import Memory, describe_free, readable

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_BETWEEN = "+"
ROOM = 0.9
"""Share of a GPU's free memory that weights may take where a model is spread: its cache and its activations come too,
and layers are not cut."""


def devices_of(device: str) -> tuple[str, ...]:
    """The single devices of `cpu`, `cuda:1`, `cuda:0+cuda:1`."""
    return tuple(device.split(_BETWEEN))


def choose_gpus(needed: int, gpus: Mapping[str, Memory], name: str, dtype: str) -> str:
    """The first GPU with room for `needed` bytes; without one, as few as it takes, those with most room first.

    Raises `ModelError` with the memory of each where all together have not enough.
    """
    for gpu, memory in gpus.items():
        if needed <= memory.free:
            return gpu
    chosen: list[str] = []
    room = 0.0
    for gpu in sorted(gpus, key=lambda each: -gpus[each].free):
        chosen.append(gpu)
        room += ROOM * gpus[gpu].free
        if needed <= room:
            return _BETWEEN.join(sorted(chosen))
    each = "; ".join(f"{gpu}: {describe_free(memory)}" for gpu, memory in gpus.items())
    raise ModelError(
        f"{name} needs {readable(needed)} as {dtype}; {each}",
        hint="Unload a model, take --device cpu or a smaller dtype, or look at its geometry alone with weights:.",
    )


def put(hf: PreTrainedModel, device: str, rooms: Mapping[str, int]) -> PreTrainedModel:
    """The model, which is on the CPU, on one device or spread over several, of which `rooms` are the free bytes.

    Raises `ModelError` where its layers do not fit as they are cut.
    """
    devices = devices_of(device)
    if len(devices) == 1:
        moved: PreTrainedModel = hf.to(torch.device(device))
        return moved
    from accelerate import infer_auto_device_map

    most: dict[Any, Any] = {_index(each): int(ROOM * rooms[each]) for each in devices}
    whole = getattr(hf, "_no_split_modules", None)
    layers = infer_auto_device_map(hf, max_memory=most, no_split_module_classes=list(whole) if whole else None)
    if left := sorted(name for name, place in layers.items() if place not in most):
        raise ModelError(
            f"its layers do not fit {device} as they are cut: {', '.join(left[:3])} would be left over",
            hint="Unload a model, or take a smaller dtype.",
        )
    return spread(hf, layers)


def spread(hf: PreTrainedModel, layers: Mapping[str, Any], offload: str | None = None) -> PreTrainedModel:
    """The model with each of its modules where `layers` says, and inputs carried there; what it gives comes back to
    where its inputs were. `offload`: a folder for what is to wait on the `disk`."""
    from accelerate import dispatch_model

    skipped = getattr(hf, "_skip_keys_device_placement", None)  # caches, whose layers are already where they belong
    found: PreTrainedModel = dispatch_model(hf, device_map=dict(layers), offload_dir=offload, skip_keys=skipped)
    return found


def is_spread(hf: PreTrainedModel) -> bool:
    """Whether its layers are on several devices."""
    return len(set(getattr(hf, "hf_device_map", {}).values())) > 1


def _index(device: str) -> int:
    return torch.device(device).index or 0
