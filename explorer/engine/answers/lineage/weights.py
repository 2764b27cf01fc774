"""The rungs that look into the weights of both models: W0 files, W1 rows, W2 neurons; W3 is in `states`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from explorer.base.records.lineage import FindLineage, Rung
from explorer.base.records.record import Progress
from explorer.engine.answers.lineage.asked import Known, shared_tokens, untrained
from explorer.engine.answers.lineage.rungs import Pair
from explorer.engine.core.lineage import exact, neurons
from explorer.engine.core.lineage.rows import compare_rows
from explorer.engine.models.abilities import HasHidden, has_hidden
from explorer.engine.models.mlps import Mlp, mlps_of

Rungs = Generator[Progress, None, list[Rung]]
AT_ONCE = 1 << 22
"""Numbers compared at once."""
_COORDINATES = "the coordinates of the residual stream"
_NEURONS = "the neurons of a layer"
_UNSAID_OF_CONFIG = frozenset({"transformers_version", "dtype", "torch_dtype", "architectures"})


def weight_rungs(pair: Pair, request: FindLineage) -> Rungs:
    """W0, W1 and W2; tells each tensor and layer, after which the caller may stop."""
    candidate, child = pair.candidate.known, pair.child.known
    absent = [known.name for known in (candidate, child) if not has_hidden(known.model)]
    if absent or not has_hidden(candidate.model) or not has_hidden(child.model):
        return [Rung(name="W0 files", null="", said=f"the weights are not here: {', '.join(absent)}")]
    files = yield from _files(candidate.model, child.model)
    rows = yield from _rows(candidate, child, request)
    matched = yield from _neurons(candidate.model, child.model, request)
    return [files, *rows, *matched]


# ── W0 ────────────────────────────────────────────────────────────────────────────────────────────────────


def _files(candidate: HasHidden, child: HasHidden) -> Generator[Progress, None, Rung]:
    one, other = dict(candidate.hf.named_parameters()), dict(child.hf.named_parameters())
    same = 0
    for done, (name, tensor) in enumerate(one.items()):
        same += name in other and _are_equal(tensor, other[name])
        yield Progress(done=done + 1, total=len(one), what=f"tensors of {child.info.name}")
    told = one.keys() & other.keys()
    tokenizer = "same tokenizer" if candidate.info.tokenizer_digest == child.info.tokenizer_digest else "two tokenizers"
    share = f"{same} of {len(one)} tensors bit-equal"
    unlike = "" if len(told) == len(one) == len(other) else f", {len(told)} by name in both"
    said = f"{tokenizer}; {_compare_configs(candidate, child)}; {share}{unlike}"
    return Rung(name="W0 files", null="a fact, not a test", equal=same / max(1, len(one)), said=said)


def _are_equal(one: Tensor, other: Tensor) -> bool:
    """To the bit, once in one dtype; False for weights that are not in memory."""
    if one.shape != other.shape or one.is_meta or other.is_meta:
        return False
    first, second = one.detach().flatten(), other.detach().flatten()
    return all(
        torch.equal(a.cpu().float(), b.cpu().float())
        for a, b in zip(torch.split(first, AT_ONCE), torch.split(second, AT_ONCE), strict=True)
    )


def _compare_configs(candidate: HasHidden, child: HasHidden) -> str:
    one, other = candidate.hf.config.to_dict(), child.hf.config.to_dict()
    keys = sorted((one.keys() | other.keys()) - _UNSAID_OF_CONFIG)
    apart = [key for key in keys if not key.startswith("_") and one.get(key) != other.get(key)]
    if not apart:
        return "same config"
    return f"configs differ in {len(apart)} entries ({', '.join(apart[:3])}{', …' if len(apart) > 3 else ''})"


# ── W1 ────────────────────────────────────────────────────────────────────────────────────────────────────


def _rows(candidate: Known, child: Known, request: FindLineage) -> Rungs:
    """Never-trained and trained rows apart: a child shares all of the former with its sibling, too."""
    shared = list(shared_tokens(candidate, child).values())
    never = [(one, other) for one, other in shared if one in candidate.never and untrained(child, other)]
    trained = [(one, other) for one, other in shared if one not in candidate.unfit and other not in child.unfit]
    found: list[Rung] = []
    for kind, places in (("never-trained", never), ("trained", trained)):
        yield Progress(done=len(found), total=2, what=f"rows of {child.name}")
        found.append(_compare_rows(f"W1 {kind} rows", candidate, child, places, request))
    return found


def _compare_rows(
    name: str, candidate: Known, child: Known, places: list[tuple[int, int]], request: FindLineage
) -> Rung:
    assert has_hidden(candidate.model)
    assert has_hidden(child.model)
    one, other = candidate.model.embeddings().input, child.model.embeddings().input
    if one.shape[1] != other.shape[1]:
        said = f"W1 needs equal d_model ({one.shape[1]} / {other.shape[1]})"
        return Rung(name=name, null=_COORDINATES, tokens=len(places), said=said)
    ids = np.array(places, dtype=np.int64).reshape(-1, 2)
    ids = ids[(ids[:, 0] < len(one)) & (ids[:, 1] < len(other))]
    compared = compare_rows(_blocks(one, other, ids), one.shape[1], request.seed)
    if compared is None:
        return Rung(name=name, null=_COORDINATES, tokens=len(ids), said="no such row is known in both, or they are 0")
    return Rung(
        name=name,
        null=_COORDINATES,
        p=compared.permuted.p,
        z=compared.permuted.z,
        effect=compared.cosine,
        equal=compared.equal,
        tokens=compared.rows,
        said=f"{compared.equal:.1%} of rows bit-equal, mean cosine {compared.cosine:.3f}",
    )


def _blocks(one: Tensor, other: Tensor, ids: Int64[np.ndarray, "rows 2"]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    size = max(1, AT_ONCE // one.shape[1])
    for first, last in pairwise([*range(0, len(ids), size), len(ids)]):
        places = torch.from_numpy(ids[first:last])
        yield one[places[:, 0]].float().numpy(), other[places[:, 1]].float().numpy()


# ── W2 ────────────────────────────────────────────────────────────────────────────────────────────────────


def _neurons(candidate: HasHidden, child: HasHidden, request: FindLineage) -> Rungs:
    one, other = mlps_of(candidate.hf), mlps_of(child.hf)
    if unlike := _tell_apart(candidate, child, one, other):
        return [Rung(name="W2 neurons", null=_NEURONS, said=unlike)]
    drawn = neurons.draw_neurons(len(one[0].read), request.seed)
    layers = []
    for place, (first, second) in enumerate(zip(one, other, strict=True)):
        yield Progress(done=place, total=len(one), what=f"layers of {child.info.name}")
        if len(first.read) != len(one[0].read):
            drawn = neurons.draw_neurons(len(first.read), request.seed)
        one_layer, other_layer = neurons.Layer(*first.rows(drawn)), neurons.Layer(*second.rows(drawn))
        layers.append(neurons.match_layer(one_layer, other_layer, request.seed + place))
    return _word_layers([layer for layer in layers if layer is not None])


def _word_layers(layers: list[neurons.LayerMatched]) -> list[Rung]:
    if not layers:
        return [Rung(name="W2 neurons", null=_NEURONS, said="the weights tell nothing: some are no numbers, or all 0")]
    fixed = exact.combine(
        neurons.join_layers([layer.p_fixed for layer in layers]),
        neurons.join_layers([layer.p_order for layer in layers]),
    )
    total = sum(layer.neurons for layer in layers)
    told, agreed = ([getattr(layer, name) for layer in layers] for name in ("fixed", "agreeing"))
    return [
        Rung(name="W2 neurons", null=_NEURONS, p=fixed, fixed=sum(told), tokens=total, said=_by_layer(told, layers)),
        Rung(
            name="W2 in against out",
            null=_NEURONS,
            p=neurons.join_layers([layer.p_agreeing for layer in layers]),
            fixed=sum(agreed),
            tokens=total,
            said=f"neurons that input and output weights match alike: {_by_layer(agreed, layers)}",
        ),
    ]


def _by_layer(counts: list[int], layers: list[neurons.LayerMatched]) -> str:
    most = 8
    rest = ", …" if len(counts) > most else ""
    return f"{', '.join(map(str, counts[:most]))}{rest} of {layers[0].neurons} a layer"


def _tell_apart(candidate: HasHidden, child: HasHidden, one: list[Mlp], other: list[Mlp]) -> str:
    """Why the layers cannot be compared; empty where they can."""
    for model, mlps in ((candidate, one), (child, other)):
        if not mlps:
            return f"the MLP of {model.info.name} is not known to this test, or its weights are quantised"
    if len(one) != len(other):
        return f"depths differ ({len(one)} / {len(other)} layers)"
    alike = all(
        first.read.shape == second.read.shape and first.gated == second.gated
        for first, second in zip(one, other, strict=True)
    )
    if alike:
        return ""
    return f"shapes differ ({_describe(candidate, one[0])} / {_describe(child, other[0])})"


def _describe(model: HasHidden, mlp: Mlp) -> str:
    """`384 GELU`, `256 gated`."""
    config = model.hf.config
    activation = str(getattr(config, "activation_function", None) or getattr(config, "hidden_act", ""))
    return f"{len(mlp.read)} {'gated' if mlp.gated else 'GELU' if 'gelu' in activation else activation}".strip()
