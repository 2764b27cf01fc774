"""Whether two loaded models are the same: by their digests, then by what is said of them."""

from __future__ import annotations

from explorer.base.records.models import LoadModel, ModelInfo, ModelLoaded
from explorer.base.text import visible
from explorer.specs.comparing.agreement import Agreement, Comparison
from explorer.specs.comparing.wording import said

_FACTS = (
    "architecture", "vocab_size", "tokenizer_size", "d_model", "n_layers", "n_parameters", "context", "tied",
    "has_chat_template", "can_run",
)  # fmt: skip
"""What a model is, whatever machine it runs on."""


def compare_models(request: LoadModel, recorded: ModelLoaded, live: ModelLoaded, comparison: Comparison) -> Agreement:
    """The same digests and facts; where it was loaded from, dtype and device are not compared."""
    return Agreement(model_difference(recorded.info, live.info), run_difference(recorded.info, live.info))


def digest_difference(recorded: ModelInfo, live: ModelInfo) -> str:
    """Which of weights and tokenizer are not the same; empty where both are."""
    return "; ".join(
        f"{what}: {visible(was) or 'no digest'} was recorded, {visible(came) or 'no digest'} came"
        for what, was, came in (
            ("weights", recorded.weights_digest, live.weights_digest),
            ("tokenizer", recorded.tokenizer_digest, live.tokenizer_digest),
        )
        if was != came
    )


def model_difference(recorded: ModelInfo, live: ModelInfo) -> str:
    """Which digests are not the same; where both are, what is said of the model that is not so. Else empty."""
    return digest_difference(recorded, live) or _differences(recorded, live, _FACTS)


def run_difference(recorded: ModelInfo, live: ModelInfo) -> str:
    """In what the two run otherwise: dtype and device."""
    return _differences(recorded, live, ("dtype", "device"))


def _differences(recorded: ModelInfo, live: ModelInfo, names: tuple[str, ...]) -> str:
    facts = ((name, getattr(recorded, name), getattr(live, name)) for name in names)
    return "; ".join(said(name, was, came) for name, was, came in facts if was != came)
