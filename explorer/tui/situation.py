"""How the screen stood at any step of a session: what was selected, loaded and marked, and what the panes showed.

Worked out from the index and the few steps that matter, never by going through all of them: the step before
the last of a file of 100,000 is as near as the first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from explorer.records import (
    Certify,
    CertifyResult,
    FindNeighbours,
    InspectToken,
    LoadModel,
    MarkToken,
    ModelInfo,
    ModelLoaded,
    ModelUnloaded,
    Neighbourhood,
    RankedTokens,
    RankTokens,
    ReadEvidence,
    ReadLogprobs,
    RepeatBack,
    RepeatBackResult,
    Roster,
    Step,
    TokenDetail,
    TokenRef,
    TokenRow,
    VerdictEvidence,
)
from explorer.sessions.search import SessionIndex
from explorer.tui.messages import Selection

LOOK_BACK = 48
"""Steps of one kind looked at, from the position backwards, for one that says what is sought."""
_VIEWS = ("RankTokens", "InspectToken", "FindNeighbours", "ReadLogprobs", "MarkToken", "Verify", "Certify")
"""Kinds whose model is the one that was selected; a repeat-back goes to several at once."""
_SUBJECTS = ("RankTokens", "InspectToken", "RepeatBack", "FindNeighbours", "ReadLogprobs", "ReadEvidence", "Certify")
"""Kinds that are about the token that was selected."""
_NOT_SHOWN = {"LoadModel", "UnloadModel", "MarkToken", "WriteNote", ""}


@dataclass(frozen=True)
class Loaded:
    """A model that was loaded, and how."""

    info: ModelInfo
    request: LoadModel


@dataclass(frozen=True)
class Showing:
    """Steps that a pane showed, and what was selected when the last of them came."""

    steps: tuple[Step, ...]
    selection: Selection


@dataclass(frozen=True)
class Situation:
    """How the screen stood."""

    selection: Selection
    loaded: tuple[Loaded, ...]
    marks: dict[str, frozenset[int]]
    """Marked ids, by model."""
    showing: dict[str, Showing] = field(default_factory=dict)
    """By kind of request."""


class Situations:
    """Answers `at`; told of further steps by `take_in`."""

    def __init__(self, index: SessionIndex) -> None:
        self.index = index
        self._known = 0
        self._kinds: dict[str, list[int]] = defaultdict(list)
        self._repeats: dict[int | None, list[int]] = defaultdict(list)
        """Positions of repeat-backs, by token."""
        self._rosters: list[tuple[int, tuple[Loaded, ...]]] = []
        """Position from which on these models were loaded."""

    def __len__(self) -> int:
        return self._known

    def take_in(self) -> None:
        """Take in what the index has learned since."""
        for position in range(self._known, len(self.index)):
            fact = self.index.fact(position)
            self._known = position + 1
            self._kinds[fact.kind].append(position)
            if fact.kind == "RepeatBack":
                self._repeats[fact.token_id].append(position)
            elif fact.kind in ("LoadModel", "UnloadModel"):
                self._note_load(position)

    def latest(self, position: int, without: Collection[str]) -> int | None:
        """The last step at or before `position` whose request is of no kind in `without`."""
        places = [
            found[place - 1]
            for kind, found in self._kinds.items()
            if kind not in without and (place := bisect_right(found, position))
        ]
        return max(places, default=None)

    def _note_load(self, position: int) -> None:
        step = self.index.session[position]
        before = self._rosters[-1][1] if self._rosters else ()
        match step.request, step.outcome:
            case LoadModel() as request, ModelLoaded(info=info):
                others = tuple(each for each in before if each.info.name != info.name)
                self._rosters.append((position, (*others, Loaded(info, request))))
            case _, ModelUnloaded(model=name):
                self._rosters.append((position, tuple(each for each in before if each.info.name != name)))
            case _:
                pass

    # ── the situation ─────────────────────────────────────────────────────────────────────────────────────

    def at(self, position: int) -> Situation:
        """How the screen stood when the step at `position` had come; −1: before the first."""
        loaded = self._loaded(position)
        marks = self.index.marked_before(position + 1)
        selection = self._selection(position, loaded, marks)
        showing = {}
        for kind in self._kinds:
            if kind not in _NOT_SHOWN and (last := self._last(kind, position)) is not None:
                then = selection if last == position else self._selection(last, loaded, marks)
                showing[kind] = Showing(self._shown(kind, last), then)
        return Situation(selection, loaded, marks, showing)

    def _loaded(self, position: int) -> tuple[Loaded, ...]:
        place = bisect_right(self._rosters, position, key=lambda entry: entry[0])
        return self._rosters[place - 1][1] if place else ()

    def _last(self, kind: str, position: int) -> int | None:
        return next(self._back(kind, position), None)

    def _back(self, kind: str, position: int) -> Iterator[int]:
        """Positions of steps of a kind, from `position` backwards."""
        return _back_from(self._kinds.get(kind, ()), position)

    def _shown(self, kind: str, last: int) -> tuple[Step, ...]:
        """The step at `last`, and the earlier ones that stood beside it: other models asked about the same token."""
        session = self.index.session
        if kind != "RepeatBack":
            return (session[last],)
        same = self._repeats[self.index.fact(last).token_id]
        return tuple(session[position] for position in reversed(list(_back_from(same, last))))

    def _selection(self, position: int, loaded: tuple[Loaded, ...], marks: dict[str, frozenset[int]]) -> Selection:
        roster = Roster(models=tuple(each.info for each in loaded), devices=())
        model = self._model(position, roster)
        token = self._token(position, model) if model is not None else None
        marked = marks.get(model.name, frozenset()) if model is not None else frozenset()
        return Selection(roster=roster, model=model, token=token, marked=marked)

    def _model(self, position: int, roster: Roster) -> ModelInfo | None:
        """The model whose vocabulary was in the table: the one last spoken of, else the first loaded."""
        if not roster.models:
            return None
        known = {info.name: info for info in roster.models}
        viewed = max((last for kind in _VIEWS if (last := self._last(kind, position)) is not None), default=-1)
        names = self.index.fact(viewed).models if viewed >= 0 else ()
        model = next((known[name] for name in names if name in known), roster.models[0])
        repeated = self._last("RepeatBack", position)
        if repeated is not None and repeated > viewed:
            names = self.index.fact(repeated).models
            asked = next((known[name] for name in names if name in known), model)
            # Several models with one tokenizer are asked at once while one of them is selected.
            same = viewed >= 0 and asked.tokenizer_digest == model.tokenizer_digest != ""
            model = model if same else asked
        return model

    def _token(self, position: int, model: ModelInfo) -> TokenRow | None:
        """The token that was selected: the one last spoken of, with all that the session says of it."""
        newest = sorted(
            (place for kind in _SUBJECTS for place in list(_back_from(self._kinds.get(kind, ()), position))[:4]),
            reverse=True,
        )
        for place in newest:
            row = subject_of(self.index.session[place])
            if row is not None:
                return self._richest(row, position, model)
        return None

    def _richest(self, row: TokenRow, position: int, model: ModelInfo) -> TokenRow | None:
        """`row`, or one that says more of the same token, from a table, details or replies of that time."""
        if row.indicators:
            return row
        places = [place for kind in ("InspectToken", "RankTokens") for place in list(self._back(kind, position))[:4]]
        places += list(_back_from(self._repeats.get(row.token_id, []), position))[:4]
        for place in places:
            step = self.index.session[place]
            for known in rows_in(step):
                same_bytes = known.token_bytes == row.token_bytes
                if known.token_id == row.token_id and (same_bytes or (not row.token_bytes and _is_of(step, model))):
                    return known
        return row if row.token_bytes else None


def _back_from(ordered: Sequence[int], position: int) -> Iterator[int]:
    """At most `LOOK_BACK` of the `ordered` positions, from the last that is not beyond `position` backwards."""
    end = bisect_right(ordered, position)
    return reversed(ordered[max(0, end - LOOK_BACK) : end])


def rows_in(step: Step) -> tuple[TokenRow, ...]:
    """What a step says of tokens: the rows of a table, of details, of the one that was asked about."""
    match step.outcome:
        case RankedTokens(rows=rows):
            return rows
        case TokenDetail(row=row):
            return (row,)
        case RepeatBackResult(probe=probe):
            return (_row(probe.token),)
        case _:
            return ()


def _is_of(step: Step, model: ModelInfo) -> bool:
    return getattr(step.outcome, "model", None) == model.name


def subject_of(step: Step) -> TokenRow | None:
    """The token that a step is about, with as much as the step says of it."""
    match step.request, step.outcome:
        case RankTokens() as request, RankedTokens(rows=rows):
            place = (request.cursor if request.cursor is not None else request.first) - request.first
            return rows[place] if 0 <= place < len(rows) else None
        case InspectToken(), TokenDetail(row=row):
            return row
        case RepeatBack(), RepeatBackResult(probe=probe):
            return _row(probe.token)
        case FindNeighbours(), Neighbourhood(subject=subject):
            return msgspec.structs.replace(_row(subject.token), category=subject.category)
        case Certify(token_ids=(_,)), CertifyResult(rows=(found,)):
            return _row(found.token)
        case ReadEvidence(), VerdictEvidence(token=token):
            return _row(token)
        case ((RepeatBack(token_id=int() as token_id) | ReadLogprobs(token_id=int() as token_id)), _):
            return _row(TokenRef(token_id=token_id, token_bytes="", text=""))
        case MarkToken(token_id=token_id, text=text), _:
            return _row(TokenRef(token_id=token_id, token_bytes=text.encode().hex(), text=text))
        case _:
            return None


def _row(token: TokenRef) -> TokenRow:
    """A row that says which token it is, and no more."""
    return TokenRow(
        token_id=token.token_id,
        token_bytes=token.token_bytes,
        text=token.text,
        category="ok",
        indicators={},
        percentiles={},
        robust_z={},
    )
