"""How much one class of the explorer does: its own lines, and those that it inherits from this project."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import explorer

MOST = 200


def classes() -> Iterator[type]:
    for found in pkgutil.walk_packages(explorer.__path__, f"{explorer.__name__}."):
        if not found.name.endswith("__main__"):  # which would run
            module = importlib.import_module(found.name)
            yield from (
                kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == found.name
            )


def lines_of(kind: type) -> int:
    """Lines of a class and of its ancestors in this project."""
    ours = (each for each in kind.__mro__ if each.__module__.startswith("explorer."))
    return sum(len(inspect.getsourcelines(each)[0]) for each in ours)


def test_no_class_does_everything() -> None:
    found = {f"{kind.__module__}.{kind.__qualname__}": lines_of(kind) for kind in classes()}
    assert len(found) > 400, "classes of every package are measured"
    assert {name: lines for name, lines in found.items() if lines > MOST} == {}
