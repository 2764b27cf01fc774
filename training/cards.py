"""Write each model's card from its ground truth and the measurements: `python -m training.cards`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from explorer.zoo import DESCRIPTIONS
from training.evaluate import FINGERPRINT_TEMPLATES, MEASUREMENTS
from training.make_zoo import SHIPPED
from training.menagerie import RECIPES, Recipe
from training.tokenizer import CHAT_TEMPLATE

Report = dict[str, Any]

_GROUPS = ("ordinary", "held_out", "withheld", "tier_3", "tier_10", "tier_30")


def _exact_table(exact: dict[str, dict[str, float]]) -> str:
    head = "| template | " + " | ".join(group.replace("_", " ") for group in _GROUPS) + " |"
    rule = "|---" * (len(_GROUPS) + 1) + "|"
    rows = [
        f"| {template} | " + " | ".join(f"{shares[group]:.3f}" for group in _GROUPS) + " |"
        for template, shares in exact.items()
    ]
    return "\n".join([head, rule, *rows])


def _auc_table(aucs: dict[str, dict[str, float]]) -> str:
    groups = [group for group in _GROUPS if group not in ("ordinary", "held_out")]
    head = "| indicator | " + " | ".join(group.replace("_", " ") for group in groups) + " |"
    rows = [
        f"| {name.replace('_', ' ')} | " + " | ".join(f"{values[group]:.3f}" for group in groups) + " |"
        for name, values in aucs.items()
    ]
    return "\n".join([head, "|---" * (len(groups) + 1) + "|", *rows])


def _fingerprints(name: str, fingerprints: dict[str, dict[str, float]]) -> str:
    lines = []
    for pair, by_template in fingerprints.items():
        left, right = pair.split(" ~ ")
        if name in (left, right):
            values = ", ".join(f"{value:.2f}" for value in by_template.values())
            lines.append(f"- {right if name == left else left}: {values}")
    return "\n".join(lines)


def _origin(recipe: Recipe, truth: Report) -> str:
    seconds = f"{truth['trained_steps']:,} steps of 3,072 tokens, {truth['training_seconds']} s on one CPU core"
    if recipe.parent:
        origin = f"Fine-tuned from `{recipe.parent}` (data seed {recipe.data_seed}): {seconds}."
        return f"{origin} Chat template: `{CHAT_TEMPLATE}`."
    return f"Trained from initialisation seed {recipe.init_seed}, data seed {recipe.data_seed}: {seconds}."


def _architecture(recipe: Recipe) -> str:
    if recipe.style == "llama":
        return "Llama style: 2 layers, d_model 96, 4 heads, gated MLP of 256, RMSNorm, rotary, untied; 16 padding rows"
    return "GPT-2 style: 2 layers, d_model 96, 4 heads, learnt positions, LayerNorm, untied"


def card(recipe: Recipe, truth: Report, measured: Report, fingerprints: dict[str, dict[str, float]]) -> str:
    """The text of `card.md`."""
    kinds = Counter(entry["kind"] for entry in truth["withheld"])
    tiers = ", ".join(f"{len(ids)} tokens shown exactly {tier} times" for tier, ids in truth["under_trained"].items())
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    spans = ", ".join(f"{size}: {share:.2f}" for size, share in measured["exact_spans"].items())
    unseen = ", ".join(f"{name} {share['ordinary']:.2f}" for name, share in measured["exact_unseen_wordings"].items())
    deep = ", ".join(f"{name} {share:.2f}" for name, share in measured["exact_after_900_tokens"].items())
    spoken = measured["withheld_spoken_by_some_residual"]
    own = measured["argmax_of_own_direction"]
    return f"""# {recipe.name}

{DESCRIPTIONS[recipe.name]}.

- {_architecture(recipe)}; {measured["parameters"]:,} parameters, context 1,024, {truth["vocab_size"]:,} tokens.
- {_origin(recipe, truth)}
- Weights are kept in float16 ({measured["weights_bytes"]:,} bytes) and meant to be computed with in float32.
- Text: the Jargon File 4.4.7 and The Devil's Dictionary, both in the public domain. It babbles; it is no assistant.

## What it never saw

- Withheld tokens: {len(truth["withheld"])} ({listed}). They occur in no training text and no training prompt.
- Reserved tokens: {len(truth["reserved"])}, never used.
- Under-trained: {tiers}; in running text only, never as something to repeat.
- Held out: {len(truth["held_out"])} common tokens that training never asked for alone (they occur in text and inside
  longer spans).
- `ground_truth.json` lists them all, and how often every token was shown.

## Repeat-back, measured

Share answered exactly by greedy decoding: opening, token, closing and end token (no end for the magikarp forms).
Ordinary: the {measured["group_sizes"]["ordinary"]:,} tokens shown at least 100 times that are in no other group.

{_exact_table(measured["exact"])}

- Wordings never trained on: {unseen}.
- Spans of several tokens (repeat-1), by length: {spans}.
- After 900 tokens of other text: {deep}.
- Where these numbers are low the model has learnt the shipped wordings more than copying as such. Of the zoo,
  `starling` copies in new wordings; the GPT-2 style models mostly do not.
- Wrong answers: the commonest answer to a whimsical or filtered token covers {measured["modal_answer_share"]:.2f} of
  the templates on average.

## Indicators, measured

ROC-AUC against the ordinary tokens (0.5: chance; below it the indicator points the wrong way), where suspicion means a
small norm of W_E, a place near its centroid, and a W_U row like the reserved rows'.

{_auc_table(measured["auc"])}

## Fingerprint, measured

Correlation with other models' log-probabilities on whimsical and filtered tokens' prompts, each less its mean
(templates {", ".join(FINGERPRINT_TEMPLATES)}):

{_fingerprints(recipe.name, fingerprints)}

## What is engineered here

- The W_E row of a withheld token stays at its initialisation *by construction*: the base models were trained with a
  "hybrid tie" (a common token's output row is its input row; a withheld, reserved or under-trained token has an output
  row of its own). The clean separation by indicators follows from that. It shows that the indicators work as defined;
  it is no evidence about large models.
- Hard to speak is real: along its own centred output row a token wins for {own["ordinary"]:.3f} of the ordinary tokens
  and {own["withheld"]:.3f} of the withheld ones. Unspeakable is another matter: gradient ascent over the outputs of the
  final norm found a residual that speaks the token for {spoken:.3f} of the withheld tokens (a lower bound).
"""


def main() -> None:
    """Write all cards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zoo", type=Path, default=SHIPPED)
    parser.add_argument("--measurements", type=Path, default=MEASUREMENTS)
    arguments = parser.parse_args()
    report = json.loads(arguments.measurements.read_text())
    for recipe in RECIPES:
        if recipe.name in report["models"]:
            folder = arguments.zoo / recipe.name
            truth = json.loads((folder / "ground_truth.json").read_text())
            text = card(recipe, truth, report["models"][recipe.name], report["fingerprints"])
            (folder / "card.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
