"""Sequences whose items are made when they are looked at: a session may have a hundred thousand steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class LazySequence(Sequence[T]):
    """A subclass says how many items there are (`__len__`, which may grow) and makes one (`item`)."""

    @abstractmethod
    def item(self, place: int) -> T:
        """The item at `place`, from 0 to the length less 1."""

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self.item(place) for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"there is no item {index} of {len(self)}")
        return self.item(place)
