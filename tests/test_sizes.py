"""How much one class, function and module of the explorer does."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import explorer

MOST = 200
"""Lines of a class, with those that it inherits from this project."""
MOST_OF_A_FUNCTION = 40
MOST_OF_A_MODULE = 300
HOUSE = Path(explorer.__file__).parent


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


def lines_of_functions(module: Path) -> Iterator[tuple[str, int]]:
    for found in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
            assert found.end_lineno is not None
            yield f"{module.relative_to(HOUSE)}: {found.name}", found.end_lineno - found.lineno + 1


def test_no_function_and_no_module_does_everything() -> None:
    modules = sorted(HOUSE.rglob("*.py"))
    assert len(modules) > 500, "modules of every package are measured"
    functions = (found for module in modules for found in lines_of_functions(module))
    assert [(name, lines) for name, lines in functions if lines > MOST_OF_A_FUNCTION] == []
    sizes = ((str(module.relative_to(HOUSE)), module.read_bytes().count(b"\n")) for module in modules)
    assert [(name, lines) for name, lines in sizes if lines > MOST_OF_A_MODULE] == []
