"""Finding steps in a session file: by words, by token, by model; notes and marks. An index, made a little at a time.

What a step is about (its kind, models, token) is read from its line without decoding the outcome, so a
filter over 100,000 steps is a walk over small tuples. `find` stops after a time and says where to continue.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from explorer.base.records.kinds import decode_request
from explorer.base.records.notes import MarkToken, WriteNote
from explorer.base.records.unions import Step
from explorer.base.text import visible, visible_bytes
from explorer.sessions.file.form import migrate_line
from explorer.sessions.file.reader import SessionFile
from explorer.specs.registry import REGISTRY, Registry, describe
from explorer.specs.screen_words import describe_on_screen

PAUSE_EVERY = 64


class Fact(msgspec.Struct, frozen=True, gc=False):  # a hundred thousand of them must not slow the collector down
    """What one step is about."""

    kind: str
    """The request's kind; empty for a damaged line."""
    models: tuple[str, ...]
    token_id: int | None
    number: int


class _Info(msgspec.Struct, frozen=True, gc=False):
    name: str = ""


class _Came(msgspec.Struct, frozen=True, gc=False):
    kind: str = ""
    info: _Info | None = None


class _Line(msgspec.Struct, frozen=True, gc=False):
    number: int = 0
    request: dict[str, Any] = {}
    outcome: _Came = _Came()


class _RequestLine(msgspec.Struct, frozen=True):
    request: msgspec.Raw


_decoder = msgspec.json.Decoder(_Line, strict=False)
_request_decoder = msgspec.json.Decoder(_RequestLine)


@dataclass(frozen=True)
class Query:
    """Which steps are wanted; what is not given is not asked for."""

    text: str = ""
    """In the words of what was asked, or in any text of question or answer; capitals do not matter."""
    model: str = ""
    token_id: int | None = None
    """A token of `model`, or of any model where none is given."""
    kinds: frozenset[str] = frozenset()
    """Kinds of requests, such as `RepeatBack`."""
    tag: str = ""
    """A tag of a note."""


class Found(NamedTuple):
    """What a look found: a position, or where to go on looking; neither: there is nothing."""

    position: int | None
    go_on: int | None


