"""Which transformers class a configuration means, and what that class calls its matrices.

Nothing here is a list of names of ours: the class is the one that transformers' own Auto classes choose, it is built on
torch's `meta` device, where it takes no memory, and the checkpoint's names are put through transformers' own renamings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from explorer.engine.models.checkpoints.limits import refuse_many_parts
from explorer.engine.models.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedConfig, PreTrainedModel

DEEPEST_WRAPPER = 4
"""Wrappers that a checkpoint's names may begin with (`_orig_mod.`, `module.`, `base_model.model.`), in parts."""


@dataclass(frozen=True)
class Architecture:
    """A transformers class and the configuration that it is built from."""

    model_class: type[PreTrainedModel]
    config: PreTrainedConfig

    @property
    def name(self) -> str:
        return self.model_class.__name__

    @cached_property
    def skeleton(self) -> Skeleton:
        """The architecture on the meta device; raises `ModelError` where the config cannot be built."""
        return Skeleton(self.build())

    def build(self) -> PreTrainedModel:
        """The model without weights, on the meta device."""
        import torch

        refuse_many_parts(self.config.to_dict(), "config.json")
        try:
            with torch.device("meta"):
                return self.model_class(self.config)
        except Exception as error:  # the numbers in a stranger's config can break a model in any way
            raise ModelError(
                f"a {self.name} cannot be built from this config: {' '.join(str(error).split())[:300]}",
                hint="Compare config.json with the original.",
            ) from error


class Skeleton:
    """A model without weights: the names and shapes of its parameters, and where its two ends are."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        """On the meta device."""
        self._parameters = list(model.named_parameters(remove_duplicate=False))
        embedding = _input_matrix(model)
        head = model.get_output_embeddings()
        weight = getattr(head, "weight", None)
        outputs = self._called(weight, head)
        self.tied: bool = weight is not None and weight is embedding
        inputs = [name for name in self._called(embedding) if not (self.tied and name in outputs[:1])]
        self.inputs: tuple[str, ...] = tuple(inputs or outputs[:1])
        """Every name of the input embedding, the architecture's own first."""
        self.output: str | None = outputs[0] if outputs else None
        """The name of the head's matrix; None where the architecture has none."""
        self.input_shape: tuple[int, ...] = tuple(embedding.shape)
        self.output_shape: tuple[int, ...] | None = None if weight is None else tuple(weight.shape)
        self.biases: tuple[str, ...] = tuple(self._called(getattr(head, "bias", None)))
        """Every name of the head's bias."""

    def _called(self, wanted: Tensor | None, owner: nn.Module | None = None) -> list[str]:
        """The names of a parameter; the one that stands in `owner` first."""
        if wanted is None:
            return []
        own = [f"{name}.weight" for name, module in self.model.named_modules() if module is owner]
        return [*own, *(name for name, parameter in self._parameters if parameter is wanted and name not in own)]

    def numbers(self) -> int:
        """How many numbers its parameters and buffers hold, shared ones once."""
        return sum(tensor.numel() for tensor in (*self.model.parameters(), *self.model.buffers()))

    def rename(self, stored: Sequence[str]) -> dict[str, str]:
        """For each name in the checkpoint that transformers gives a parameter of this model: the parameter's name."""
        return self._renamed(stored, self.wrapper(stored))

    def wrapper(self, stored: Sequence[str]) -> str:
        """What all names begin with because of what wrapped the model when it was saved (`module.`, `_orig_mod.`).

        Empty where transformers knows a name as it is, or none at all."""
        beginnings = (_common_beginning(stored, depth) for depth in range(DEEPEST_WRAPPER))
        return next((each for each in beginnings if each is not None and self._renamed(stored, each)), "")

    def _renamed(self, stored: Iterable[str], beginning: str) -> dict[str, str]:
        from transformers.core_model_loading import rename_source_key

        renamings, converters = self._conversions
        known = self.model.state_dict()
        found: dict[str, str] = {}
        for name in stored:
            bare = name.removeprefix(beginning)
            new = rename_source_key(bare, renamings, converters, self.model.base_model_prefix, known)[0]
            if new not in known and bare in known:
                new = rename_source_key(bare, [], [], self.model.base_model_prefix, known)[0]
            if new in known:
                found[name] = new
        return found

    @cached_property
    def _conversions(self) -> tuple[list[Any], list[Any]]:
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightConverter, WeightRenaming

        rules = get_model_conversion_mapping(self.model)
        return (
            [rule for rule in rules if isinstance(rule, WeightRenaming)],
            [rule for rule in rules if isinstance(rule, WeightConverter)],
        )


