"""A cancellation heard inside a call of a model, which may take minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from explorer.engine.control import stop_if_cancelled
from explorer.engine.models.abilities import HasVocabulary, has_hidden


@contextmanager
def heard_inside(model: HasVocabulary) -> Iterator[None]:
    """Meanwhile a call of a model that is here raises `Stopped` between two of its modules once the request at work is
    cancelled. The hooks change nothing of what the model says, and are gone afterwards."""
    hooks = []
    if has_hidden(model):
        hooks = [each.register_forward_pre_hook(lambda *_: stop_if_cancelled()) for each in model.hf.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
