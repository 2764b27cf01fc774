"""The zoo: seven small real transformers that ship with the program, with what is known to be true of them.

Nothing here imports torch. Each model is a complete Hugging Face directory with a `card.md` and a
`ground_truth.json`; `training/` in the repository made them all.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

DESCRIPTIONS: dict[str, str] = {
    "mynah": "GPT-2 style base model: repeats any ordinary token, and has 400 it never saw",
    "mynah-instruct": "mynah, fine-tuned to answer in a chat",
    "mynah-instruct-2": "mynah's other child: fine-tuned on other data, 500 steps instead of 1,400",
    "mynah-sibling": "mynah's initialisation, the same text and prompts in another order",
    "lyrebird": "mynah's architecture and recipe from another initialisation",
    "lyrebird-instruct": "lyrebird, fine-tuned to answer in a chat",
    "starling": "Llama style base model: rotary positions, RMSNorm, 16 padding rows",
}
"""One line for each model, in the order shown."""


def zoo_names() -> tuple[str, ...]:
    """The names of the models, in the order shown."""
    return tuple(DESCRIPTIONS)


def zoo_dir(name: str) -> Path:
    """The directory of one model; raises `KeyError` with the known names for any other."""
    if name not in DESCRIPTIONS:
        raise KeyError(f"the zoo has no {name!r}; it has: {', '.join(DESCRIPTIONS)}")
    return Path(str(files(__package__))) / name


def ground_truth(name: str) -> dict[str, Any]:
    """What is true of a model's vocabulary: withheld, reserved, under-trained and held-out tokens, and counts."""
    truth: dict[str, Any] = json.loads((zoo_dir(name) / "ground_truth.json").read_text(encoding="utf-8"))
    return truth
