"""While tests run, every call is checked against the shapes in its annotations."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import jaxtyping
import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from explorer.engine.core.logprobs import log_softmax, top_k
from explorer.tables.agreement import jaccard
from tests.shapes import SHAPED


def modules_of(package: str) -> Iterator[ModuleType]:
    """A package and all modules below it."""
    top = importlib.import_module(package)
    yield top
    for found in pkgutil.walk_packages(top.__path__, f"{package}."):
        yield importlib.import_module(found.name)


def shapes_in(module: ModuleType) -> Iterator[str]:
    """The annotations of parameters and results in `module` that name a shape, as they are written."""
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            told = [node.returns, *(each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg))]
            yield from (ast.unparse(each) for each in told if each is not None and writes_shape(each))


def told_by(shape: str) -> Callable[[], None]:
    """A function whose one annotation is `shape`, as text."""

    def function() -> None: ...

    function.__annotations__ = {"return": shape}
    return function


def writes_shape(annotation: ast.expr) -> bool:
    return any(
        isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name) and hasattr(jaxtyping, part.value.id)
        for part in ast.walk(annotation)
    )


@pytest.mark.parametrize("package", SHAPED)
def test_every_shape_is_known_at_run_time(package: str) -> None:
    """One that is not would be taken for `Any` without a word."""
    found = [(module, shape) for module in modules_of(package) for shape in shapes_in(module)]
    assert found
    for module, shape in found:
        typing.get_type_hints(told_by(shape), vars(module), include_extras=True)


def test_a_wrong_shape_is_caught() -> None:
    flags = np.zeros(3, dtype=bool)
    assert jaccard(flags, flags) >= 0
    with pytest.raises(TypeCheckError, match="second"):
        jaccard(flags, np.zeros(4, dtype=bool))
    with pytest.raises(TypeCheckError, match="first"):
        jaccard(flags.astype(np.float32), flags)


def test_a_wrong_number_of_axes_is_caught() -> None:
    assert log_softmax(torch.zeros(2, 3)).shape == (2, 3)
    assert top_k(torch.zeros(3), 2).shape == (2,)
    with pytest.raises(TypeCheckError, match="logprobs"):
        top_k(torch.zeros(2, 3), 2)
    with pytest.raises(TypeCheckError, match="logits"):
        log_softmax(torch.zeros(3, dtype=torch.int64))
