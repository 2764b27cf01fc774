"""What distinguishes the seven models: parents, seeds, steps. Everything else they share."""

from __future__ import annotations

from dataclasses import dataclass

from training.stream import Mix

BASE_STEPS = 3000
BASE_PEAK = 4e-3
BASE_MIX = Mix()
INSTRUCT_STEPS = 1400
INSTRUCT_PEAK = 1e-3
SECOND_STEPS, SECOND_PEAK = 500, 3e-3
"""Of mynah's second child. At the first's peak so few steps leave it at 0.525 for the held-out tokens of repeat-4."""
INSTRUCT_MIX = Mix(text=0.2, chat=0.65)
"""A third of the questions stay in the base model's form, or it would be forgotten."""


@dataclass(frozen=True)
class Recipe:
    """How one model is made."""

    name: str
    style: str
    """`gpt2` or `llama`."""
    init_seed: int
    """Seed of the first weights (unused with a parent)."""
    data_seed: int
    """Seed of the order and choice of text and prompts."""
    steps: int = BASE_STEPS
    peak: float = BASE_PEAK
    decay: float = 0.1
    parent: str | None = None
    mix: Mix = BASE_MIX

    @property
    def chat(self) -> bool:
        """Whether the model answers through a chat template."""
        return self.parent is not None


def _instruct(
    name: str, parent: str, data_seed: int, steps: int = INSTRUCT_STEPS, peak: float = INSTRUCT_PEAK
) -> Recipe:
    return Recipe(name, "gpt2", 0, data_seed, steps, peak, 0.0, parent=parent, mix=INSTRUCT_MIX)


RECIPES: tuple[Recipe, ...] = (
    Recipe("mynah", "gpt2", init_seed=1001, data_seed=1002),
    Recipe("lyrebird", "gpt2", init_seed=2001, data_seed=1002),
    Recipe("mynah-sibling", "gpt2", init_seed=1001, data_seed=3002),
    Recipe("starling", "llama", init_seed=4001, data_seed=1002),
    _instruct("mynah-instruct", "mynah", 1009),
    _instruct("lyrebird-instruct", "lyrebird", 2009),
    _instruct("mynah-instruct-2", "mynah", 1010, SECOND_STEPS, SECOND_PEAK),
)
"""In an order in which parents come first."""
