"""What a loaded model really does, asked of itself once with a few tokens: whether it reads from left to right, and
whether batches padded on the left and its cache change what it says.

A signature does not tell: models that count positions from the ids take `position_ids` and mean something else by them
(RoBERTa), some keep a cache that they do not use as one would think, and some see what comes later (XLNet, BERT).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.engine.models.errors import ModelError
from explorer.engine.models.head import find_head

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from explorer.engine.models.decoding import Runner

LONG, SHORT, NEW = 5, 2, 2
"""Tokens of the two prompts, and how many are then added to each."""
EXACT, ROUGH = 1e-4, 0.1
"""Differences that rounding explains, as a share of the spread of the logits: in float32, and in half precision."""

_ONLY_GEOMETRY = "Its geometry can be explored: put 'weights:' before the source."
_NOT_RUN = f"Its config may not fit its weights. {_ONLY_GEOMETRY}"


def probe(runner: Runner, ids: Sequence[int]) -> None:
    """Take from `runner` what its model does not do rightly (`pads`, `caches`), and tell it the head
    where the logits are its bare product (`head`).

    Raises `ModelError` for a model that does not predict the next token from those before it, and for one that cannot
    read a prompt at all.

    `ids` are ordinary tokens, at least `LONG + NEW`; fewer, as in a context that short, prove nothing.
    """
    if len(ids) < LONG + NEW:
        return
    _refuse_other_ways(runner.model, ids)
    long, short = list(ids[: LONG + NEW]), list(ids[-SHORT - NEW :])
    wholes = _whole(runner, long), _whole(runner, short)
    if any(bool(whole.isnan().any()) for whole in wholes):
        return  # damaged weights: said where they are asked
    share = EXACT if runner.model.dtype == torch.float32 else ROUGH
    tolerance = share * float(wholes[0].std())
    _refuse_looking_ahead(runner, long, wholes[0], tolerance)
    steps = range(NEW + 1)
    expected = [torch.stack([wholes[0][LONG - 1 + step], wholes[1][SHORT - 1 + step]]) for step in steps]
    runner.head = find_head(runner.model, short[:SHORT], share)
    if _agrees(runner, long, short, expected, tolerance):
        return
    runner.head = None
    # Of some (ProphetNet) what is said at a place depends on the length: ask at each length.
    expected = [_last(runner, long[: LONG + step], short[: SHORT + step]) for step in steps]
    for give_up in ("pads", "caches"):
        if _agrees(runner, long, short, expected, tolerance):
            return
        setattr(runner, give_up, False)


def ordinary_ids(size: int, special: Collection[int], config: Any) -> list[int]:
    """Ids for `probe`, from the middle of a vocabulary of `size`: neither special nor named in the config, where a
    model may do something of its own at them (pad, image)."""
    named = {value for value in _integers(config.to_dict()) if isinstance(value, int)}
    middle = range(size // 2, size)
    found = [token_id for token_id in (*middle, *range(size // 2)) if token_id not in special and token_id not in named]
    return found[: LONG + NEW]


def _integers(config: dict[str, Any]) -> list[Any]:
    """The values of keys such as `pad_token_id` and `image_token_index`, in the config and in those within."""
    inner = [value for value in config.values() if isinstance(value, dict)]
    own = [value for key, value in config.items() if "token" in str(key)]
    return [*own, *(value for part in inner for value in _integers(part))]


def _refuse_other_ways(model: PreTrainedModel, ids: Sequence[int]) -> None:
    """Raise `ModelError` where transformers itself adds tokens of its own before it asks what comes next."""
    given = torch.tensor([list(ids)], device=model.device)
    try:
        prepared = model.prepare_inputs_for_generation(given, attention_mask=torch.ones_like(given), use_cache=False)
        read = prepared["input_ids"]
    except Exception:  # not every architecture has it, or takes the same arguments: nothing is known then
        return
    if isinstance(read, Tensor) and read.shape != given.shape:
        raise _predicts_otherwise(model)


def _refuse_looking_ahead(
    runner: Runner, ids: list[int], whole: Float[Tensor, "length vocab"], tolerance: float
) -> None:
    """Raise `ModelError` where another last token changes what is said before it."""
    other = _whole(runner, [*ids[:-1], ids[0]])
    if _differ(other[:-1], whole[:-1]) > tolerance:
        raise _predicts_otherwise(runner.model)


def _predicts_otherwise(model: PreTrainedModel) -> ModelError:
    return ModelError(
        f"{type(model).__name__} does not predict the next token from the tokens before it (it reads a text in both "
        "directions, or through a mask token), so it cannot be run",
        hint=_ONLY_GEOMETRY,
    )


def _agrees(
    runner: Runner, long: list[int], short: list[int], expected: list[Float[Tensor, "2 vocab"]], tolerance: float
) -> bool:
    """Whether a batch of unequal prompts, continued token by token, says what is `expected` at each step."""
    try:
        batch = runner.start([long[:LONG], short[:SHORT]])
        for step, logits in enumerate(expected):
            if _differ(batch.logits[:, : logits.shape[1]], logits) > tolerance:
                return False
            if step < NEW:
                batch.push([long[LONG + step], short[SHORT + step]])
    except ModelError:  # a cache that cannot be padded, or not continued
        return False
    return True


def _last(runner: Runner, *prompts: list[int]) -> Float[Tensor, "prompts vocab"]:
    return torch.stack([_whole(runner, prompt)[-1] for prompt in prompts])


def _whole(runner: Runner, ids: list[int]) -> Float[Tensor, "length vocab"]:
    """The logits at every place, by one pass as transformers does it unasked."""
    with torch.no_grad(), runner.as_refusal(_NOT_RUN):
        logits: Tensor = runner.model(input_ids=torch.tensor([ids], device=runner.model.device)).logits
    return logits[0].float()


def _differ(one: Float[Tensor, "n vocab"], other: Float[Tensor, "n vocab"]) -> float:
    """The greatest difference; where both are infinite there is none."""
    same = one == other
    return float(torch.where(same, torch.zeros_like(one), one - other).abs().nan_to_num(nan=torch.inf).max())
