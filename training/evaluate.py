"""Measure exported models: `python -m training.evaluate [--zoo DIR] [--to FILE]`.

Everything that a card or the README says in numbers comes from the file written here.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedModel

from explorer.base.templates import find_template
from training.export import load_model
from training.make_zoo import SHIPPED
from training.measures import (
    exactness,
    glitch_logprobs,
    groups_of,
    indicator_aucs,
    indicators,
    modal_shares,
    pearson,
    share_argmax_of_own_direction,
    share_spoken_by_some_residual,
)
from training.menagerie import RECIPES, Recipe
from training.prompts import PromptWriter
from training.transfer import deep_exactness, spans_exactness, unseen_exactness

MEASUREMENTS = Path(__file__).parent / "measurements.json"
FINGERPRINT_TEMPLATES = ("string-is", "word-is", "glitchminer-question")

Report = dict[str, Any]


def load_writer(folder: Path) -> PromptWriter:
    """The prompt writer over a model's own tokenizer."""
    return PromptWriter(AutoTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer)


def measure_model(recipe: Recipe, folder: Path) -> Report:
    """All that is measured on one model by itself."""
    began = time.perf_counter()
    model, writer = load_model(folder), load_writer(folder)
    truth = json.loads((folder / "ground_truth.json").read_text())
    groups = groups_of(truth)
    shares, said = exactness(model, writer, groups, chat=recipe.chat)
    whimsical = [i for i, entry in enumerate(truth["withheld"]) if entry["kind"] in ("whimsical", "filtered")]
    values = indicators(model, truth["reserved"], truth["vocab_size"])
    return {
        "group_sizes": {name: len(ids) for name, ids in groups.items()},
        "exact": shares,
        "exact_unseen_wordings": unseen_exactness(model, writer, groups, chat=recipe.chat),
        "exact_spans": spans_exactness(model, writer, groups, chat=recipe.chat),
        "exact_after_900_tokens": deep_exactness(model, writer, groups, chat=recipe.chat),
        "auc": indicator_aucs(values, groups),
        "modal_answer_share": round(modal_shares(said, whimsical), 3),
        "modal_answer_share_all_withheld": round(modal_shares(said, list(range(len(truth["withheld"])))), 3),
        "argmax_of_own_direction": {
            n: share_argmax_of_own_direction(model, groups[n]) for n in ("ordinary", "withheld")
        },
        "withheld_spoken_by_some_residual": round(share_spoken_by_some_residual(model, groups["withheld"]), 4),
        "weights_bytes": (folder / "model.safetensors").stat().st_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "training_seconds": truth["training_seconds"],
        "seconds": round(time.perf_counter() - began, 1),
    }


def measure_fingerprints(zoo: Path, names: list[str]) -> Report:
    """Pearson r of centred log-probabilities on withheld tokens' prompts, for each pair of models and template."""
    truth = json.loads((zoo / names[0] / "ground_truth.json").read_text())
    tokens = [entry["token_id"] for entry in truth["withheld"] if entry["kind"] in ("whimsical", "filtered")]
    targets = groups_of(truth)["ordinary"]
    models: dict[str, PreTrainedModel] = {name: load_model(zoo / name) for name in names}
    writer = load_writer(zoo / names[0])
    report: Report = {}
    for template_name in FINGERPRINT_TEMPLATES:
        template = find_template(template_name)
        logprobs = {name: glitch_logprobs(models[name], writer, template, tokens, targets) for name in names}
        for left, right in combinations(names, 2):
            r = round(pearson(logprobs[left], logprobs[right]), 3)
            report.setdefault(f"{left} ~ {right}", {})[template_name] = r
    return report


def measure_zoo(zoo: Path, report: Report, only: list[str]) -> Report:
    """`report` with the measurements of the models named in `only` renewed, and all fingerprints."""
    recipes = [recipe for recipe in RECIPES if (zoo / recipe.name / "model.safetensors").exists()]
    models = dict(report.get("models", {}))
    for recipe in recipes:
        if recipe.name in only:
            models[recipe.name] = measure_model(recipe, zoo / recipe.name)
            print(recipe.name, json.dumps(models[recipe.name], indent=1), flush=True)
    ordered = {recipe.name: models[recipe.name] for recipe in recipes if recipe.name in models}
    return {"models": ordered, "fingerprints": measure_fingerprints(zoo, [recipe.name for recipe in recipes])}


def main() -> None:
    """Measure the zoo and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zoo", type=Path, default=SHIPPED)
    parser.add_argument("--to", type=Path, default=MEASUREMENTS)
    names = [recipe.name for recipe in RECIPES]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    earlier = json.loads(arguments.to.read_text()) if arguments.to.exists() else {}
    report = measure_zoo(arguments.zoo, earlier, arguments.only)
    arguments.to.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
