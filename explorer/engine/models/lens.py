"""TransformerLens views of a loaded model: the folded unembedding, and the residual stream.

The bridge changes what it wraps (eager attention; folded and centred weights), so it only ever gets a copy;
the raw model is never touched. Numbers from here are called folded or residual; geometry is computed
on the raw matrices (`HasWeights.embeddings`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.engine.models.abilities import HasHidden
from explorer.engine.models.errors import ModelError
from explorer.engine.models.first_import import LENS, import_heard
from explorer.engine.models.hearing import fill_heard
from explorer.engine.models.out_of_memory import out_of_memory_as_failure
from explorer.engine.models.placement import is_spread

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def folded_unembedding(model: HasHidden) -> tuple[Float[Tensor, "vocab d_model"], Float[Tensor, " vocab"]]:
    """`W_U` transposed and `b_U` with the final norm's scale and bias folded in, float32 on the CPU.

    With x the final residual, centred (where the norm is a LayerNorm) and divided by its root mean square,
    `x @ W_U + b_U` are exactly the model's logits: the unembedding is folded but not centred over tokens.

    Takes a second copy of the weights, in float32, while it works. Raises `ModelError` for architectures
    that TransformerLens does not know and where memory runs out.
    """
    with out_of_memory_as_failure(model.hf.device, "a second copy of the weights to fold"):
        return fill_heard(lambda: _fold(model))


def _fold(model: HasHidden) -> tuple[Float[Tensor, "vocab d_model"], Float[Tensor, " vocab"]]:
    bridge = _bridge(model, copy.deepcopy(model.hf).float())
    bridge.enable_compatibility_mode(disable_warnings=True, center_unembed=False)
    return bridge.W_U.detach().T.float().cpu().contiguous(), bridge.b_U.detach().float().cpu().clone()


def residuals(model: HasHidden, token_ids: Sequence[int]) -> Float[Tensor, "layer position d_model"]:
    """The residual stream of a prompt, float32 on the CPU: before each layer, and last after all of them.

    There are `n_layers + 1` layers in it; the last is what the final norm reads. Raises `ModelError` as
    `folded_unembedding` does, and for what is no prompt of this model.
    """
    model.check_prompts([token_ids])
    with out_of_memory_as_failure(model.hf.device, f"the residuals of {len(token_ids)} tokens"), torch.no_grad():
        bridge = _bridge(model, _copy_sharing_weights(model.hf))
        last = model.info.n_layers - 1
        wanted = [*(f"blocks.{layer}.hook_in" for layer in range(last + 1)), f"blocks.{last}.hook_out"]
        ids = torch.tensor([list(token_ids)], device=model.hf.device)
        _, cache = bridge.run_with_cache(ids, names_filter=wanted)
        return torch.stack([cache[name][0].float().cpu() for name in wanted])


def _bridge(model: HasHidden, hf: PreTrainedModel) -> Any:
    """TransformerLens around `hf`, a copy of the model's."""
    if is_spread(model.hf):
        raise ModelError(
            f"{model.info.name} is spread over {model.info.device}, and TransformerLens wants one device",
            hint="Load it on one device: --device cpu, or a smaller dtype.",
        )
    import_heard(LENS)
    from transformer_lens.model_bridge import TransformerBridge
    from transformer_lens.model_bridge.sources.transformers import source

    # It would look for a processor of images, and install torchvision with pip, another torch along with it.
    source.load_modality_processor = _load_no_processor
    try:
        return TransformerBridge.boot_transformers(
            str(model.directory), hf_model=hf, tokenizer=_unused_tokenizer(), device=str(model.hf.device)
        )
    except ValueError as error:
        raise ModelError(
            f"TransformerLens cannot wrap {model.info.architecture}: {' '.join(str(error).split())[:200]}",
            hint="Everything that needs no hooks or folded weights works without it.",
        ) from error


def _load_no_processor(*_: Any, **__: Any) -> None:
    """In the place of what TransformerLens loads beside a model that also reads images: here it only reads ids."""


def _unused_tokenizer() -> Any:
    """A tokenizer for TransformerLens, which wants one although it is only given ids. It would load the model's anew,
    and change the special tokens of one that is handed to it, which chat templates read."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, unk_token="a")))


def _copy_sharing_weights(hf: PreTrainedModel) -> PreTrainedModel:
    """A copy of the modules around the same tensors."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*hf.parameters(), *hf.buffers())}
    return copy.deepcopy(hf, shared)