class SessionIndex:
    """What every step of a session file is about."""

    def __init__(self, session: SessionFile, registry: Registry = REGISTRY) -> None:
        """`registry`: says which fields of a request name models and its token."""
        self.session = session
        self._registry = registry
        self._facts: list[Fact] = []
        self._tags: dict[int, tuple[str, ...]] = {}
        self._on_step: dict[int, list[int]] = defaultdict(list)
        self._on_token: dict[tuple[str, int], list[int]] = defaultdict(list)
        self._marks: list[tuple[int, str, int, bool]] = []

    @property
    def complete(self) -> bool:
        """Whether every step of the file is in the index."""
        return self.session.complete and len(self._facts) == len(self.session)

    def index_more(self, seconds: float = 0.02) -> bool:
        """Take further steps in for about that long; True when all are. Call it from one place only."""
        until = time.perf_counter() + seconds
        while not self.complete:
            if len(self._facts) == len(self.session):
                self.session.index_more(0.0)
            for position in range(len(self._facts), min(len(self._facts) + PAUSE_EVERY, len(self.session))):
                self._take_in(position)
            if time.perf_counter() >= until:
                break
        return self.complete

    def index_all(self) -> SessionIndex:
        """Take every step in; this index."""
        while not self.index_more(1.0):
            pass
        return self

    def fact(self, position: int) -> Fact:
        """What the step at `position` is about; an IndexError before the index got there."""
        return self._facts[position]

    def __len__(self) -> int:
        """Steps in the index so far."""
        return len(self._facts)

    def _take_in(self, position: int) -> None:
        try:
            line = _decoder.decode(self._line(position))
            self._note(position, line.request)
            fact = self._fact(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            fact = Fact(kind="", models=(), token_id=None, number=position + 1)
        self._facts.append(fact)

    def _fact(self, line: _Line) -> Fact:
        """What the line's request is about; a loaded model by the name that it was given."""
        kind = _text(line.request.get("kind"))
        spec = self._registry.of_kind(kind)
        named = dict.fromkeys(name for path in (spec.models if spec else ()) for name in _texts_at(line.request, path))
        models = (line.outcome.info.name,) if line.outcome.info is not None else tuple(filter(None, named))
        token_id = line.request.get(spec.token) if spec and spec.token else None
        known = isinstance(token_id, int) and not isinstance(token_id, bool)
        return Fact(kind=kind, models=models, token_id=token_id if known else None, number=line.number)

    def _note(self, position: int, asked: dict[str, Any]) -> None:
        """Keep what a note is on, and what is marked."""
        if asked.get("kind") == "WriteNote":
            note = msgspec.convert(asked, WriteNote, strict=False)
            self._tags[position] = note.tags
            if note.step is not None:
                self._on_step[note.step].append(position)
            if note.token_id is not None:
                self._on_token[note.model, note.token_id].append(position)
        elif asked.get("kind") == "MarkToken":
            mark = msgspec.convert(asked, MarkToken, strict=False)
            self._marks.append((position, mark.model, mark.token_id, mark.marked))

    def _line(self, position: int) -> bytes:
        return migrate_line(self.session.raw(position), self.session.version)

    # ── questions ─────────────────────────────────────────────────────────────────────────────────────────

    def find(self, query: Query, start: int = 0, step: int = 1, seconds: float = 0.02) -> Found:
        """The first step from `start` on that the query wants, forwards (`step` 1) or backwards (−1).

        Looks for about `seconds`; `go_on` is where to begin the next look when that was not enough. The index
        must have reached the positions looked at: those beyond it are found in a later look.
        """
        until = time.perf_counter() + seconds
        position, looked = start, 0
        while 0 <= position < len(self._facts):
            if self._wants(query, position):
                return Found(position, None)
            position, looked = position + step, looked + 1
            if looked % PAUSE_EVERY == 0 and time.perf_counter() >= until:
                return Found(None, position)
        return Found(None, position if step > 0 and position >= 0 and not self.complete else None)

    def positions(self, query: Query) -> list[int]:
        """Every step the query wants, of those in the index."""
        return [position for position in range(len(self._facts)) if self._wants(query, position)]

    def _wants(self, query: Query, position: int) -> bool:
        fact = self._facts[position]
        return (
            (not query.model or query.model in fact.models)
            and (query.token_id is None or query.token_id == fact.token_id)
            and (not query.kinds or fact.kind in query.kinds)
            and (not query.tag or query.tag in self._tags.get(position, ()))
            and (not query.text or self._says(query.text.casefold(), position))
        )

    def _says(self, text: str, position: int) -> bool:
        """Whether the step's words hold `text`, which is case-folded. Only where it may is the outcome decoded."""
        line = self._line(position)
        lower = line.decode("utf-8", "replace").casefold()
        if msgspec.json.encode(text)[1:-1].decode() in lower and text in words_of(self.session[position]).casefold():
            return True
        if _is_as_shown(text) and all(part in lower for part in _PLAIN.findall(_ESCAPED.sub(" ", text))):
            shown = shown_words_of(self.session[position]).casefold()
            # In prompts and replies a token has its dots, the words round it have spaces.
            return text in shown or (" " in text and text.replace("·", " ") in shown)
        try:
            request = decode_request(_request_decoder.decode(line).request, "json")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return any(text in words.casefold() for words in (describe(request), describe_on_screen(request)))

    def notes_on_step(self, number: int, without: Container[int] = ()) -> tuple[WriteNote, ...]:
        """The notes on the step of that number, wherever they stand in the file but at the places `without`."""
        return self._notes([position for position in self._on_step.get(number, ()) if position not in without])

    def notes_on_token(self, model: str, token_id: int, before: int | None = None) -> tuple[WriteNote, ...]:
        """The notes on a token; those before a position where one is given: later ones tell what is yet to come."""
        positions = self._on_token.get((model, token_id), ())
        return self._notes([position for position in positions if before is None or position < before])

    def _notes(self, positions: Iterator[int] | list[int] | tuple[int, ...]) -> tuple[WriteNote, ...]:
        requests = (self.session[position].request for position in positions)
        return tuple(request for request in requests if isinstance(request, WriteNote))

    def marked_before(self, position: int) -> dict[str, frozenset[int]]:
        """The tokens marked when the step at `position` was about to be taken, by model."""
        marked: dict[str, set[int]] = defaultdict(set)
        for place, model, token_id, is_marked in self._marks:
            if place >= position:
                break
            (marked[model].add if is_marked else marked[model].discard)(token_id)
        return {model: frozenset(ids) for model, ids in marked.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts_at(asked: dict[str, Any], path: str) -> list[str]:
    """The names in the field at `path` of a request as it stands in its line, which may be damaged."""
    value: Any = asked
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def words_of(step: Step) -> str:
    """Every text of a step that can be searched: what was asked in words, and the texts in question and answer."""
    return "\n".join((describe(step.request), *_texts(step.request), *_texts(step.outcome)))


_ESCAPED = re.compile(r"\\(?:x[0-9a-f]{2}|u\{[0-9a-f]*\}?|.)")
_PLAIN = re.compile(r"[a-z0-9]+")


def _is_as_shown(text: str) -> bool:
    """Whether `text` may be written as the screen writes tokens: a dot for a space, an escape for what is invisible."""
    return "·" in text or "\\" in text


def shown_words_of(step: Step) -> str:
    """The same as the screen writes it: what is invisible and what is no UTF-8 as escapes."""
    texts = [*_texts(step.request), *_texts(step.outcome)]
    tokens = (*_bytes_in(step.request), *_bytes_in(step.outcome))
    prose = (visible(text, spaces=False) for text in texts)
    return "\n".join((*map(visible, texts), *prose, *map(visible_bytes, tokens)))


_NOT_WORDS = frozenset({"token_bytes", "digest", "weights_digest", "tokenizer_digest", "category", "metric", "space"})


def _texts(record: msgspec.Struct) -> Iterator[str]:
    """What a record says in words."""
    return (text for name, text in _strings(record) if name not in _NOT_WORDS)


def _bytes_in(record: msgspec.Struct) -> Iterator[bytes]:
    """The bytes of every token in a record."""
    return (bytes.fromhex(text) for name, text in _strings(record) if name == "token_bytes")


def _strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a record, with the name of its field."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from _strings(getattr(value, field), field)
    elif isinstance(value, tuple) and not (value and isinstance(value[0], int | float)):
        for item in value:
            yield from _strings(item, name)
