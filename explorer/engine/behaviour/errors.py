"""The one error of this layer: a request that cannot be carried out, found before a model runs."""

from __future__ import annotations

from explorer.base.errors import ExplorerError


class BehaviourError(ExplorerError):
    """What was asked makes no sense of this model; the engine answers it as a Failure."""
