"""What goes through the pipe between screen and engine: length-prefixed msgpack of small envelopes.

A frame is a 4-byte big-endian length and that many bytes of msgpack. The engine's first frame comes after the line
`MAGIC`, which it writes before it imports anything that takes long: what stands before is a banner of the machine
(ssh, a shell's profile). Torch-free: the client reads it too.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import BinaryIO

import msgspec

from explorer.base.records.kinds import decode_outcome, decode_part, decode_request
from explorer.base.records.models import Roster
from explorer.base.records.record import Failure, Record
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest

PROTOCOL = 2
"""Version of these envelopes and of the records in them; both ends must agree."""

LENGTH = struct.Struct(">I")
MAGIC = b"\0glitch-explore engine\n"
LARGEST = 1 << 28
"""No frame is larger (a vocabulary of 262k tokens takes 16 MB); a length beyond it means that something else wrote to
the pipe."""


class FrameError(ValueError):
    """What came through the pipe is not a frame of this protocol."""


class Ask(Record, kw_only=True, tag_field="kind", tag=True):
    """Client → engine: answer this request under this number."""

    number: int
    request: AnyRequest


class Cancel(Record, kw_only=True, tag_field="kind", tag=True):
    """Client → engine: stop the request of this number, waiting or running."""

    number: int


class Quit(Record, kw_only=True, tag_field="kind", tag=True):
    """Client → engine: end now."""


class Hello(Record, kw_only=True, tag_field="kind", tag=True):
    """Engine → client, once: ready to work."""

    protocol: int
    versions: dict[str, str]
    """Library name → version, for the session header."""
    pid: int
    roster: Roster


class Told(Record, kw_only=True, tag_field="kind", tag=True):
    """Engine → client: a part of an answer, or how far it is."""

    number: int
    part: AnyPart


class Answer(Record, kw_only=True, tag_field="kind", tag=True):
    """Engine → client: the outcome, exactly one for each Ask."""

    number: int
    outcome: AnyOutcome
    seconds: float


class RosterChanged(Record, kw_only=True, tag_field="kind", tag=True):
    """Engine → client: a model was loaded or unloaded, or memory moved."""

    roster: Roster


ToEngine = Ask | Cancel | Quit
ToClient = Hello | Told | Answer | RosterChanged


# An envelope is read before what is in it: which records there are is known when the program runs (plug-ins add some).


class _RawAsk(Record, kw_only=True, tag_field="kind", tag="Ask"):
    number: int
    request: msgspec.Raw


class _RawTold(Record, kw_only=True, tag_field="kind", tag="Told"):
    number: int
    part: msgspec.Raw


class _RawAnswer(Record, kw_only=True, tag_field="kind", tag="Answer"):
    number: int
    outcome: msgspec.Raw
    seconds: float


_encoder = msgspec.msgpack.Encoder()


# Made when the first frame arrives: building them takes milliseconds, and the first paint waits for nothing.
@cache
def _engine_decoder() -> msgspec.msgpack.Decoder[_RawAsk | Cancel | Quit]:
    return msgspec.msgpack.Decoder(_RawAsk | Cancel | Quit)


@cache
def _client_decoder() -> msgspec.msgpack.Decoder[Hello | _RawTold | _RawAnswer | RosterChanged]:
    return msgspec.msgpack.Decoder(Hello | _RawTold | _RawAnswer | RosterChanged)


def pack(envelope: ToEngine | ToClient) -> bytes:
    """The frame of `envelope`; an outcome too large for a frame becomes a Failure that says so."""
    body = _encoder.encode(envelope)
    if len(body) > LARGEST and isinstance(envelope, Answer):
        failure = Failure(message=f"the answer takes {len(body)} bytes, more than a frame holds")
        return pack(Answer(number=envelope.number, outcome=failure, seconds=envelope.seconds))
    return LENGTH.pack(len(body)) + body


def body_length(prefix: bytes) -> int:
    """Length of the body that follows; raises `FrameError` for a length no frame has."""
    length: int = LENGTH.unpack(prefix)[0]
    if length > LARGEST:
        raise FrameError(f"the pipe carries something that is not a frame (length {length})")
    return length


def unpack_for_engine(body: bytes) -> ToEngine:
    """The envelope in `body`; raises `FrameError`."""
    try:
        envelope = _engine_decoder().decode(body)
        if isinstance(envelope, _RawAsk):
            return Ask(number=envelope.number, request=decode_request(envelope.request, "msgpack"))
        return envelope
    except msgspec.DecodeError as error:
        raise FrameError(f"the pipe carries something that is not a request: {error}") from error


def unpack_for_client(body: bytes) -> ToClient:
    """The envelope in `body`; raises `FrameError`."""
    try:
        envelope = _client_decoder().decode(body)
        if isinstance(envelope, _RawTold):
            return Told(number=envelope.number, part=decode_part(envelope.part, "msgpack"))
        if isinstance(envelope, _RawAnswer):
            outcome = decode_outcome(envelope.outcome, "msgpack")
            return Answer(number=envelope.number, outcome=outcome, seconds=envelope.seconds)
        return envelope
    except msgspec.DecodeError as error:
        raise FrameError(f"the pipe carries something that is not an answer: {error}") from error


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame's body from a blocking stream; None at its end."""
    prefix = stream.read(LENGTH.size)
    if len(prefix) < LENGTH.size:
        return None
    length = body_length(prefix)
    body = stream.read(length)
    return body if len(body) == length else None
