"""How much one class of the explorer does: its own lines, and those that it inherits from this project."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import explorer.tui.live
import explorer.tui.replay
import explorer.tui.screens
import explorer.tui.shell

MOST = 200
ROOMS = (explorer.tui.live, explorer.tui.replay, explorer.tui.screens, explorer.tui.shell)


def classes() -> Iterator[type]:
    for room in ROOMS:
        for found in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            module = importlib.import_module(found.name)
            yield from (
                kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == found.name
            )


def lines_of(kind: type) -> int:
    """Lines of a class and of its ancestors in this project."""
    ours = (each for each in kind.__mro__ if each.__module__.startswith("explorer."))
    return sum(len(inspect.getsourcelines(each)[0]) for each in ours)


@pytest.mark.parametrize("kind", list(classes()), ids=lambda kind: kind.__name__)
def test_no_class_does_everything(kind: type) -> None:
    assert lines_of(kind) <= MOST
