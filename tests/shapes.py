"""Shapes are checked at run time: `tests/conftest.py` has a check laid around the functions that work on arrays."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from inspect import getattr_static, isclass, unwrap
from typing import Any, TypeVar, get_args

from beartype import beartype
from jaxtyping import AbstractArray, config, install_import_hook

SHAPED = ("explorer.engine.core", "explorer.engine.models", "explorer.engine.answers", "explorer.tables")
"""Packages whose shape annotations are checked."""
CALLS = 100
"""Calls of one function that are checked in each test: a proof has a million."""

Function = Callable[..., Any]
Made = TypeVar("Made")

_seen: Counter[tuple[str, str]] = Counter()
_let_go: list[Function] = []


def install() -> None:
    """Check every module of `SHAPED` that is imported from now on."""
    install_import_hook(SHAPED, "tests.shapes.check_shapes")


def check_anew() -> None:
    """The next calls of every function are checked again."""
    while _let_go:
        vars(_let_go.pop()).pop("__no_type_check__", None)
    _seen.clear()


def check_shapes(function: Function) -> Function:
    """Have beartype look at the annotations that name a shape, and at no other.

    The classes of everything else are mypy's to check; many tests give stand-ins for them.
    """
    function.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if names_shape(hint)}
    check = beartype(function)
    place, most = (function.__module__, function.__qualname__), CALLS if function.__annotations__ else 0

    def counted(*given: Any, **named: Any) -> Any:
        _seen[place] += 1
        if _seen[place] > most:
            _let_it_go(*place)
        return check(*given, **named)

    return counted


def names_shape(hint: object) -> bool:
    """Whether an array with a shape is somewhere in this annotation."""
    return (isclass(hint) and issubclass(hint, AbstractArray)) or any(map(names_shape, get_args(hint)))


def unchecked(make: Callable[..., Made], *given: Any) -> Made:
    """What `make` returns where arrays that its annotations forbid are the point of the test."""
    config.update("jaxtyping_disable", True)
    try:
        return make(*given)
    finally:
        config.update("jaxtyping_disable", False)


def _let_it_go(module: str, path: str) -> None:
    """Have jaxtyping pass over a function until `check_anew`; one inside another function is checked on."""
    found: Any = sys.modules[module]
    for name in path.split("."):
        found = getattr_static(found, name, None)
    for holder in ("fget", "func", "__func__"):
        found = getattr(found, holder, found)
    function = unwrap(found) if callable(found) else None
    if function is not None and hasattr(function, "__dict__"):
        vars(function)["__no_type_check__"] = True
        _let_go.append(function)
