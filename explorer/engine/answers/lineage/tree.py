"""The tree of all models of a question, by their answers to tokens that all of them have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import msgspec
import numpy as np
from jaxtyping import Int64

from explorer.base.records.lineage import FEWEST, FindLineage, Lineage
from explorer.base.records.lineage_tree import LineageTree, TreeJoint
from explorer.engine.answers.lineage.asked import LOOK, Answers
from explorer.engine.control import stop_if_cancelled
from explorer.engine.core.lineage.exact import Matrix
from explorer.engine.core.lineage.similarity import pearson
from explorer.engine.core.lineage.tree import find_joints, reach_of_chance

FEWEST_MODELS = 4


@dataclass(frozen=True)
class TreePlan:
    """The models and what all of them are asked about; `said` where there is no tree."""

    models: tuple[Answers, ...]
    tokens: tuple[tuple[int, ...], ...]
    """By model: ids of the same tokens."""
    outputs: tuple[Int64[np.ndarray, " outputs"], ...]
    said: str = ""

    def wanted(self) -> list[tuple[Answers, list[tuple[int, ...]]]]:
        """What each model is to be asked about."""
        if not self.tokens:
            return []
        return [(model, [(each,) for each in ids]) for model, ids in zip(self.models, self.tokens, strict=True)]

    def finish(self, lineage: Lineage, request: FindLineage) -> Lineage:
        """The lineage with its tree, once all has been asked."""
        if len(self.models) < FEWEST_MODELS:
            return lineage
        if self.said or any(model.bounded for model in self.models):
            said = self.said or "there is no tree: some models tell only their likeliest tokens"
            return msgspec.structs.replace(lineage, notes=(*lineage.notes, said))
        return msgspec.structs.replace(lineage, tree=self._grow(request))

    def _grow(self, request: FindLineage) -> LineageTree:
        names = [model.known.name for model in self.models]
        matrices = {pair: self._compare(*pair, request) for pair in combinations(range(len(names)), 2)}
        own = np.ones((len(names), len(names), len(self.tokens[0])))
        for (one, other), matrix in matrices.items():
            own[one, other] = own[other, one] = np.diag(matrix)
        strangers = [
            float(np.diag(matrix).mean())
            for (one, other), matrix in matrices.items()
            if len({names[one], names[other]} & set(request.references)) == 1
            and {names[one], names[other]} & set(request.bases)
        ]
        floor = max([reach_of_chance(list(matrices.values())), *strangers])
        joints = tuple(
            TreeJoint(
                models=tuple(names[place] for place in sorted(joint.members)),
                r=joint.r,
                support=joint.support,
                by_chance=joint.r <= floor,
            )
            for joint in find_joints(own, request.seed)
        )
        return LineageTree(joints=joints, floor=floor, tokens=len(self.tokens[0]), outputs=len(self.outputs[0]))

    def _compare(self, one: int, other: int, request: FindLineage) -> Matrix:
        """Mean r over prompts, of each token with each."""
        sides = [
            [
                self.models[place].rows(template, [(each,) for each in self.tokens[place]], self.outputs[place])
                for template in request.templates
            ]
            for place in (one, other)
        ]
        mean: Matrix = np.mean([pearson(*each) for each in zip(*sides, strict=True)], axis=0)
        return mean


def plan_tree(answers: Mapping[str, Answers], request: FindLineage, named: Sequence[bytes]) -> TreePlan:
    """The tokens named, or by the seed some that no model was trained on, as far as is known; each is one token of all
    models, and so is each output."""
    models = tuple(answers.values())
    if len(models) < FEWEST_MODELS:
        return TreePlan(models, (), (), "")
    shared = _share(models)
    chosen = [token for token in dict.fromkeys(named) if token in shared] if named else _untrained(models, shared)
    order = np.arange(len(chosen)) if named else np.random.default_rng(request.seed).permutation(len(chosen))
    tokens = [chosen[place] for place in order[: max(request.count, len(named))]]
    asked = set(tokens)
    outputs = [
        ids
        for token, ids in shared.items()
        if token not in asked and not any(each in model.known.unfit for each, model in zip(ids, models, strict=True))
    ]
    if len(tokens) < FEWEST or not outputs:
        said = f"there is no tree: {len(tokens)} tokens that were never trained are in all models; {FEWEST} are needed"
        return TreePlan(models, (), (), said)
    columns = np.array(outputs, dtype=np.int64).T
    return TreePlan(models, tuple(zip(*(shared[token] for token in tokens), strict=True)), tuple(columns))


def _share(models: Sequence[Answers]) -> dict[bytes, tuple[int, ...]]:
    """Each token that all models have, by its bytes, as an id of each."""
    first = models[0].known.model.vocabulary
    shared: dict[bytes, tuple[int, ...]] = {}
    for token_id in range(min(first.size, first.tokenizer_size)):
        if token_id % LOOK == 0:
            stop_if_cancelled()
        token = first.token_bytes(token_id)
        ids = [token_id, *(model.known.find(token) for model in models[1:])]
        found = tuple(each for each in ids if each is not None)
        if token and len(found) == len(models):
            shared.setdefault(token, found)
    return shared


def _untrained(models: Sequence[Answers], shared: Mapping[bytes, tuple[int, ...]]) -> list[bytes]:
    """Sorted, so that a seed draws the same; a model of which nothing is known is taken at the others' word."""
    known = [model.known for model in models]
    if not any(each.never for each in known):
        return []
    return sorted(
        token
        for token, ids in shared.items()
        if all(not each.never or token_id in each.telling for token_id, each in zip(ids, known, strict=True))
    )
