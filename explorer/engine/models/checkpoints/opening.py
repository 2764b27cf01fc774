"""Which files of a folder hold its weights: safetensors, or pickles where these are allowed."""

from __future__ import annotations

from pathlib import Path

from explorer.engine.models.checkpoints.pickled_files import PickledFiles, pickled_weights
from explorer.engine.models.checkpoints.weight_files import INDEX, SINGLE, SafetensorsFiles, has_safetensors
from explorer.engine.models.errors import ModelError


def open_weights(directory: Path, *, allow_pickle: bool = False) -> SafetensorsFiles | PickledFiles:
    """The weights in `directory`; raises `ModelError` where there are none or only pickles not allowed."""
    if has_safetensors(directory):
        return SafetensorsFiles(directory)
    if others := sorted(file.name for file in directory.glob("*.safetensors")):
        raise ModelError(
            f"{directory.name} has only {others[0]}{' …' if others[1:] else ''}, and neither {SINGLE} nor {INDEX}",
            hint=f"Download {INDEX} too." if others[1:] else f"If these are the model's weights, name it {SINGLE}.",
        )
    pickles = pickled_weights(directory)
    if not pickles:
        raise ModelError(
            f"{directory} has a config but no weights", hint=f"{SINGLE}, or {INDEX} with its shards, is needed."
        )
    if not allow_pickle:
        raise ModelError(
            f"{directory} has only pickled weights ({pickles[0]}), which can run code when opened",
            hint="Convert them to safetensors, or allow them with --allow-pickle (tensors only, no code).",
        )
    return PickledFiles(directory)
