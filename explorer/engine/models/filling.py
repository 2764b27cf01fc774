"""A transformers model with a checkpoint's weights in it: those tensors, and nothing else that lies in the folder.

transformers is given the tensors and not the folder's name: it would apply an adapter that was left there, take a file
of another name, or ask the hub.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

import torch

from explorer.engine.models.errors import ModelError
from explorer.engine.models.out_of_memory import is_out_of_memory

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from explorer.engine.models.checkpoints.architecture import Architecture
    from explorer.engine.models.checkpoints.weight_files import WeightFiles

_PART = 1 << 24
"""Numbers that are widened at once: a cancellation is heard between two parts."""
ONE_BUILD_AT_A_TIME = threading.Lock()
"""transformers sets torch's default dtype, which is one for all threads, while it builds a model."""


def fill_model(architecture: Architecture, weights: WeightFiles, dtype: torch.dtype, name: str) -> PreTrainedModel:
    """The model in `dtype` on the CPU, filled from a checkpoint; see `fill_with`."""
    beginning = architecture.skeleton.wrapper(weights.names)
    tensors = {stored.removeprefix(beginning): weights.tensor(stored) for stored in weights.names}
    if dtype == torch.float32 and getattr(architecture.config, "quantization_config", None) is None:
        tensors = {stored: _widen(tensor) for stored, tensor in tensors.items()}
    return fill_with(architecture, tensors, dtype, name)


def fill_with(
    architecture: Architecture, tensors: dict[str, torch.Tensor], dtype: torch.dtype, name: str
) -> PreTrainedModel:
    """The model in `dtype` on the CPU, filled with tensors by transformers' names for them; it shares those of that
    dtype.

    Raises `ModelError` for weights that would leave a part of it at random numbers, and for packed weights that this
    machine cannot unpack or run.
    """
    from transformers.utils import logging

    with ONE_BUILD_AT_A_TIME:
        logging.disable_progress_bar()  # it writes over the terminal
        model, loading = _build(architecture, tensors, dtype, name)
    unset = sorted(loading["missing_keys"]) + sorted(str(key) for key in loading["mismatched_keys"])
    if unset:
        raise ModelError(
            f"the weights in {name} lack {len(unset)} of the model's tensors ({unset[0]} …)",
            hint="Config and weights are of different models, or a shard is missing.",
        )
    was_packed = getattr(architecture.config, "quantization_config", None) is not None
    return _in_one_dtype(model, dtype) if was_packed and not getattr(model, "is_quantized", False) else model


def loaded_size(architecture: Architecture, dtype: torch.dtype) -> int:
    """Bytes that the parameters take once loaded: as many as the architecture has, in `dtype` where they are plain, as
    small as they stay where packed weights are not unpacked."""
    model = architecture.build()
    packing = _packing(architecture.config)
    if packing is not None:
        packing.preprocess_model(model=model, dtype=dtype, device_map=None, checkpoint_files=None, use_kernels=False)
    return sum(
        int(parameter.numel() * _bytes_each(model, name, parameter, dtype, packing))
        for name, parameter in model.named_parameters()
    )


def _build(
    architecture: Architecture, tensors: dict[str, torch.Tensor], dtype: torch.dtype, name: str
) -> tuple[PreTrainedModel, dict[str, Any]]:
    options: dict[str, Any] = {"state_dict": tensors, "dtype": dtype, "output_loading_info": True}
    build: Any = architecture.model_class.from_pretrained
    try:
        try:
            built = build(None, config=copy.deepcopy(architecture.config), attn_implementation="sdpa", **options)
        except ValueError as error:
            if "scaled_dot_product_attention" not in str(error):
                raise
            built = build(None, config=copy.deepcopy(architecture.config), attn_implementation="eager", **options)
    except Exception as error:  # a stranger's config and weights break transformers in many ways
        if is_out_of_memory(error):
            raise
        raise ModelError(f"{name} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
    model, loading = built
    return model, loading


def _widen(tensor: torch.Tensor) -> torch.Tensor:
    """A large matrix in half precision as float32, part by part: transformers would do it in one step of seconds."""
    if tensor.dtype not in (torch.bfloat16, torch.float16) or tensor.numel() <= _PART:
        return tensor
    wide = torch.empty(tensor.shape, dtype=torch.float32)
    for part, given in zip(torch.split(wide.view(-1), _PART), torch.split(tensor.reshape(-1), _PART), strict=True):
        part.copy_(given)
    return wide


def _in_one_dtype(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    """Bring what transformers unpacked to a dtype of its own (FP8 to bfloat16) to the one that the rest runs in."""
    if len({parameter.dtype for parameter in model.parameters()}) == 1:
        return model
    converted: PreTrainedModel = model.to(dtype)
    return converted


def _packing(config: PreTrainedConfig) -> Any:
    """transformers' quantizer for the config; None where the weights are plain, or it cannot work on this machine."""
    from transformers.quantizers.auto import get_hf_quantizer

    try:
        quantizer, _, _ = get_hf_quantizer(copy.deepcopy(config), None, None, True, {})
    except Exception:  # a missing library or device: loading says so in its own words
        return None
    return quantizer


def _bytes_each(model: PreTrainedModel, name: str, parameter: torch.Tensor, dtype: torch.dtype, packing: Any) -> float:
    if packing is not None and packing.param_needs_quantization(model, name):
        return float(packing.param_element_size(model, name, parameter))
    plain = parameter.is_floating_point() and parameter.dtype.itemsize >= 2
    return dtype.itemsize if plain else parameter.element_size()
