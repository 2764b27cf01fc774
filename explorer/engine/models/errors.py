"""The errors of models; the engine answers them as a Failure."""

from __future__ import annotations

from explorer.base.errors import ExplorerError


class ModelError(ExplorerError):
    """A model could not be found, loaded or run."""


class PromptError(ModelError):
    """A text cannot be written for this model: its chat template fails, or its tokenizer drops letters."""


class OutOfMemory(ModelError):
    """The device has no memory left for a batch; a smaller one may fit. The model stays usable."""
