"""W3: linear CKA of the residual streams at the answer position, on tokens that were never trained."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float32

from explorer.base.records.lineage import FEWEST, FindLineage, Rung
from explorer.base.records.record import Progress
from explorer.base.templates import Template
from explorer.engine.answers.lineage.asked import Answers, shared_tokens, untrained
from explorer.engine.answers.lineage.rungs import Pair
from explorer.engine.behaviour.batching import MOST_ROWS
from explorer.engine.behaviour.prompts import fill_template
from explorer.engine.core.lineage import cka
from explorer.engine.models.abilities import HasHidden, has_hidden
from explorer.engine.models.hearing import heard_inside
from explorer.engine.models.out_of_memory import out_of_memory_as_failure

TOKENS = 120
"""At most; drawn by the seed of those that neither model was trained on, as far as is known."""
PROMPTS = 2
"""The first ones asked about."""
LAYERS = 4
"""Told of a model, at equal distances, the last one among them."""
_MOST_NUMBERS = 1 << 26
"""Held at once of all layers and positions."""
_NULL = "which token's state is compared with which"
States = dict[int, Float32[np.ndarray, "layers d_model"]]


@dataclass
class Looked:
    """States that were read for one request, by model and prompt, so that each is read once."""

    states: dict[tuple[str, Template], States] = field(default_factory=dict)


def state_rungs(pair: Pair, request: FindLineage, looked: Looked) -> Generator[Progress, None, list[Rung]]:
    """W3; tells each prompt, after which the caller may stop. Nothing where the weights are not here."""
    candidate, child = pair.candidate.known, pair.child.known
    if not has_hidden(candidate.model) or not has_hidden(child.model):
        return []
    tokens = _choose(pair, request)
    if len(tokens) < FEWEST:
        said = f"{FEWEST} never-trained tokens or more are needed that both have; {len(tokens)} are known"
        return [Rung(name="W3 CKA", null=_NULL, tokens=len(tokens), said=said)]
    sides = ((pair.candidate, [one for one, _ in tokens]), (pair.child, [other for _, other in tokens]))
    templates = request.templates[:PROMPTS]
    for answers, ids in sides:
        for done, template in enumerate(templates):
            _look(answers, template, ids, looked)
            yield Progress(done=done + 1, total=len(templates), what=f"states of {answers.known.name}")
    one, other = (_by_layer(answers, ids, templates, looked) for answers, ids in sides)
    return [_word(one, other, (candidate.model, child.model), request)]


def _choose(pair: Pair, request: FindLineage) -> list[tuple[int, int]]:
    """Ids of both; tokens with identical rows are left out, for a model answers them alike."""
    candidate, child = pair.candidate.known, pair.child.known
    both = sorted(
        (one, other)
        for one, other in shared_tokens(candidate, child).values()
        if one in candidate.telling and untrained(child, other)
    )
    order = np.random.default_rng(request.seed).permutation(len(both))
    return [both[place] for place in order[:TOKENS]]


def _look(answers: Answers, template: Template, ids: Sequence[int], looked: Looked) -> None:
    """Read what has not been read."""
    known = looked.states.setdefault((answers.known.name, template), {})
    new = [token_id for token_id in ids if token_id not in known]
    model = answers.known.model
    assert has_hidden(model)
    prompts = [fill_template(model.vocabulary, template, (token_id,), answers.chat).ids for token_id in new]
    for token_id, states in zip(new, _read(model, prompts), strict=True):
        known[token_id] = states


def _read(model: HasHidden, prompts: Sequence[Sequence[int]]) -> Iterator[Float32[np.ndarray, "layers d_model"]]:
    """The states at the last position of prompts of one length."""
    if not prompts:
        return
    model.check_prompts(prompts)
    hf, depth = model.hf, model.info.n_layers
    rows = max(1, min(MOST_ROWS, _MOST_NUMBERS // (len(prompts[0]) * model.info.d_model * (depth + 1))))
    for first in range(0, len(prompts), rows):
        ids = torch.tensor([list(prompt) for prompt in prompts[first : first + rows]], device=hf.device)
        noun = f"the states of {ids.numel()} tokens"
        with out_of_memory_as_failure(hf.device, noun), heard_inside(model), torch.no_grad():
            told = hf.base_model(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
            chosen = [told[layer][:, -1].float().cpu() for layer in _layers(depth)]
        yield from torch.stack(chosen, dim=1).numpy()


def _layers(depth: int) -> list[int]:
    """After which layers: 0 would be before the first."""
    return sorted({max(1, round(depth * share / LAYERS)) for share in range(1, LAYERS + 1)})


def _by_layer(
    answers: Answers, ids: Sequence[int], templates: Sequence[Template], looked: Looked
) -> list[cka.Gram | None]:
    """By layer, of all prompts together."""
    told = [np.stack([looked.states[answers.known.name, template][each] for each in ids]) for template in templates]
    return [
        cka.gram(np.concatenate([states[:, place] for states in told], axis=1)) for place in range(told[0].shape[1])
    ]


def _word(
    one: Sequence[cka.Gram | None], other: Sequence[cka.Gram | None], models: tuple[HasHidden, HasHidden],
    request: FindLineage,
) -> Rung:  # fmt: skip
    """The last layer of both leads; the others are told beside it, from the end, where both have them."""
    told: list[str] = []
    last: cka.Cka | None = None
    places = [_layers(model.info.n_layers) for model in models]
    tokens = next((len(each) for each in (*one, *other) if each is not None), 0)
    for back in range(1, min(len(one), len(other)) + 1):
        first, second = one[-back], other[-back]
        found = None if first is None or second is None else cka.compare_grams(first, second, request.seed)
        names = " / ".join(f"{layers[-back]}" for layers in places)
        value = "no information" if found is None else f"{found.value:.2f} (z {found.z:.1f})"
        told.append(f"layers {names}: {value}")
        if back == 1:
            last = found
    said = "; ".join(told)
    if last is None:
        return Rung(name="W3 CKA", null=_NULL, tokens=tokens, said=said)
    return Rung(name="W3 CKA", null=_NULL, p=last.p, z=last.z, effect=last.value, tokens=tokens, said=said)
