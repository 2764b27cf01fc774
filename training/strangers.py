"""Strangers of the zoo, to calibrate tests of lineage with: `python -m training.strangers DIR [--only NAME ...]`.

Not shipped. `null-1`, `null-2`: bases of the zoo's tokenizer and data with other first weights. `base-a`, `base-b` and
their children `inst-a`, `inst-b`: the same on another tokenizer. A tenth of the zoo's steps, in smaller batches: about
two minutes of one core each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from training import stream
from training.corpus import load_corpus
from training.inventory import take_inventory
from training.make_zoo import Materials, gather, make_model
from training.menagerie import BASE_PEAK, INSTRUCT_MIX, INSTRUCT_PEAK, Recipe
from training.prompts import PromptWriter
from training.tokenizer import build_tokenizer

STEPS, INSTRUCT_STEPS = 300, 150
BATCH_TOKENS = 1536
OTHER_TOKENIZER = ("base-a", "base-b", "inst-a", "inst-b")


def _base(name: str, seed: int, style: str = "gpt2") -> Recipe:
    return Recipe(name, style, init_seed=seed, data_seed=seed + 1, steps=STEPS, peak=BASE_PEAK)


def _child(name: str, parent: str, seed: int) -> Recipe:
    return Recipe(name, "gpt2", 0, seed, INSTRUCT_STEPS, INSTRUCT_PEAK, 0.0, parent=parent, mix=INSTRUCT_MIX)


RECIPES = (
    _base("base-a", 6001),
    _base("base-b", 6101),
    _child("inst-a", "base-a", 6009),
    _child("inst-b", "base-b", 6109),
    _base("null-1", 5001),
    _base("null-2", 5101),
)


def gather_otherwise() -> Materials:
    """As `gather`, with a tokenizer that counts every third paragraph four times: other merges, other ids."""
    paragraphs = load_corpus()
    tokenizer = build_tokenizer([*paragraphs, *paragraphs[::3] * 3])
    return Materials(tokenizer, take_inventory(tokenizer, paragraphs), PromptWriter(tokenizer))


def make_strangers(out: Path, only: Sequence[str]) -> None:
    """Train those named, or all, into `out`; a parent must stand there already or come first."""
    stream.BATCH_TOKENS, stream.BLOCK_LENGTHS, stream.BLOCK_SHARES = BATCH_TOKENS, (96, 384, 768), (0.8, 0.2, 0.0)
    out.mkdir(parents=True, exist_ok=True)
    for recipe in RECIPES:
        if not only or recipe.name in only:
            make_model(recipe, gather_otherwise() if recipe.name in OTHER_TOKENIZER else gather(), out)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=[recipe.name for recipe in RECIPES], metavar="NAME", default=())
    given = parser.parse_args()
    torch.set_num_threads(1)
    make_strangers(given.out, given.only)


if __name__ == "__main__":
    main()
