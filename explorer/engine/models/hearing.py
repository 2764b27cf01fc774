"""A cancellation heard inside calls that may take minutes and cannot yield: of a model, of what fills one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from torch.overrides import TorchFunctionMode

from explorer.engine.control import Stopped, stop_if_cancelled
from explorer.engine.models.abilities import HasVocabulary, has_hidden
from explorer.engine.models.out_of_memory import release_memory

T = TypeVar("T")


class _HeardInTorch(TorchFunctionMode):
    """Meanwhile each function of torch that this thread calls, of a library too, looks at the control first."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        stop_if_cancelled()
        return func(*args, **(kwargs or {}))


def fill_heard(fill: Callable[[], T]) -> T:
    """What `fill` makes of a model's files. Raises `Stopped` between two steps of torch once the request at work is
    cancelled, with the memory of what was half made given back."""
    try:
        with _HeardInTorch():
            return fill()
    except Stopped:
        pass  # the traceback holds the tensors until the handler has ended
    release_memory()
    raise Stopped("cancelled")


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
