"""What all records are made of, and the outcomes that every request may have.

A Request is in the imperative (`RepeatBack`), an Outcome a noun (`RepeatBackResult`). The same records travel through
the engine's pipe (msgpack, `explorer.pipe.frames`), stand in session files (JSON, `explorer.base.records.plain`) and
feed the panes. Log-probabilities are natural logarithms (nats); probabilities are never stored. A rank of 0 is the
best. Token bytes are hexadecimal strings; `text` is those bytes decoded as UTF-8 with U+FFFD for what is not, and goes
to a screen only through `explorer.base.text.visible`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: frozen, keyword-only."""

    ordered_by: ClassVar[str] = ""
    """For entries of a list in the order of a number: that number's field. Near ties may change places."""
    rank_follows: ClassVar[tuple[str, ...]] = ()
    """A field with a rank, the field with the log-probability that it follows from, and (if there are several places to
    look at) the field with the place."""

    def problem(self) -> str:
        """What does not make sense in this record beyond its types, in one line; empty where all does."""
        return ""


class Array(Record, kw_only=True):
    """A NumPy array on its way through the pipe: dtype name, shape and C-ordered bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Array:
        """Pack `array`, of any shape and a fixed-size dtype."""
        import numpy as np

        packed = np.ascontiguousarray(array)
        return cls(dtype=packed.dtype.str, shape=tuple(packed.shape), data=packed.tobytes())

    @classmethod
    def of_tokens(cls, tokens: Sequence[bytes]) -> tuple[Array, Array]:
        """All tokens' bytes one after the other, uint8, and where each one's begin, int64 [n + 1]."""
        import numpy as np

        offsets = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
        return cls.of(np.frombuffer(b"".join(tokens), dtype=np.uint8)), cls.of(offsets)

    def numpy(self) -> npt.NDArray[Any]:
        """The array, read-only, without a copy."""
        import numpy as np

        return np.frombuffer(self.data, dtype=np.dtype(self.dtype)).reshape(self.shape)


class Request(Record, kw_only=True, tag_field="kind", tag=True):
    """What a user asks."""


class Outcome(Record, kw_only=True, tag_field="kind", tag=True):
    """What came back."""


class Failure(Outcome, kw_only=True):
    """The request could not be answered; the engine and its models are as they were."""

    message: str
    """What happened, one line, with numbers."""
    hint: str = ""
    """What to do about it."""
    wrong_usage: bool = False
    """True where the request makes no sense, and not where it could not be carried out."""


class Progress(Record, kw_only=True, tag_field="kind", tag=True):
    """How far a request is. `total` 0 where that is not known."""

    done: int
    total: int
    what: str
    """What is counted, in words: 'shards', 'samples'."""
    rate: float = 0.0
    """Of those, done in a second; 0 where that is not measured."""
    seconds_left: float | None = None
    """At that rate."""
    reused: int = 0
    """Of those done, how many were on disk: they cost no time, and count in no rate."""
    note: str = ""
    """How it is worked on, in words: 'float32, 2 threads'."""
    waits: str = ""
    """What it waits for now, in words: 'waiting 10 of 60 s for lab'; with `what` empty, it is said that it no longer
    does."""