def named_architecture(config: PreTrainedConfig) -> Architecture:
    """The transformers class that the configuration names, else the causal language model of its type, else its base
    model; raises `ModelError` where transformers has none."""
    import transformers

    if (named := _named_class(config)) is not None:
        return Architecture(named, config)
    if (causal := causal_architecture(config)) is not None:
        return causal
    if type(config) in transformers.MODEL_MAPPING:
        return Architecture(_choose(transformers.MODEL_MAPPING[type(config)], config), config)
    raise ModelError(
        f"transformers has no model for {config.architectures or config.model_type}",
        hint="A newer transformers may know it.",
    )


def causal_architecture(config: PreTrainedConfig) -> Architecture | None:
    """What `AutoModelForCausalLM` builds from the configuration: of a multimodal one often the text model alone.
    None where it builds nothing, or something else than the configuration names."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    if config.is_encoder_decoder:
        return None
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return _causal_by_name(config) or _with_images(config)
    known: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    chosen = _choose(known, config)
    text_config = config.get_text_config()
    if text_config is not config and chosen.config_class is type(text_config):
        if (packing := getattr(config, "quantization_config", None)) is not None:
            text_config.quantization_config = packing
        return Architecture(chosen, text_config)
    named = _named_class(config)
    return Architecture(chosen, config) if named in (None, chosen) else None


def _causal_by_name(config: PreTrainedConfig) -> Architecture | None:
    """The class that the configuration names, where it is a causal language model's but the Auto classes know it under
    the config of the whole model only (the text part of Mllama)."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    named = _named_class(config)
    causal = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    return Architecture(named, config) if named is not None and named.__name__ in causal else None


def _with_images(config: PreTrainedConfig) -> Architecture | None:
    """What `AutoModelForImageTextToText` builds, where the configuration names just that: a model that continues texts
    with images in them, and so texts alone."""
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return None
    chosen = _choose(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)], config)
    return Architecture(chosen, config) if _named_class(config) is chosen else None


def _named_class(config: PreTrainedConfig) -> type[PreTrainedModel] | None:
    import transformers

    for name in config.architectures or ():
        found = getattr(transformers, name, None)
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            return found
    return None


def _choose(known: Any, config: PreTrainedConfig) -> type[PreTrainedModel]:
    """Of several classes of a configuration the one that it names, else the first."""
    several: tuple[type[PreTrainedModel], ...] = known if isinstance(known, tuple) else (known,)
    return next((kind for kind in several if kind.__name__ in (config.architectures or ())), several[0])


def _input_matrix(model: PreTrainedModel) -> Tensor:
    """The input embedding of text; of a model with several inputs, its text model's."""
    from transformers import PreTrainedModel

    text_config = model.config.get_text_config()
    texts = [part for part in model.modules() if isinstance(part, PreTrainedModel) and part.config is text_config]
    for part in (model, *texts):
        try:
            matrix = part.get_input_embeddings().weight
        except (NotImplementedError, AttributeError):
            continue
        if getattr(matrix, "ndim", 0) == 2:
            found: Tensor = matrix
            return found
    raise ModelError(
        f"a {type(model).__name__} has no embedding matrix of text", hint="Models that read text can be explored."
    )


def _common_beginning(names: Sequence[str], depth: int) -> str | None:
    """The first `depth` parts of all names, if they are the same."""
    if depth == 0:
        return ""
    beginnings = {".".join(name.split(".")[:depth]) for name in names}
    return f"{beginnings.pop()}." if len(beginnings) == 1 else None
