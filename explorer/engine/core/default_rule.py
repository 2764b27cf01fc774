"""Which indicator a table is sorted by where nobody chose one, and what speaks against trusting it.

The rule, and what it rests on:

- Untied matrices: the norm of the input embedding, as in "Fishing for Magikarp" (arXiv 2405.05417, section 3). A token
  that never occurs has an input row that nothing but weight decay moves.
- Tied matrices with reference tokens: the cosine distance to their centre (there too). Measured: 300 of the 300 lowest
  `ok` tokens of Gemma 3 270M fail; the 12 verified ones of SmolLM2-135M-Instruct stand first to twelfth.
- No reference tokens, or only such as look trained: the cosine distance to the centroid, and a weak rule. Measured on
  SmolLM2: the 12 verified tokens stand at places 8 to 39 of the `ok` ones, by the Euclidean distance to the centroid at
  15 to 76, because frequent words have small norms and lie nearer the centroid than what was never trained (ROC-AUC
  among 229 tested tokens: 0.999 and 0.864). In the six zoo models, by the output matrix: ROC-AUC 1.0 and 0.0.
- Norms that are all alike (Gemma 3 normalises its rows: 1.028 to 1.035) tell nothing, so the norm is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

ALIKE = 0.01
"""Norms that differ by no more than this share of the least are all alike."""
FIRST = 100
"""How many first tokens two rules are compared by."""
CENTROID, REFERENCE, NORM = "output_centroid_cosine_distance", "unused_cosine_distance", "input_norm"


@dataclass(frozen=True)
class DefaultRule:
    """The indicator to sort by, the rule that chose it as a sentence, and remarks on how far it can be trusted."""

    indicator: str
    rule: str
    notes: tuple[str, ...] = ()


def choose_default(
    columns: Mapping[str, Float32[np.ndarray, " vocab"]],
    ordinary: Bool[np.ndarray, " vocab"],
    *,
    tied: bool,
    against: str = "",
    weakness: str = "",
) -> DefaultRule:
    """The default among the indicators of a model.

    `ordinary`: the tokens that are compared. `against`: what the reference tokens are, in words ("13 bytes never in
    UTF-8"). `weakness`: what is wrong with them, such as that they look trained; empty where nothing is.
    """
    alike = _are_alike(columns[NORM][ordinary])
    name, rule = _choose(columns, tied, alike, against, weakness)
    notes = (f"input_norm tells nothing: all norms lie {alike}.",) if alike and name != NORM else ()
    return DefaultRule(name, rule, (*notes, *_disagreement(columns, ordinary, name)))


def _choose(
    columns: Mapping[str, Float32[np.ndarray, " vocab"]], tied: bool, alike: str, against: str, weakness: str
) -> tuple[str, str]:
    if CENTROID not in columns:
        return NORM, "Weak rule (no output head): norm of the input embedding."
    if not tied and not alike:
        return NORM, "Untied: norm of the input embedding, which only training moves."
    if REFERENCE in columns and not weakness:
        return REFERENCE, f"Cosine distance to the centre of {against}."
    return CENTROID, f"Weak rule ({weakness or 'no reference tokens'}): cosine distance to the centroid."


def _are_alike(norms: Float32[np.ndarray, " n"]) -> str:
    """Between which two norms all lie, in words; empty where they differ."""
    norms = norms[np.isfinite(norms)]
    if not len(norms) or norms.max() > norms.min() * (1 + ALIKE):
        return ""
    return f"from {norms.min():.4g} to {norms.max():.4g}"


def _disagreement(
    columns: Mapping[str, Float32[np.ndarray, " vocab"]], ordinary: Bool[np.ndarray, " vocab"], name: str
) -> tuple[str, ...]:
    """A remark where another rule puts mostly others first; none where there are fewer tokens than two such lists."""
    rival = CENTROID if name == REFERENCE else REFERENCE if name == NORM else ""
    if rival not in columns or ordinary.sum() < 2 * FIRST:
        return ()
    shared = len(_first(columns[name], ordinary) & _first(columns[rival], ordinary))
    return (f"{rival} shares {shared} of its first {FIRST}.",) if shared < FIRST // 2 else ()


def _first(column: Float32[np.ndarray, " vocab"], ordinary: Bool[np.ndarray, " vocab"]) -> frozenset[int]:
    """The lowest ordinary tokens, ties by id."""
    ids = np.flatnonzero(ordinary & np.isfinite(column))
    return frozenset(ids[np.argsort(column[ids], kind="stable")[:FIRST]].tolist())
