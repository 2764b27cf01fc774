"""What was computed of models, kept in memory while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=tuple[Any, ...])
Thing = TypeVar("Thing")


class Latest(Generic[Key, Thing]):
    """Things by keys that begin with a model's name: the `most` that were held last. May be used from any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._things: OrderedDict[Key, Thing] = OrderedDict()

    def get(self, key: Key) -> Thing | None:
        """What is held."""
        return self._things.get(key)

    def hold(self, key: Key, thing: Thing) -> None:
        """Hold `thing`, again or anew; the one that was held longest ago is given up where there are too many."""
        with self._lock:
            self._things[key] = thing
            self._things.move_to_end(key)
            while len(self._things) > self._most:
                self._things.popitem(last=False)

    def drop(self, key: Key) -> None:
        """Hold it no longer."""
        with self._lock:
            self._things.pop(key, None)

    def forget(self, name: str) -> None:
        """Give up what was computed of a model that was unloaded."""
        with self._lock:
            for key in [key for key in self._things if key[0] == name]:
                del self._things[key]
