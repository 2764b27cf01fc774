"""A GGUF model's tensors as transformers names and orders them.

The numbers are dequantised here, tensor by tensor. What each is called in transformers, and how llama.cpp's changes are
undone (rows of q and k in another order, one added to Gemma's norms), is left to transformers' own functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from explorer.engine.models.checkpoints.gguf_config import GEOMETRY
from explorer.engine.models.checkpoints.gguf_files import GgufFiles
from explorer.engine.models.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from transformers import PreTrainedConfig, PreTrainedModel

    from explorer.engine.models.checkpoints.architecture import Architecture

_ROPE_FACTORS = "rope_freqs.weight"
"""Llama 3.1's stretched positions: what each frequency is divided by."""


class _Outline:
    """As much of a model as transformers asks for to map names, its parts down to a `depth`.

    Of a whole model it asks each of hundreds of modules, and makes gguf's table of names anew for each: most of the
    time that loading took. Only the base model inside a causal one has names of its own in that table.
    """

    def __init__(self, model: nn.Module, config: PreTrainedConfig, depth: int) -> None:
        self.config = config
        self._names = model.state_dict()
        children = model.named_children() if depth else ()
        self._children = [(name, _Outline(child, config, depth - 1)) for name, child in children]

    def state_dict(self) -> dict[str, Tensor]:
        return self._names

    def named_children(self) -> list[tuple[str, _Outline]]:
        return self._children


def convert_tensors(
    files: GgufFiles, architecture: Architecture, dtype: torch.dtype, known: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Every tensor in `dtype` under transformers' name. `known`: those that are dequantised already, by llama.cpp's
    names; they are given on as they are where they have that dtype.

    Raises `ModelError` where a tensor of the file has no place in the model, or another shape than its place.
    """
    import torch
    from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor, get_gguf_hf_weights_map

    processor = TENSOR_PROCESSORS.get(files.header.architecture, TensorProcessor)(config=architecture.config.to_dict())
    places = get_gguf_hf_weights_map(_Outline(architecture.build(), architecture.config, depth=1), processor)
    collected: dict[str, Any] = {"tensors": {}}
    left_over = []
    for name in files.names:
        if name == _ROPE_FACTORS:
            continue
        tensor = known[name] if name in known else files.tensor(name)
        given = tensor.float().numpy()
        try:
            result = processor.process(given, name, tensor_key_mapping=places, parsed_parameters=collected)
        except Exception as error:  # of a shape that the metadata do not give it
            said = " ".join(str(error).split())[:200]
            raise ModelError(f"{name[:60]!r} in {files.header.file.name} cannot be used: {said}") from error
        if result.name is None:  # an expert's: put into `collected` by the processor itself
            continue
        if result.name not in places:
            left_over.append(name)
        elif result.weights is given and tensor.dtype == dtype:
            collected["tensors"][places[result.name]] = tensor
        else:
            collected["tensors"][places[result.name]] = torch.from_numpy(result.weights.copy()).to(dtype)
    tensors: dict[str, Tensor] = collected["tensors"]
    _refuse_left_over(files, architecture, left_over)
    _check_shapes(files, architecture, tensors)
    return tensors


def _refuse_left_over(files: GgufFiles, architecture: Architecture, names: Sequence[str]) -> None:
    if names:
        raise ModelError(
            f"{files.header.file.name} cannot be run: {len(names)} of its tensors have no place in transformers'"
            f" {architecture.name} ({names[0][:60]} …)",
            hint=GEOMETRY,
        )


def load_by_transformers(files: GgufFiles, architecture: Architecture, dtype: torch.dtype) -> PreTrainedModel:
    """The model by transformers' later loader, for the architectures that it has taken over."""
    from transformers import GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()  # it writes over the terminal
    file = files.header.file
    if len({tensor.file for tensor in files.tensors.values()}) > 1:
        raise ModelError(
            f"{file.name} is split, and transformers reads this architecture from one file only",
            hint="Join the files: llama-gguf-split --merge.",
        )
    options: dict[str, Any] = {"config": architecture.config, "dtype": dtype, "local_files_only": True}
    options |= {"gguf_file": file.name, "quantization_config": GgufConfig(gguf_file=file.name, dequantize=True)}
    try:
        model, loading = architecture.model_class.from_pretrained(str(file.parent), output_loading_info=True, **options)
    except Exception as error:  # a stranger's weights break transformers in many ways
        said = " ".join(str(error).split())[:300]
        raise ModelError(f"{file.name} cannot be loaded: {said}", hint=GEOMETRY) from error
    if unset := sorted(loading["missing_keys"]):
        raise ModelError(f"{file.name} lacks {len(unset)} of the model's tensors ({unset[0]} …)", hint=GEOMETRY)
    filled: PreTrainedModel = model
    return filled


def _check_shapes(files: GgufFiles, architecture: Architecture, tensors: Mapping[str, Tensor]) -> None:
    wanted = {name: tuple(parameter.shape) for name, parameter in architecture.build().state_dict().items()}
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != wanted.get(name, tuple(tensor.shape)):
            raise ModelError(
                f"{files.header.file.name} cannot be run: {name} has shape {list(tensor.shape)} in it but"
                f" {list(wanted[name])} by its metadata",
                hint=GEOMETRY,
            )


def divide_frequencies(files: GgufFiles, model: PreTrainedModel) -> None:
    """Stretch the positions as llama.cpp does where the file has factors for them; raises `ModelError` where nothing in
    the model takes them."""
    if _ROPE_FACTORS not in files.tensors:
        return
    factors = files.tensor(_ROPE_FACTORS).float()
    taking = [
        module for module in model.modules() if getattr(getattr(module, "inv_freq", None), "shape", ()) == factors.shape
    ]
    if not taking:
        raise ModelError(f"{files.header.file.name} cannot be run: {_ROPE_FACTORS} fits nothing in the model")
    for module in taking:
        module.inv_freq = module.inv_freq / factors
