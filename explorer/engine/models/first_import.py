"""transformers must be imported by one thread alone: at its end it puts another module in its own place, and a thread
that waits for it meanwhile goes on with the empty one ("cannot import name 'AutoConfig'")."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_alone = threading.RLock()


@contextmanager
def importing_alone() -> Iterator[None]:
    """Inside, no other thread that asks likewise imports transformers for the first time; free once it is imported."""
    if type(sys.modules.get("transformers", ModuleType(""))) is not ModuleType:
        yield
        return
    with _alone:
        yield
